#include "storage/name_in_url.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

using Names = std::vector<std::string>;

TEST(NameInUrl, PlainNamesStandForThemselves) {
  EXPECT_EQ(names_in_url("a.jpg"), Names());
  EXPECT_EQ(names_in_url("images/100%.jpg"), Names());
  EXPECT_EQ(names_in_url("12345678.jpg"), Names());
  EXPECT_EQ(names_in_url(""), Names());
}

TEST(NameInUrl, EscapesQueriesAndUploadsAreUndone) {
  EXPECT_EQ(names_in_url("my%20dog%2B.jpg"), Names{"my dog+.jpg"});
  EXPECT_EQ(names_in_url("http://x/b/a.jpg?Expires=1&x=/y"), Names{"http://x/b/a.jpg"});
  EXPECT_EQ(names_in_url("data/local-files/?d=my%5Ca.jpg&x=1"), (Names{"my\\a.jpg", "data/local-files/"}));
  EXPECT_EQ(names_in_url("images/0a1b2C3d-a.jpg"), Names{"images/a.jpg"});
  EXPECT_EQ(names_in_url("up/0a1b2c3d-a%20b.jpg?x"),
            (Names{"up/0a1b2c3d-a%20b.jpg", "up/0a1b2c3d-a b.jpg", "up/a%20b.jpg", "up/a b.jpg"}));
}

}  // namespace
}  // namespace ssd
