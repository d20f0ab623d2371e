#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/json_text.h"
#include "base/one_line.h"
#include "base/random.h"
#include "base/tensor.h"
#include "base/text_file.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "testing/message_of.h"
#include "testing/sanitizer.h"

namespace ssd {
namespace {

// Known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 10 rounds): with counter and
// key zero the block is 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
TEST(Random, IsPhilox4x32WithTenRounds) {
  Random random(0, 0, 0);
  EXPECT_EQ(random.next(), 0x6627e8d5u);
  EXPECT_EQ(random.next(), 0xe169c58du);
  EXPECT_EQ(random.next(), 0xbc57ac4cu);
  EXPECT_EQ(random.next(), 0x9b00dbd8u);
}

TEST(Random, StreamsDiffer) {
  std::set<std::uint32_t> seen;
  for (std::uint32_t epoch = 0; epoch < 10; ++epoch)
    for (std::uint64_t sample = 0; sample < 10; ++sample) seen.insert(Random(1, epoch, sample).next());
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Random, UniformHasTheMomentsOfTheUniformDistribution) {
  Random random(3, 1, 4);
  double sum = 0, squares = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / count, 0.5, 0.005);
  EXPECT_NEAR(squares / count, 1.0 / 3, 0.005);
}

TEST(BFloat16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(float_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bf16(1.00390625f), 0x3f80);  // halfway, even below
  EXPECT_EQ(float_to_bf16(1.01171875f), 0x3f82);  // halfway, even above
  EXPECT_EQ(float_to_bf16(INFINITY), 0x7f80);
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(NAN))));
}

TEST(Float16, ReadsNormalAndSubnormalNumbers) {
  EXPECT_EQ(f16_to_float(0x3c00), 1.0f);
  EXPECT_EQ(f16_to_float(0xc000), -2.0f);
  EXPECT_EQ(f16_to_float(0x0001), 0x1p-24f);
  EXPECT_TRUE(std::isinf(f16_to_float(0x7c00)));
}

// Between two neighbours the middle goes to the even one, all else to the nearer one.
TEST(Float16, EveryNumberRoundsToItsNearest) {
  for (std::uint16_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = f16_to_float(bits);
    const float next = bits == 0x7bff ? 65536.0f : f16_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    ASSERT_EQ(float_to_f16(value), bits);
    ASSERT_EQ(float_to_f16(-value), bits | 0x8000);
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 0.0f)), bits) << middle;
    ASSERT_EQ(float_to_f16(middle), bits % 2 == 0 ? bits : bits + 1) << middle;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, INFINITY)), bits + 1) << middle;
  }
  EXPECT_EQ(float_to_f16(1e30f), 0x7c00);
  EXPECT_EQ(float_to_f16(-INFINITY), 0xfc00);
  EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(NAN))));
}

TEST(ThreadPool, ParallelForCallsEveryIndexOnce) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> calls(1000);
  pool.parallel_for(calls.size(), [&](std::size_t i) { ++calls[i]; });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(ThreadPool, ParallelForRethrows) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.parallel_for(100,
                                 [](std::size_t i) {
                                   if (i == 37) throw Error("thirty-seven");
                                 }),
               Error);
}

TEST(Tensor, StartsAtZeroAndClones) {
  Tensor tensor(DType::f32, {2, 3});
  for (const float value : tensor.as<float>()) EXPECT_EQ(value, 0);
  tensor.as<float>()[5] = 7;
  const Tensor copy = tensor.clone();
  EXPECT_EQ(copy.as<float>()[5], 7);
  EXPECT_NE(copy.data(), tensor.data());
  EXPECT_EQ(to_string(copy.shape()), "(2, 3)");
}

TEST(Utf8, TellsWhereATextBreaks) {
  for (const std::string_view whole : {"", "plain", "\u00e9\u20ac", "\xf0\x9f\x90\x88", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(first_invalid_utf8(whole), whole.size()) << whole;
  // A lone continuation, overlong forms, a surrogate, above U+10FFFF, cut off, no continuation.
  for (const std::string_view broken : {"ab\x80", "ab\xc0\xaf", "ab\xe0\x80\x80", "ab\xed\xa0\x80",
                                        "ab\xf4\x90\x80\x80", "ab\xe2\x82", "ab\xe9t"})
    EXPECT_EQ(first_invalid_utf8(broken), 2u) << broken;
}

TEST(Utf8, TakesOtherTextAsLatin1) {
  EXPECT_EQ(to_utf8("\xe9t\xe9"), "\u00e9t\u00e9");
  EXPECT_EQ(to_utf8("\u00e9"), "\u00e9");
}

TEST(Utf8, FindsWhatAJsonTextCannotHold) {
  EXPECT_EQ(json_fault("{\"a\": \"\xff\"}"), 7u);
  EXPECT_EQ(json_fault("{\n\"a\\\"\": \"b\n\"}"), 11u);
  EXPECT_EQ(json_fault("{\"a\": "), 6u);
}

TEST(Utf8, SaysWhereInATextAByteIs) {
  EXPECT_EQ(position_text("a\nb\nc", 3), "byte 3 (line 2)");
  EXPECT_EQ(position_text("a\nb\nc", 5), "byte 5 (line 3, the end)");
  EXPECT_EQ(position_text("", 0), "byte 0 (line 1, the end)");
}

class TextFile : public testing::Test {
 protected:
  TextFile() { std::filesystem::create_directories(folder_); }
  ~TextFile() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / fmt::format("text_file_test-{}", ::getpid());
  // More than is read at once.
  const std::string text_ = std::string(std::size_t{3} << 19, 'x') + "the end";
};

TEST_F(TextFile, IsReadToItsEnd) {
  for (const std::string& text : {text_, std::string()}) {
    std::ofstream(folder_ / "file", std::ios::binary) << text;
    EXPECT_EQ(read_text_file(folder_ / "file"), text);
  }
}

TEST_F(TextFile, MayBeAPipe) {
  const std::filesystem::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << text_; });
  EXPECT_EQ(read_text_file(pipe), text_);
  writer.join();
}

TEST_F(TextFile, OfNoEndOrMoreThanItsBudgetIsRefused) {
  std::ofstream(folder_ / "file", std::ios::binary) << text_;
  std::filesystem::resize_file(folder_ / "file", std::uint64_t{1} << 40);  // sparse
  EXPECT_THROW(read_text_file(folder_ / "file", budget::json), Error);
  for (const char* endless : {"/dev/zero", "/dev/urandom", "/proc/kcore"})
    if (std::filesystem::exists(endless)) {
      EXPECT_THROW(read_text_file(endless), Error) << endless;
    }
  const std::filesystem::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << text_; });
  EXPECT_THROW(read_text_file(pipe, {1 << 20, "a file of this test"}), Error);
  writer.join();
  std::signal(SIGPIPE, before);
  std::ofstream(folder_ / "empty");
  EXPECT_EQ(read_text_file(folder_ / "empty", {0, "an empty file"}), "");
}

constexpr bool has_own_limits = has_address_sanitizer || has_thread_sanitizer;

TEST(ThreadPool, SaysHowManyThreadsThereWere) {
  if (has_own_limits) GTEST_SKIP() << "a sanitizer has limits of its own";
  const pid_t child = ::fork();
  if (child == 0) {  // the limit is for good
    const rlimit little{.rlim_cur = 400u << 20, .rlim_max = 400u << 20};
    ::setrlimit(RLIMIT_AS, &little);
    try {
      const ThreadPool pool(1000);  // stacks of 8 MiB each
    } catch (const Error& error) {
      const std::string text = error.what();
      ::_exit(text.starts_with("threads: the system gave ") && text.find(" of 1000 (") != std::string::npos
                  ? 0
                  : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Tensor, SaysWhatThereIsNoMemoryFor) {
  if (has_own_limits) GTEST_SKIP() << "a sanitizer has limits of its own";
  const std::string message = message_of([&] { const Tensor tensor(DType::f32, {1 << 20, 1 << 20, 64}); });
  EXPECT_EQ(message.find("memory: there are no 268435456.0 MiB for a tensor of "), 0u) << message;
}

TEST_F(TextFile, SaysWhyItCannotBeRead) {
  const auto refusal = [](const std::filesystem::path& file) {
    return message_of([&] { read_text_file(file); });
  };
  EXPECT_EQ(refusal(folder_), folder_.string() + ": got a folder, expected a file");
  EXPECT_EQ(refusal(folder_ / "none"),
            (folder_ / "none").string() +
                ": cannot be read: No such file or directory; check the name and the permissions");
}

TEST(OneLine, LeavesNothingThatSteersATerminal) {
  EXPECT_EQ(printable("a\nb\x1b[2J\x7f"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(printable("caf\u00e9 \u009b2J"), "caf\u00e9 \\x9b2J");
  EXPECT_EQ(printable(std::string(500, 'a')), std::string(500, 'a'));
  EXPECT_EQ(printable("\u202eabc\u2066\u2029\u061c\u200f"), "\\u202eabc\\u2066\\u2029\\u061c\\u200f");
  EXPECT_EQ(printable("\xff\xc3(\xe2\x80"), "\\xff\\xc3(\\xe2\\x80") << "no UTF-8";
  EXPECT_EQ(printable("\u65e5\U0001f600"), "\u65e5\U0001f600");
}

TEST(OneLine, LeavesOutTheMiddleOfLongText) {
  EXPECT_EQ(one_line("short\n"), "short\\x0a");
  EXPECT_EQ(one_line(std::string(longest_line, 'a')), std::string(longest_line, 'a'));
  EXPECT_EQ(one_line(std::string(1000000, 'a'), 10), "aaaaa[... 999990 bytes left out ...]aaaaa");
  std::string umlauts;  // two bytes each, so that both cuts fall into one
  for (int i = 0; i < 10; ++i) umlauts += "\u00e4";
  EXPECT_EQ(one_line(umlauts, 6), "\u00e4[... 14 bytes left out ...]\u00e4\u00e4");
}

TEST(OneLine, MakesControlsInJsonVisibleAndKeepsItsMeaning) {
  EXPECT_EQ(visible_json("{\n \"a\": \"\x7f\u009b\u202e\u00e9\"}"),
            "{\n \"a\": \"\\u007f\\u009b\\u202e\u00e9\"}");
}

}  // namespace
}  // namespace ssd
