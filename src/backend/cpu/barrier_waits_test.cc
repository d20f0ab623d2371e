#include "backend/cpu/barrier_waits.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

namespace ssd::cpu {
namespace {

// Clang's OpenMP, which the thread sanitizer's build has, waits in ways of its own.
#ifdef __clang__
constexpr bool is_libgomp = false;
#else
constexpr bool is_libgomp = true;
#endif

double process_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Processor time that one thread takes to wait 20 times 2 ms for another.
double seconds_of_waiting() {
  const double before = process_seconds();
  for (int i = 0; i < 20; ++i) {
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return process_seconds() - before;
}

std::ptrdiff_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

// Threads come and go a moment later than they are asked to.
bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return condition();
}

TEST(Contended, TellsAnIdleMachineFromABusyOne) {
  // With the counts of 12 steps of training, measured beside nothing and a loop
  EXPECT_FALSE(contended(12.28, 352, 2));
  EXPECT_FALSE(contended(12.81, 469, 2));
  EXPECT_TRUE(contended(67.40, 12054, 2));
  EXPECT_TRUE(contended(21.12, 13886, 2));
  EXPECT_FALSE(contended(12.81, 469 * 32, 64));
}

TEST(BarrierWaits, KeepsIdleThreadsOnlyWhileWaitsAreShort) {
  if (!is_libgomp) GTEST_SKIP() << "built with clang's OpenMP, not with libgomp";
  BarrierWaits& waits = BarrierWaits::of_process();
  seconds_of_waiting();
  const auto before = threads_of_process();
  waits.shorten(2);
  ASSERT_TRUE(waits.shortened());
  waits.shorten(2);
  EXPECT_TRUE(comes_true([&] { return threads_of_process() >= before + 2; }));
  waits.restore();
  EXPECT_FALSE(waits.shortened());
  waits.restore();
  EXPECT_TRUE(comes_true([&] { return threads_of_process() == before; }));
}

// In a process whose environment says nothing of how to wait; CTest's does.
TEST(BarrierWaits, TakesLessTimeThanSpinning) {
  if (!is_libgomp) GTEST_SKIP() << "built with clang's OpenMP, not with libgomp";
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) {
    const std::string self = std::filesystem::canonical("/proc/self/exe").string();
    const std::string command = "env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT '" + self +
                                "' --gtest_filter=BarrierWaits.TakesLessTimeThanSpinning";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return;
  }
  if (omp_get_num_procs() < 2) GTEST_SKIP() << "one processor: libgomp does not spin";
  BarrierWaits& waits = BarrierWaits::of_process();
  // Beside other work a thread that spins gets less time than it wants, now and then.
  double spinning = 0, shortened = 1;
  for (int attempt = 0; attempt < 20 && (spinning < 0.01 || shortened > spinning / 4); ++attempt) {
    waits.restore();
    spinning = seconds_of_waiting();
    waits.shorten(2);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the idle threads begin
    shortened = seconds_of_waiting();
  }
  EXPECT_GT(spinning, 0.01);
  EXPECT_LT(shortened, spinning / 4);
  waits.restore();
}

}  // namespace
}  // namespace ssd::cpu
