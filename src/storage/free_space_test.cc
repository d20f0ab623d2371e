#include "storage/free_space.h"

#include <gtest/gtest.h>

#include <limits>

#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

TEST(FreeSpace, IsAskedOfTheNearestFolderThatThereIs) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "not" / "yet";
  EXPECT_NO_THROW(require_free_space(run, 1, "two checkpoints"));
  const std::string message = message_of(
      [&] { require_free_space(run, std::numeric_limits<std::uint64_t>::max(), "two checkpoints"); });
  EXPECT_NE(message.find("two checkpoints need 18446744073710 MB"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "not"));
}

}  // namespace
}  // namespace ssd
