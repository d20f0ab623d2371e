#include "backend/cpu/barrier_waits.h"

#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <vector>

namespace ssd::cpu {
namespace {

constexpr double seconds_between_looks = 0.2;

// Of this thread's OpenMP threads together, since they began.
long involuntary_switches(int threads) {
  long sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    rusage usage{};
    if (::getrusage(RUSAGE_THREAD, &usage) == 0) sum += usage.ru_nivcsw;
  }
  return sum;
}

// libgomp ends the process where it gets no thread: whether the system has so many more is tried first.
bool system_gives(int threads) {
  std::vector<std::thread> tried;
  try {
    while (static_cast<int>(tried.size()) < threads) tried.emplace_back([] {});
  } catch (const std::system_error&) {
  }
  for (std::thread& thread : tried) thread.join();
  return static_cast<int>(tried.size()) == threads;
}

}  // namespace

BarrierWaits& BarrierWaits::of_process() {
  static BarrierWaits waits;
  return waits;
}

void BarrierWaits::adapt(int threads) {
  if (threads < 2) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // another looks
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - looked_).count();
  if (seconds < seconds_between_looks) return;
  const long switches = involuntary_switches(threads);
  // Other threads' counts, or a long rest, say nothing.
  if (switches >= switches_ && seconds < 60) {
    if (contended(seconds, switches - switches_, threads))
      shorten(threads);
    else
      restore();
  }
  switches_ = switches;
  looked_ = now;
}

bool BarrierWaits::shortened() { return idle_.joinable(); }

void BarrierWaits::shorten(int threads) {
  if (shortened()) return;
  // libgomp counts the first thread, and of every team all but the one that made it.
  const int wanted = std::max(2, omp_get_num_procs() - threads + 2);
  if (!system_gives(wanted + 1)) return;
  ending_ = false;
  try {
    idle_ = std::thread([this, wanted] {
      std::atomic<int> here = 0;  // without work the compiler leaves the region out
#pragma omp parallel num_threads(wanted)
      ++here;
      std::unique_lock lock(idle_mutex_);
      end_.wait(lock, [this] { return ending_; });
    });
  } catch (const std::system_error&) {  // then they spin
  }
}

void BarrierWaits::restore() {
  if (!shortened()) return;
  {
    const std::scoped_lock lock(idle_mutex_);
    ending_ = true;
  }
  end_.notify_all();
  idle_.join();
}

}  // namespace ssd::cpu
