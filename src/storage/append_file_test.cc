#include "storage/append_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <string>

#include "base/error.h"
#include "testing/file_content.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

TEST(AppendFile, GoesOnAtTheEnd) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "log";
  AppendFile(path).append("one");
  AppendFile again(path);
  again.append(" two");
  again.flush();
  EXPECT_EQ(content_of(path), "one two");
}

TEST(AppendFile, RefusesLinksPipesAndDevices) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "other") << "kept";
  fs::create_symlink("other", folder.path() / "link");
  fs::create_symlink("none", folder.path() / "dangling");
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  for (const fs::path& path :
       {folder.path() / "link", folder.path() / "dangling", folder.path() / "pipe", fs::path("/dev/null")}) {
    const std::string message = message_of([&] { AppendFile(path).append("spoilt"); });
    EXPECT_NE(message.find("a link, a pipe or a device"), std::string::npos) << path << ": " << message;
  }
  EXPECT_EQ(content_of(folder.path() / "other"), "kept");
  EXPECT_FALSE(fs::exists(folder.path() / "none"));
}

TEST(AppendFile, LeavesNoPartOfAPieceThatHasNoRoom) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "log";
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  AppendFile file(path);
  file.append("whole");
  const rlimit little{.rlim_cur = 8, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  EXPECT_THROW(file.append("too long"), Error);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(content_of(path), "whole");
  file.append(" again");
  EXPECT_EQ(content_of(path), "whole again");
}

}  // namespace
}  // namespace ssd
