#include "storage/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <iterator>

#include "base/error.h"
#include "storage/mapped_file.h"
#include "storage/temporary_name.h"
#include "testing/file_content.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

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

TEST(AtomicFile, ReplacesALinkAndNotWhatItLeadsTo) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "store");
  write_file_atomically(folder.path() / "store" / "real", "old");
  for (const char* to : {"store/real", "store/none", "/dev/null"}) {
    fs::create_symlink(to, folder.path() / "link");
    write_output(folder.path() / "link", "new");
    EXPECT_FALSE(fs::is_symlink(folder.path() / "link"));
    EXPECT_EQ(content_of(folder.path() / "link"), "new");
    EXPECT_EQ(content_of(folder.path() / "store" / "real"), "old");
    EXPECT_FALSE(fs::exists(folder.path() / "store" / "none"));
    fs::remove(folder.path() / "link");
  }
}

TEST(AtomicFile, LeavesOtherNamesOfAFileAsTheyAre) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "real", "old");
  fs::create_hard_link(folder.path() / "real", folder.path() / "link");
  write_file_atomically(folder.path() / "link", "new");
  EXPECT_EQ(content_of(folder.path() / "real"), "old");
}

TEST(AtomicFile, RefusesPipesAndDevices) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(AtomicFile(folder.path() / "pipe"), Error);
  EXPECT_THROW(AtomicFile("/dev/null"), Error);
}

TEST(WriteOutput, WritesThroughToADevice) {
  write_output("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(WriteOutput, WritesThroughTheSystemsLinksToAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  write_output(fmt::format("/dev/fd/{}", ends[1]), "text");
  std::array<char, 8> read{};
  EXPECT_EQ(::read(ends[0], read.data(), read.size()), 4);
  EXPECT_EQ(std::string(read.data()), "text");
  for (const int end : ends) ::close(end);
}

TEST(AtomicFile, NamesThePathItCannotWrite) {
  const TemporaryFolder folder;
  const std::string message = message_of([&] { AtomicFile file(folder.path() / "missing" / "a.txt"); });
  EXPECT_NE(message.find("missing/a.txt"), std::string::npos) << message;
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

TEST(AtomicDirectory, ReplacesALinkAndNotWhatItLeadsTo) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "other");
  write_file_atomically(folder.path() / "other" / "a", "kept");
  fs::create_directory_symlink("other", folder.path() / "d");
  AtomicDirectory directory(folder.path() / "d");
  write_file_atomically(directory.staging() / "a", "new");
  directory.commit();
  EXPECT_FALSE(fs::is_symlink(folder.path() / "d"));
  EXPECT_EQ(content_of(folder.path() / "other" / "a"), "kept");
  EXPECT_EQ(entries_in(folder.path()), 2);
}

TEST(CopyFile, CopiesRegularFilesAlone) {
  const TemporaryFolder folder;
  const std::string content(3 << 20, 'x');
  write_file_atomically(folder.path() / "a", content);
  copy_file_atomically(folder.path() / "a", folder.path() / "b");
  EXPECT_EQ(content_of(folder.path() / "b"), content);
  EXPECT_THROW(copy_file_atomically("/dev/zero", folder.path() / "c"), Error);
  EXPECT_EQ(entries_in(folder.path()), 2);
}

TEST(AtomicDirectory, IsRemovedWhole) {
  const TemporaryFolder folder;
  AtomicDirectory directory(folder.path() / "d");
  write_file_atomically(directory.staging() / "a", "a");
  directory.commit();
  remove_directory_atomically(folder.path() / "d");
  EXPECT_EQ(entries_in(folder.path()), 0);
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
  const std::string message = message_of([&] { MappedFile file(folder.path() / "missing"); });
  EXPECT_NE(message.find("missing: cannot open: No such file"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd
