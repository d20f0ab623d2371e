// MPI between threads: one call at a time, and nothing that waits within one.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>

#include "base/communicator.h"
#include "processes/mpi_functions.h"

namespace ssd {

class MpiLink {
 public:
  // Begins MPI. Throws Error where that fails.
  explicit MpiLink(const MpiFunctions& functions);

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Runs begin(functions) and waits for its request. Throws Error where it fails. Meanwhile other threads may
  // use the link.
  using Begin = std::function<MpiRequest(const MpiFunctions&)>;
  void finish(const Begin& begin);

  // Bytes of any number, in parts that MPI can count.
  void send(const std::string& bytes, int to);
  std::string receive(int from);
  void broadcast(std::string& bytes);

  void start_sum(std::span<float> values);
  SumTimes finish_sum();
  // Brings the sums on that were started. Whether there are any.
  bool advance_sums();

  // Runs use(functions) alone.
  template <typename Use>
  decltype(auto) alone(const Use& use) {
    const std::lock_guard lock(mutex_);
    return use(functions_);
  }

 private:
  bool is_over(MpiRequest request);
  void wait_for(const std::function<bool()>& is_over);

  struct Sum {
    MpiRequest request = nullptr;
    bool is_over = false;
    bool failed = false;
    SumTimes times;
  };

  const MpiFunctions& functions_;
  int rank_ = 0, size_ = 1;
  std::mutex mutex_;  // of all calls, and of:
  std::deque<Sum> sums_;
};

}  // namespace ssd
