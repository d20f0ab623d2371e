// How OpenMP's threads wait for each other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace ssd::cpu {

// Whether others want the processors too, by how often `threads` that computed for `seconds` were sent off
// theirs before they would have given them up. Where a thread has its processor for itself, the system's own
// work interrupts it some 15 times a second; beside one that is as busy, it is 90 to 260 times (2 cores,
// Linux 6.1).
inline bool contended(double seconds, long involuntary_switches, int threads) {
  return static_cast<double>(involuntary_switches) > 45 * seconds * threads;
}

// libgomp's threads spin for milliseconds at a barrier before they sleep. That is fastest where each has a
// processor to itself. Beside others the one that all wait for has lost its processor, perhaps to one of
// those that spin, and a step takes several times as long as with threads that sleep at once. libgomp spins
// for microseconds alone where it manages more threads than there are processors (GOMP_SPINCOUNT in its
// manual): while there is contention, a few more that do nothing are kept for that. Users' OMP_WAIT_POLICY
// and GOMP_SPINCOUNT hold as libgomp takes them. One a process, whose threads libgomp counts together.
class BarrierWaits {
 public:
  static BarrierWaits& of_process();

  // Called between steps by a thread whose parallel regions have `threads`; looks at the contention since the
  // last look, five times a second at most. A system without threads to spare leaves things as they are.
  void adapt(int threads);

  void shorten(int threads);
  void restore();
  bool shortened();

  ~BarrierWaits() { restore(); }

 private:
  BarrierWaits() = default;

  std::mutex mutex_;
  std::chrono::steady_clock::time_point looked_{};
  long switches_ = 0;  // at that time

  std::thread idle_;  // whose OpenMP threads do nothing
  std::mutex idle_mutex_;
  std::condition_variable end_;
  bool ending_ = false;
};

}  // namespace ssd::cpu
