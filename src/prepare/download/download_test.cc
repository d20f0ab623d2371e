#include "prepare/download/download.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "prepare/download/download_coco.h"
#include "prepare/download/download_zip.h"
#include "testing/file_content.h"
#include "testing/http_server.h"
#include "testing/message_of.h"
#include "testing/sanitizer.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using Habits = TestServer::Habits;
using Files = std::map<std::string, std::string>;

class DownloadTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("ssd_download_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

std::string noise(std::size_t bytes, std::uint64_t seed) {
  Random random(seed, 0, 0);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random.next() & 0xff);
  return text;
}

// Pauses short enough for a test, segments small enough for several in a small file.
DownloadOptions quick() {
  return {
      .connections = 3, .attempts = 4, .backoff = std::chrono::milliseconds(1), .segment_bytes = 64 << 10};
}

struct ZipMember {
  std::string name;
  std::string content;
  bool link = false;
};

std::string make_zip(const fs::path& file, const std::vector<ZipMember>& members) {
  zip_t* archive = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const ZipMember& member : members) {
    zip_source_t* source = zip_source_buffer(archive, member.content.data(), member.content.size(), 0);
    const auto index = zip_file_add(archive, member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    const zip_uint32_t mode = member.link ? 0120777u : 0100644u;
    zip_file_set_external_attributes(archive, static_cast<zip_uint64_t>(index), 0, ZIP_OPSYS_UNIX,
                                     mode << 16);
  }
  zip_close(archive);
  return content_of(file);
}

TEST_F(DownloadTest, FetchesSeveralFilesAtOnce) {
  const std::string a = noise(700'000, 1), b = noise(300'001, 2);
  TestServer server({{"/a", a}, {"/b", b}});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "x" / "a", a.size(), ""},
                                        {server.url() + "/b", folder_ / "b", 0, ""}};
  std::uint64_t last = 0;
  const auto summary = download_files(items, quick(), [&](const DownloadProgress& progress) {
    EXPECT_LE(progress.done, progress.total);
    if (progress.file == "a") last = std::max(last, progress.done);
    return true;
  });
  EXPECT_EQ(content_of(folder_ / "x" / "a"), a);
  EXPECT_EQ(content_of(folder_ / "b"), b);
  EXPECT_EQ(summary.files_fetched, 2u);
  EXPECT_EQ(summary.bytes_fetched, a.size() + b.size());
  EXPECT_EQ(last, a.size());
  EXPECT_FALSE(fs::exists(folder_ / "b.part"));
  EXPECT_FALSE(fs::exists(folder_ / "b.part.json"));
  EXPECT_GE(server.requests(), 2 + 11 + 5);  // probes and segments
}

TEST_F(DownloadTest, GoesOnWhereAConnectionBroke) {
  const std::string a = noise(1'000'000, 3);
  TestServer server({{"/a", a}}, Habits{.drop_after = 50'000, .drops = 7});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  const auto summary = download_files(items, quick());
  EXPECT_EQ(content_of(folder_ / "a"), a);
  EXPECT_EQ(server.dropped(), 7);
  EXPECT_EQ(summary.bytes_fetched, a.size());  // nothing twice
}

TEST_F(DownloadTest, StartsOverWhereTheServerKnowsNoRanges) {
  const std::string a = noise(400'000, 4);
  TestServer server({{"/a", a}}, Habits{.ranges = false, .drop_after = 100'000, .drops = 2});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", a.size(), ""}};
  download_files(items, quick());
  EXPECT_EQ(content_of(folder_ / "a"), a);
  EXPECT_EQ(server.dropped(), 2);
}

TEST_F(DownloadTest, ASecondRunFetchesOnlyWhatIsMissing) {
  const std::string a = noise(1'000'000, 5);
  TestServer server({{"/a", a}});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  DownloadOptions options = quick();
  options.connections = 1;
  std::uint64_t seen = 0;
  const auto stop_half_way = [&](const DownloadProgress& progress) {
    seen = progress.done;
    return progress.done < 500'000;
  };
  const std::string message = message_of([&] { download_files(items, options, stop_half_way); });
  EXPECT_NE(message.find("stopped; run again"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  ASSERT_TRUE(fs::exists(folder_ / "a.part.json"));
  EXPECT_LT(seen, a.size());

  const auto summary = download_files(items, options);
  EXPECT_EQ(content_of(folder_ / "a"), a);
  EXPECT_GE(summary.bytes_resumed, 500'000u - (64u << 10));
  EXPECT_EQ(summary.bytes_resumed + summary.bytes_fetched, a.size());

  const int requests = server.requests();
  EXPECT_EQ(download_files(items, options).files_present, 1u);
  EXPECT_EQ(server.requests(), requests);
}

TEST_F(DownloadTest, AKilledProcessLeavesWhatItHadForTheNext) {
  if (has_thread_sanitizer) GTEST_SKIP() << "the thread sanitizer does not follow a fork";
  const std::string a = noise(1'000'000, 12);
  const auto items_at = [&](const std::string& server) {
    return std::vector<DownloadItem>{{server + "/a", folder_ / "a", 0, ""}};
  };
  // Before the server has threads: one of them might hold a lock of the allocator's, for ever in the child.
  std::array<int, 2> address{};
  ASSERT_EQ(pipe(address.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::array<char, 64> url{};
    if (read(address[0], url.data(), url.size() - 1) > 0)
      download_files(items_at(url.data()), quick(), [](const DownloadProgress& progress) {
        if (progress.done >= 500'000) raise(SIGKILL);
        return true;
      });
    _exit(0);
  }
  TestServer server(Files{{"/a", a}});
  const std::string url = server.url();
  ASSERT_EQ(write(address[1], url.data(), url.size()), static_cast<ssize_t>(url.size()));
  for (const int end : address) close(end);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  const auto summary = download_files(items_at(url), quick());
  EXPECT_EQ(content_of(folder_ / "a"), a);
  EXPECT_GE(summary.bytes_resumed, 64u << 10);  // at least the first segment was noted
  EXPECT_EQ(summary.bytes_resumed + summary.bytes_fetched, a.size());
}

TEST_F(DownloadTest, AFileThatChangedOnTheServerIsFetchedAfresh) {
  const std::string old_content = noise(500'000, 6), new_content = noise(500'000, 7);
  TestServer server({{"/a", old_content}});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  DownloadOptions options = quick();
  options.connections = 1;
  const auto change_half_way = [&](const DownloadProgress& progress) {
    if (progress.done >= 250'000) {
      server.set_file("/a", new_content);
      server.set_habits({.etag = "\"two\""});
    }
    return true;
  };
  const std::string message = message_of([&] { download_files(items, options, change_half_way); });
  EXPECT_NE(message.find("changed on the server"), std::string::npos) << message;
  EXPECT_EQ(download_files(items, options).bytes_resumed, 0u);
  EXPECT_EQ(content_of(folder_ / "a"), new_content);
}

TEST_F(DownloadTest, WaitsForABusyServerButNotForEver) {
  const std::string a = noise(10'000, 8);
  TestServer server({{"/a", a}}, Habits{.busy = 3});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  DownloadOptions told = quick();
  std::string reasons;
  told.on_retry = [&](const std::string& reason, int) { reasons += reason + "\n"; };
  download_files(items, told);
  EXPECT_EQ(content_of(folder_ / "a"), a);
  EXPECT_EQ(std::ranges::count(reasons, '\n'), 3) << reasons;

  fs::remove(folder_ / "a");
  server.set_habits({.busy = 1000});
  const std::string message = message_of([&] { download_files(items, quick()); });
  EXPECT_NE(message.find("503"), std::string::npos) << message;
  EXPECT_NE(message.find("4 attempts"), std::string::npos) << message;
}

TEST_F(DownloadTest, RefusalsNameTheAddress) {
  TestServer server(Files{{"/a", "12345"}});
  const auto fetch = [&](const DownloadItem& item) {
    return message_of([&] { download_files({&item, 1}, quick()); });
  };
  EXPECT_NE(fetch({server.url() + "/b", folder_ / "b", 0, ""}).find("/b: got HTTP status 404"),
            std::string::npos);
  EXPECT_NE(fetch({server.url() + "/a", folder_ / "a", 6, ""}).find("got 5 bytes on the server, expected 6"),
            std::string::npos);
  EXPECT_NE(fetch({"file:///etc/passwd", folder_ / "a", 0, ""}).find("check the address"), std::string::npos);
  const int requests = server.requests();
  EXPECT_EQ(requests, 2);  // neither was tried again
}

TEST_F(DownloadTest, RefusesAnEmptyFile) {
  TestServer server({{"/a", ""}}, Habits{.ranges = false});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  const std::string message = message_of([&] { download_files(items, quick()); });
  EXPECT_NE(message.find("empty file"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "a"));
}

TEST_F(DownloadTest, ANoteWithSegmentsOfNoSizeIsNotBelieved) {
  const std::string a = noise(10'000, 13);
  TestServer server(Files{{"/a", a}});
  std::ofstream(folder_ / "a.part") << std::string(a.size(), 'x');
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""}};
  for (const char* segment_bytes : {"0.5", "18446744073709551615"}) {
    std::ofstream(folder_ / "a.part.json") << fmt::format(
        R"({{"bytes": 10000, "etag": "\"one\"", "segment_bytes": {}, "done": ""}})", segment_bytes);
    EXPECT_EQ(download_files(items, quick()).bytes_fetched, a.size()) << segment_bytes;
    EXPECT_EQ(content_of(folder_ / "a"), a) << segment_bytes;
    fs::rename(folder_ / "a", folder_ / "a.part");
    fs::resize_file(folder_ / "a.part", a.size());
  }
}

// Each file alone would fit.
TEST_F(DownloadTest, RoomIsNeededForAllFilesTogether) {
  TestServer server({{"/a", "12345"}, {"/b", "12345"}});
  const std::uint64_t most_of_it = fs::space(folder_).available / 5 * 3;
  server.set_habits({.stated_total = most_of_it});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", 0, ""},
                                        {server.url() + "/b", folder_ / "b", 0, ""}};
  const std::string message = message_of([&] { download_files(items, quick()); });
  EXPECT_NE(message.find("free disk space"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "a.part"));
}

// One may open the part file that the other is about to give its name.
TEST_F(DownloadTest, AFinishedFileIsNotCutByAnotherThatFetchesIt) {
  const std::string a = noise(1'000, 14);
  TestServer server(Files{{"/a", a}});
  const std::vector<DownloadItem> items{{server.url() + "/a", folder_ / "a", a.size(), ""}};
  for (int round = 0; round < 200; ++round) {
    fs::remove(folder_ / "a");
    const auto fetch = [&] { message_of([&] { download_files(items, quick()); }); };
    std::thread other(fetch);
    fetch();
    other.join();
    ASSERT_EQ(content_of(folder_ / "a"), a) << "round " << round;
  }
}

TEST_F(DownloadTest, ChecksTheSha256) {
  TestServer server(Files{{"/a", "abc"}});
  // The digest of "abc" is the first example of FIPS 180-2.
  const std::string digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const std::vector<DownloadItem> good{{server.url() + "/a", folder_ / "a", 3, digest}};
  EXPECT_EQ(download_files(good, quick()).files_fetched, 1u);
  const std::vector<DownloadItem> bad{{server.url() + "/a", folder_ / "b", 3, std::string(64, '0')}};
  const std::string message = message_of([&] { download_files(bad, quick()); });
  EXPECT_NE(message.find("got SHA-256 " + digest), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "b"));
  EXPECT_FALSE(fs::exists(folder_ / "b.part"));
}

TEST_F(DownloadTest, UnpacksAndLeavesWhatIsThere) {
  const fs::path archive = folder_ / "a.zip";
  make_zip(archive, {{"one/1.txt", "first"}, {"one/2.txt", noise(3'000'000, 9)}, {"skipped.txt", "no"}});
  const UnzipOptions options{.threads = 2,
                             .keep = [](const std::string& name) { return name != "skipped.txt"; }};
  std::uint64_t last = 0;
  const auto count = unzip(archive, folder_ / "out", options, [&](const DownloadProgress& progress) {
    last = progress.done;
    return progress.total == 2;
  });
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(last, 2u);
  EXPECT_EQ(content_of(folder_ / "out/one/1.txt"), "first");
  EXPECT_EQ(content_of(folder_ / "out/one/2.txt"), noise(3'000'000, 9));
  EXPECT_FALSE(fs::exists(folder_ / "out/skipped.txt"));
  const auto written = fs::last_write_time(folder_ / "out/one/2.txt");
  fs::resize_file(folder_ / "out/one/1.txt", 2);
  unzip(archive, folder_ / "out", options);
  EXPECT_EQ(content_of(folder_ / "out/one/1.txt"), "first");
  EXPECT_EQ(fs::last_write_time(folder_ / "out/one/2.txt"), written);
}

TEST_F(DownloadTest, RefusesArchivesThatLeadOutOfTheFolder) {
  const fs::path archive = folder_ / "a.zip";
  const std::vector<ZipMember> hostile{{"../escaped.txt", "x"},
                                       {"/tmp/escaped.txt", "x"},
                                       {"a/../../escaped.txt", "x"},
                                       {"link", "/etc", true}};
  for (const ZipMember& member : hostile) {
    make_zip(archive, {{"fine.txt", "x"}, member});
    const std::string message = message_of([&] { unzip(archive, folder_ / "out"); });
    EXPECT_NE(message.find("do not trust"), std::string::npos) << member.name << ": " << message;
    EXPECT_FALSE(fs::exists(folder_ / "out/fine.txt"));
  }
  EXPECT_FALSE(fs::exists(folder_ / "escaped.txt"));
}

TEST_F(DownloadTest, RefusesABrokenArchive) {
  const fs::path archive = folder_ / "a.zip";
  std::string bytes = make_zip(archive, {{"a.bin", noise(10'000, 10)}});
  bytes[5'000] = static_cast<char>(bytes[5'000] ^ 1);  // noise is stored as it is: only the CRC can tell
  std::ofstream(archive, std::ios::binary) << bytes;
  const std::string message = message_of([&] { unzip(archive, folder_ / "out"); });
  EXPECT_NE(message.find("CRC"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "out/a.bin"));
  EXPECT_FALSE(fs::exists(folder_ / "out/a.bin.part"));
  std::ofstream(archive, std::ios::binary) << "not a zip";
  EXPECT_NE(message_of([&] { unzip(archive, folder_ / "out"); }).find("zip archive"), std::string::npos);
}

TEST_F(DownloadTest, MakesACocoFolderFromADroppingServer) {
  const std::string image = noise(200'000, 11);
  TestServer server({{"/annotations/annotations_trainval2017.zip",
                      make_zip(folder_ / "1.zip", {{"annotations/instances_val2017.json", "{}"},
                                                   {"annotations/instances_train2017.json", "{}"},
                                                   {"annotations/captions_val2017.json", "{}"}})},
                     {"/zips/val2017.zip", make_zip(folder_ / "2.zip", {{"val2017/1.jpg", image}})},
                     {"/zips/train2017.zip",
                      make_zip(folder_ / "3.zip", {{"train2017/2.jpg", image}, {"train2017/3.jpg", "3"}})}},
                    Habits{.drop_after = 30'000, .drops = 5});
  const CocoDownloadOptions options{.base_url = server.url() + "/", .download = quick()};
  const fs::path coco = folder_ / "coco";
  const auto first = download_coco2017(coco, options);
  EXPECT_EQ(server.dropped(), 5);
  EXPECT_EQ(first.download.files_fetched, 3u);
  EXPECT_EQ(first.files_unpacked, 5u);
  EXPECT_EQ(content_of(coco / "val2017/1.jpg"), image);
  EXPECT_EQ(content_of(coco / "train2017/2.jpg"), image);
  EXPECT_TRUE(fs::exists(coco / "annotations/instances_train2017.json"));
  EXPECT_FALSE(fs::exists(coco / "annotations/captions_val2017.json"));
  EXPECT_FALSE(fs::exists(coco / "train2017.zip"));

  const int requests = server.requests();
  EXPECT_EQ(download_coco2017(coco, options).archives_done_before, 3u);
  EXPECT_EQ(server.requests(), requests);

  fs::remove_all(coco / "val2017");  // a marker alone does not count
  EXPECT_EQ(download_coco2017(coco, options).archives_done_before, 2u);
  EXPECT_EQ(content_of(coco / "val2017/1.jpg"), image);
}

TEST_F(DownloadTest, FetchesOneSplitOfCoco) {
  TestServer server({{"/annotations/annotations_trainval2017.zip",
                      make_zip(folder_ / "1.zip", {{"annotations/instances_val2017.json", "{}"}})},
                     {"/zips/val2017.zip", make_zip(folder_ / "2.zip", {{"val2017/1.jpg", "1"}})}});
  CocoDownloadOptions options{.base_url = server.url(), .splits = {"val2017"}, .download = quick()};
  download_coco2017(folder_ / "coco", options);
  EXPECT_TRUE(fs::exists(folder_ / "coco/val2017/1.jpg"));
  options.splits = {"test2017"};
  EXPECT_THROW(download_coco2017(folder_ / "coco", options), Error);
}

}  // namespace
}  // namespace ssd
