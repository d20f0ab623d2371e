#include "storage/folder_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/error.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

TEST(FolderLock, IsHeldByOneAtATimeWhoIsNamed) {
  const TemporaryFolder folder;
  const std::filesystem::path run = folder.path() / "deep/run";
  std::optional<FolderLock> first(run);
  const std::string message = message_of([&] { FolderLock second(run); });
  EXPECT_NE(message.find(run.string()), std::string::npos) << message;
  EXPECT_NE(message.find("(" + std::to_string(::getpid()) + ")"), std::string::npos) << message;
  first.reset();
  FolderLock again(run);
}

TEST(FolderLock, WritesToNoFileOfSomebodyElse) {
  const TemporaryFolder folder;
  const std::filesystem::path lock = folder.path() / "lock", other = folder.path() / "other";
  std::ofstream(other) << "kept";
  std::filesystem::create_symlink(other, lock);
  EXPECT_THROW(FolderLock{folder.path()}, Error);
  std::filesystem::remove(lock);
  ASSERT_EQ(::mkfifo(lock.c_str(), 0600), 0);
  EXPECT_THROW(FolderLock{folder.path()}, Error);
  std::filesystem::remove(lock);
  std::filesystem::create_hard_link(other, lock);
  const FolderLock held(folder.path());
  EXPECT_THROW(FolderLock{folder.path()}, Error);
  EXPECT_EQ(std::filesystem::file_size(other), 4u);
}

TEST(FolderLock, OfAPathThatIsNoFolderIsAnError) { EXPECT_THROW(FolderLock("/dev/null/run"), Error); }

}  // namespace
}  // namespace ssd
