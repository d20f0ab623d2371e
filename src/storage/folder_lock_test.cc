#include "storage/folder_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

TEST(FolderLock, IsHeldByOneAtATimeWhoIsNamed) {
  const TemporaryFolder folder;
  const std::filesystem::path run = folder.path() / "deep/run";
  std::optional<FolderLock> first(run);
  try {
    FolderLock second(run);
    FAIL() << "two hold the folder";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(run.string()), std::string::npos) << text;
    EXPECT_NE(text.find("(" + std::to_string(::getpid()) + ")"), std::string::npos) << text;
  }
  first.reset();
  FolderLock again(run);
}

TEST(FolderLock, OfAPathThatIsNoFolderIsAnError) { EXPECT_THROW(FolderLock("/dev/null/run"), Error); }

}  // namespace
}  // namespace ssd
