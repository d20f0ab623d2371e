// Threads that stand for the processes of a run.
#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/communicator.h"

namespace ssd {

// What `size` threads share; each talks through a ThreadCommunicator of its own.
class ThreadGroup {
 public:
  explicit ThreadGroup(int size) : bytes_(static_cast<std::size_t>(size)), barrier_(size) {}

  // Runs `body` in as many threads, each with its communicator, and waits for them.
  void run(const std::function<void(Communicator&)>& body);

  // Everyone's bytes by rank.
  std::vector<std::string> exchange(int rank, const std::string& mine) {
    bytes_[static_cast<std::size_t>(rank)] = mine;
    barrier_.arrive_and_wait();
    std::vector<std::string> all = bytes_;
    barrier_.arrive_and_wait();
    return all;
  }
  int size() const { return static_cast<int>(bytes_.size()); }

 private:
  std::vector<std::string> bytes_;
  std::barrier<> barrier_;
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(ThreadGroup& group, int rank) : group_(group), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_.size(); }
  void all_reduce(std::span<double> values) override {
    const std::string mine(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    std::ranges::fill(values, 0.0);
    for (const std::string& part : group_.exchange(rank_, mine))
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] += reinterpret_cast<const double*>(part.data())[i];
  }
  std::vector<std::string> gather(const std::string& bytes) override {
    std::vector<std::string> all = group_.exchange(rank_, bytes);
    if (rank_ != 0) all.clear();
    return all;
  }
  std::string broadcast(const std::string& bytes) override { return group_.exchange(rank_, bytes).front(); }
  std::vector<double> gather_in_group(std::span<const double> values, int group) override {
    const std::string mine(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    const std::vector<std::string> all = group_.exchange(rank_, mine);
    std::vector<double> of_group;
    for (int rank = rank_ / group * group, end = rank + group; rank < end; ++rank) {
      const auto* part = reinterpret_cast<const double*>(all[static_cast<std::size_t>(rank)].data());
      of_group.insert(of_group.end(), part, part + values.size());
    }
    return of_group;
  }
  // At once: whoever starts a sum waits for the others.
  void start_sum(std::span<float> values) override {
    const std::string mine(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    std::ranges::fill(values, 0.0F);
    for (const std::string& part : group_.exchange(rank_, mine))
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] += reinterpret_cast<const float*>(part.data())[i];
  }
  SumTimes finish_sum() override { return {}; }

 private:
  ThreadGroup& group_;
  int rank_;
};

inline void ThreadGroup::run(const std::function<void(Communicator&)>& body) {
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size(); ++rank)
    threads.emplace_back([this, rank, &body] {
      ThreadCommunicator communicator(*this, rank);
      body(communicator);
    });
}

}  // namespace ssd
