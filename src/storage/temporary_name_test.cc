#include "storage/temporary_name.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "storage/atomic_file.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// A child process that is killed while it writes the file.
void killed_writer(const fs::path& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(path);
    file.write("half");
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
}

std::ptrdiff_t entries_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(TemporaryName, IsToldFromNamesOfUsers) {
  EXPECT_TRUE(is_temporary_name(".step-000010.tmp-12-0"));
  EXPECT_TRUE(is_temporary_name(temporary_name("a/b").filename().string()));
  for (const char* name : {"step-000010", ".hidden", "a.tmp-1-0", ".a.tmp-", ".a.tmp-x", ".a.tmp-1-",
                           ".tmp-1-0", ".a.tmp-12", ".a.tmp-1-xyz", ""})
    EXPECT_FALSE(is_temporary_name(name)) << name;
}

TEST(TemporaryName, LiesBesideAndIsNeverTheSame) {
  const fs::path one = temporary_name("folder/name");
  EXPECT_EQ(one.parent_path(), "folder");
  EXPECT_NE(one, temporary_name("folder/name"));
}

TEST(TemporaryName, IsThereForTheLongestNames) {
  const TemporaryFolder folder;
  std::string umlauts;
  for (int i = 0; i < 127; ++i) umlauts += "\xc3\xa4";
  for (const std::string& name : {std::string(255, 'n'), umlauts}) {
    write_file_atomically(folder.path() / name, "text");
    EXPECT_EQ(fs::file_size(folder.path() / name), 4u);
  }
}

TEST(Leftovers, OfKilledWritersAreRemovedByTheNextOfTheSameFile) {
  const TemporaryFolder folder;
  killed_writer(folder.path() / "a");
  killed_writer(folder.path() / "b");
  EXPECT_EQ(entries_in(folder.path()), 2);
  write_file_atomically(folder.path() / "a", "text");
  EXPECT_EQ(entries_in(folder.path()), 2) << "a, and what is left of b";
  EXPECT_EQ(remove_leftovers_in(folder.path()).removed, 1u);
  EXPECT_EQ(entries_in(folder.path()), 1);
}

TEST(Leftovers, AreNotFilesThatAreBeingWritten) {
  const TemporaryFolder folder;
  AtomicFile file(folder.path() / "a");
  const Leftovers found = remove_leftovers_of(folder.path() / "a");
  EXPECT_EQ(found.live, 1u);
  EXPECT_EQ(found.removed, 0u);
  file.write("text");
  file.commit();
  EXPECT_EQ(fs::file_size(folder.path() / "a"), 4u);
}

TEST(Leftovers, AreNeitherLinksNorFoldersNorFilesOfUsers) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "other") << "kept";
  fs::create_symlink("other", folder.path() / ".a.tmp-1-0");
  fs::create_directory(folder.path() / ".a.tmp-1-1");
  std::ofstream(folder.path() / ".a.tmp-note") << "kept";
  EXPECT_EQ(remove_leftovers_of(folder.path() / "a").removed, 0u);
  EXPECT_EQ(entries_in(folder.path()), 4);
}

}  // namespace
}  // namespace ssd
