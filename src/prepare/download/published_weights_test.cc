// Published weights: which there are, where they are looked for, what is fetched and believed.
#include "prepare/download/published_weights.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "testing/file_content.h"
#include "testing/http_server.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

// The digest of "abc" is the first example of FIPS 180-2.
constexpr PublishedWeights abc{"abc-v1", "abc-ba7816bf.pth", "http://127.0.0.1:1/models/", "ba7816bf"};

// The environment for one test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class PublishedWeightsTest : public testing::Test {
 protected:
  WeightsSource source(const std::string& url) const {
    WeightsSource result{.base_url = url, .folders = {folder_.path() / "own", folder_.path() / "torch"}};
    result.download.backoff = std::chrono::milliseconds(1);
    return result;
  }
  void put(const char* folder, const std::string& content) const {
    fs::create_directories(folder_.path() / folder);
    std::ofstream(folder_.path() / folder / abc.file) << content;
  }
  std::string refusal(const WeightsSource& from) const {
    return message_of([&] { obtain_weights(abc, from); });
  }
  TemporaryFolder folder_;
};

TEST_F(PublishedWeightsTest, AreFetchedOnceAndThenFound) {
  TestServer server(Files{{"/models/abc-ba7816bf.pth", "abc"}});
  const fs::path file = obtain_weights(abc, source(server.url() + "/models"));
  EXPECT_EQ(file, folder_.path() / "own" / abc.file);
  EXPECT_EQ(content_of(file), "abc");
  const int requests = server.requests();
  EXPECT_EQ(obtain_weights(abc, source(server.url() + "/models/")), file);
  EXPECT_EQ(server.requests(), requests);
}

TEST_F(PublishedWeightsTest, AreFetchedInTwoGoesFromAServerThatDrops) {
  std::string content(300'000, 'x');
  TestServer server(Files{{"/abc-ba7816bf.pth", content}}, {.drop_after = 100'000, .drops = 100});
  PublishedWeights unchecked = abc;
  unchecked.sha256 = "";
  WeightsSource from = source(server.url());
  from.download.attempts = 1;
  EXPECT_THROW(obtain_weights(unchecked, from), Error);
  server.set_habits({});
  EXPECT_EQ(content_of(obtain_weights(unchecked, from)), content);
  EXPECT_LT(server.body_bytes(), 2 * content.size());  // what the first go got was not asked for again
}

TEST_F(PublishedWeightsTest, OfTorchsOwnCacheAreTaken) {
  put("torch", "abc");
  EXPECT_EQ(obtain_weights(abc, source("http://127.0.0.1:1")), folder_.path() / "torch" / abc.file);
}

TEST_F(PublishedWeightsTest, WithAnotherChecksumAreRefused) {
  TestServer server(Files{{"/abc-ba7816bf.pth", "abd"}});
  EXPECT_NE(refusal(source(server.url())).find("expected ba7816bf"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_.path() / "own" / abc.file));
  put("torch", "abd");
  const std::string message = refusal(source(server.url()));
  EXPECT_NE(message.find("begins with ba7816bf; remove the file"), std::string::npos) << message;
}

TEST_F(PublishedWeightsTest, WithoutANetworkNameTheAddressAndThePlace) {
  const auto start = std::chrono::steady_clock::now();
  const std::string message = refusal(source(""));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_NE(message.find("http://127.0.0.1:1/models/abc-ba7816bf.pth"), std::string::npos) << message;
  EXPECT_NE(message.find((folder_.path() / "own" / abc.file).string()), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(PublishedWeightsNames, AreUniqueAndCarryTheirChecksum) {
  std::set<std::string_view> names, files;
  for (const PublishedWeights& one : all_published_weights()) {
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
    EXPECT_TRUE(files.insert(one.file).second) << one.file;
    EXPECT_NE(one.file.find(one.sha256), std::string_view::npos) << one.name;
    EXPECT_EQ(published_weights(one.name).file, one.file);
  }
  EXPECT_EQ(published_weights("resnet50").name, "resnet50-v2");
  EXPECT_EQ(published_weights("resnet34").name, "resnet34-v1");
  for (const char* wrong : {"", "resnet", "resnet5", "resnet50-v3", "vgg16"})
    EXPECT_THROW(published_weights(wrong), Error) << wrong;
}

TEST(PublishedWeightsFolders, FollowTheEnvironment) {
  const Variable home("HOME", "/h"), cache("XDG_CACHE_HOME", ""), torch("TORCH_HOME", "");
  using Folders = std::vector<fs::path>;
  EXPECT_EQ(weights_folders(), (Folders{"/h/.cache/singleshot/weights", "/h/.cache/torch/hub/checkpoints"}));
  const Variable other_cache("XDG_CACHE_HOME", "/c");
  EXPECT_EQ(weights_folders(), (Folders{"/c/singleshot/weights", "/c/torch/hub/checkpoints"}));
  const Variable other_torch("TORCH_HOME", "/t");
  EXPECT_EQ(weights_folders(), (Folders{"/c/singleshot/weights", "/t/hub/checkpoints"}));
  const Variable no_home("HOME", ""), no_cache("XDG_CACHE_HOME", "");
  EXPECT_THROW(weights_folders(), Error);
}

}  // namespace
}  // namespace ssd
