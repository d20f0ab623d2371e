#include "backend/pjrt/program_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

class ProgramCacheTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string folder_ = testing::TempDir() + "singleshot-program-cache-test-" + std::to_string(::getpid());
};

TEST_F(ProgramCacheTest, DropsWhatWasNotUsedForLongestWhenItIsFull) {
  const std::string program(1000, 'p');
  const ProgramCache cache(folder_, 3500);  // three programs with their keys
  int hours = 10;
  for (const char* key : {"a", "b", "c"}) {
    cache.store(key, program);
    fs::last_write_time(cache.path_of(key), fs::file_time_type::clock::now() - std::chrono::hours(hours--));
  }
  EXPECT_TRUE(cache.find("a").has_value());  // used again
  cache.store("d", program);
  EXPECT_EQ(cache.find("b"), std::nullopt);
  for (const char* key : {"a", "c", "d"}) EXPECT_EQ(cache.find(key), program) << key;
}

TEST_F(ProgramCacheTest, LeavesOtherFilesAlone) {
  const ProgramCache cache(folder_, 10);
  cache.store("a", "too large for this cache");
  EXPECT_EQ(cache.find("a"), std::nullopt);
  fs::create_directory(folder_ + "/notes");
  cache.store("a", "too large for this cache");
  EXPECT_TRUE(fs::exists(folder_ + "/notes"));
}

TEST(ProgramCacheFolder, IsNamedOrSwitchedOffByTheEnvironment) {
  const char* before = std::getenv("SINGLESHOT_CACHE");
  const std::string kept = before == nullptr ? "" : before;
  setenv("SINGLESHOT_CACHE", "/some/folder", 1);
  EXPECT_EQ(ProgramCache::default_folder(), "/some/folder");
  setenv("SINGLESHOT_CACHE", "off", 1);
  EXPECT_EQ(ProgramCache::default_folder(), "");
  EXPECT_EQ(ProgramCache(ProgramCache::default_folder()).find("a"), std::nullopt);
  unsetenv("SINGLESHOT_CACHE");
  EXPECT_NE(ProgramCache::default_folder(), "/some/folder");
  if (!kept.empty()) setenv("SINGLESHOT_CACHE", kept.c_str(), 1);
}

}  // namespace
}  // namespace ssd::pjrt
