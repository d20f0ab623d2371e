// Notices when another process of the run is lost.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "processes/mpi_link.h"
#include "processes/peer.h"

namespace ssd {

// A thread that also brings on the sums that were started and the values that processes put. Rank 0 watches
// all others, rank 1 rank 0, each by the notices that a process sends every second, those of its own machine
// by their ids as well.
class PeerWatch {
 public:
  struct Options {
    std::function<void(const std::string& line)> on_lost;  // told once, on the watching thread
    std::chrono::milliseconds silence{15'000};             // after which a process is taken for lost
    std::function<bool()> advance;  // what else this thread brings on; whether there is more to do soon
  };
  // The link and the peers outlive it.
  PeerWatch(MpiLink& link, const std::vector<Peer>& peers, Options options);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  void at_step(std::int64_t step) { step_ = step; }
  // There is something to be brought on.
  void wake();
  // Lets all others know that this process is about to end, and why needs no telling.
  void announce_end();

 private:
  using Clock = std::chrono::steady_clock;

  enum class Call { none, wake, stop };
  struct Notice {
    std::int32_t rank = 0;
    std::int32_t ends = 0;  // it is about to end
  };
  struct Incoming {
    Notice notice;
    MpiRequest request = nullptr;
  };
  struct Outgoing {
    int to = 0;  // rank
    Notice notice;
    MpiRequest request = nullptr;
    Clock::time_point sent{};
  };
  struct Watched {
    int rank = 0;
    bool by_id = false;  // its process can be seen
    Clock::time_point heard;
  };

  void run();
  void exchange_notices(Clock::time_point now);
  void look_for_lost(Clock::time_point now);
  void report(int rank, const std::string& why);

  MpiLink& link_;
  const std::vector<Peer>& peers_;
  Options options_;
  std::atomic<std::int64_t> step_{0};
  std::vector<Watched> watched_;
  Incoming incoming_;
  Outgoing outgoing_;
  bool told_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  Call call_ = Call::none;  // at the thread
  std::thread thread_;
};

}  // namespace ssd
