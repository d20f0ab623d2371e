#include "storage/atomic_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "storage/mapped_file.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::ptrdiff_t entries_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(AtomicFile, KeepsTheOldContentUntilCommitted) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  write_file_atomically(path, "old");
  AtomicFile file(path);
  file.write("new");
  EXPECT_EQ(content_of(path), "old");
  file.commit();
  EXPECT_EQ(content_of(path), "new");
  EXPECT_EQ(entries_in(folder.path()), 1);
}

TEST(AtomicFile, LeavesNothingWhenNotCommitted) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder.path() / "a.txt");
    file.write("half");
    for (const auto& entry : fs::directory_iterator(folder.path()))
      EXPECT_TRUE(is_temporary_name(entry.path().filename().string()));
  }
  EXPECT_EQ(entries_in(folder.path()), 0);
}

TEST(AtomicFile, ReplacesTheFileBehindASymbolicLink) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "store");
  write_file_atomically(folder.path() / "store" / "real", "old");
  fs::create_symlink("store/real", folder.path() / "link");
  write_file_atomically(folder.path() / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_EQ(content_of(folder.path() / "store" / "real"), "new");
}

TEST(AtomicFile, WritesThroughToADevice) {
  write_file_atomically("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(AtomicFile, WritesThroughALinkToAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const TemporaryFolder folder;
  fs::create_symlink(fmt::format("/proc/self/fd/{}", ends[1]), folder.path() / "out");
  write_file_atomically(folder.path() / "out", "text");
  std::array<char, 8> read{};
  EXPECT_EQ(::read(ends[0], read.data(), read.size()), 4);
  EXPECT_EQ(std::string(read.data()), "text");
  EXPECT_TRUE(fs::is_symlink(folder.path() / "out"));
  for (const int end : ends) ::close(end);
}

TEST(AtomicFile, NamesThePathItCannotWrite) {
  const TemporaryFolder folder;
  try {
    AtomicFile file(folder.path() / "missing" / "a.txt");
    FAIL() << "created a file in a folder that does not exist";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("missing/a.txt"), std::string::npos) << error.what();
  }
  EXPECT_THROW(AtomicFile{folder.path()}, Error);
}

TEST(AtomicDirectory, AppearsWhenCommittedAndReplacesTheOldOne) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "d";
  for (const char* name : {"one", "two"}) {
    AtomicDirectory directory(path / "");  // a trailing slash names the same folder
    write_file_atomically(directory.staging() / name, name);
    EXPECT_FALSE(fs::exists(path / name));
    directory.commit();
    EXPECT_EQ(content_of(path / name), name);
    EXPECT_EQ(entries_in(path), 1);
    EXPECT_EQ(entries_in(folder.path()), 1);
  }
}

TEST(AtomicDirectory, LeavesNothingWhenNotCommitted) {
  const TemporaryFolder folder;
  {
    AtomicDirectory directory(folder.path() / "d");
    write_file_atomically(directory.staging() / "a", "a");
  }
  EXPECT_EQ(entries_in(folder.path()), 0);
}

TEST(AtomicDirectory, IsRemovedWhole) {
  const TemporaryFolder folder;
  AtomicDirectory directory(folder.path() / "d");
  write_file_atomically(directory.staging() / "a", "a");
  directory.commit();
  remove_directory_atomically(folder.path() / "d");
  EXPECT_EQ(entries_in(folder.path()), 0);
}

TEST(TemporaryName, IsToldFromNamesOfUsers) {
  EXPECT_TRUE(is_temporary_name(".step-000010.tmp-12-0"));
  for (const char* name : {"step-000010", ".hidden", "a.tmp-1-0", ".a.tmp-", ".a.tmp-x", ".tmp-1-0", ""})
    EXPECT_FALSE(is_temporary_name(name)) << name;
}

TEST(MappedFile, ShowsTheBytes) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "a", "abc");
  MappedFile file(folder.path() / "a");
  const MappedFile moved = std::move(file);
  ASSERT_EQ(moved.bytes().size(), 3u);
  EXPECT_EQ(moved.bytes()[2], std::byte{'c'});
}

TEST(MappedFile, TakesAnEmptyFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "a", "");
  EXPECT_TRUE(MappedFile(folder.path() / "a").bytes().empty());
}

TEST(MappedFile, RefusesFoldersAndMissingFilesByName) {
  const TemporaryFolder folder;
  EXPECT_THROW(MappedFile{folder.path()}, Error);
  try {
    MappedFile file(folder.path() / "missing");
    FAIL() << "mapped a file that does not exist";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("missing: cannot open: No such file"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace ssd
