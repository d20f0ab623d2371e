#include "storage/mapping_guard.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/mapped_file.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t file_bytes = std::size_t{1} << 16;

fs::path made_file(const TemporaryFolder& folder, const std::string& name = "file") {
  std::ofstream(folder.path() / name, std::ios::binary) << std::string(file_bytes, 'x');
  return folder.path() / name;
}

std::size_t xs_in(const MappedFile& file) {
  std::size_t count = 0;
  for (const std::byte byte : file.bytes()) count += byte == std::byte{'x'};
  return count;
}

TEST(MappingGuard, PagesOfAFileThatWasCutReadAsZerosAndAreTold) {
  const TemporaryFolder folder;
  const fs::path path = made_file(folder);
  const MappedFile file(path), whole(made_file(folder, "whole"));
  EXPECT_EQ(xs_in(file), file_bytes);
  EXPECT_NO_THROW(file.check_unchanged());
  fs::resize_file(path, 4096);
  EXPECT_EQ(xs_in(file), 4096u);
  EXPECT_THROW(file.check_unchanged(), Error);
  fs::resize_file(path, file_bytes);  // its pages are gone all the same
  EXPECT_THROW(file.check_unchanged(), Error);
  EXPECT_EQ(xs_in(whole), file_bytes);
  EXPECT_NO_THROW(whole.check_unchanged());
}

TEST(MappingGuard, ToldOfFilesThatAreWrittenTo) {
  const TemporaryFolder folder;
  const fs::path path = made_file(folder);
  const MappedFile file(path);
  ::usleep(20000);  // more than a tick of the clock
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << "other";
  EXPECT_THROW(file.check_unchanged(), Error);
}

TEST(MappingGuard, AFileThatIsReplacedStaysAsItWas) {
  const TemporaryFolder folder;
  const fs::path path = made_file(folder);
  const MappedFile file(path);
  fs::rename(made_file(folder, "other"), path);
  EXPECT_NO_THROW(file.check_unchanged());
}

TEST(MappingGuard, MovesWithItsFile) {
  const TemporaryFolder folder;
  const fs::path path = made_file(folder);
  MappedFile file(path);
  MappedFile moved = std::move(file);
  MappedFile other(made_file(folder, "other"));
  other = std::move(moved);
  fs::resize_file(path, 0);
  EXPECT_EQ(xs_in(other), 0u);
  EXPECT_THROW(other.check_unchanged(), Error);
}

TEST(MappingGuard, OtherSignalsEndTheProgramAsBefore) {
  const TemporaryFolder folder;
  const MappedFile file(made_file(folder));  // the handler stands
  const pid_t child = ::fork();
  if (child == 0) ::raise(SIGBUS), ::_exit(0);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0) << "no signal, no report of a sanitizer";
}

TEST(MappingGuard, ThereMayBeMoreFilesThanGuards) {
  const TemporaryFolder folder;
  const fs::path path = made_file(folder);
  std::vector<MappedFile> files;
  for (int i = 0; i < 400; ++i) files.emplace_back(path);
  EXPECT_EQ(xs_in(files.back()), file_bytes);
}

}  // namespace
}  // namespace ssd
