#include "storage/free_space.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

TEST(FreeSpace, IsAskedOfTheNearestFolderThatThereIs) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "not" / "yet";
  EXPECT_NO_THROW(require_free_space(run, 1, "two checkpoints"));
  try {
    require_free_space(run, std::numeric_limits<std::uint64_t>::max(), "two checkpoints");
    FAIL() << "no disk has as much";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("two checkpoints need 18446744073710 MB"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "not"));
}

}  // namespace
}  // namespace ssd
