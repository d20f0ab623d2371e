// The processes of one run, and what they tell each other.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ssd {

// When a sum began and was over, by the clock of traces.
struct SumTimes {
  std::chrono::steady_clock::time_point begin{}, end{};
};

// Every member but rank(), size(), is_first() and at_step() is called by all processes of the run, in the same
// order. Throws Error where one is lost.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;  // 0 .. size() - 1; rank 0 writes files and talks to people
  virtual int size() const = 0;

  // Each value becomes the sum over all processes, added in the order of their ranks.
  virtual void all_reduce(std::span<double> values) = 0;
  // The bytes of every process by rank; empty but on rank 0.
  virtual std::vector<std::string> gather(const std::string& bytes) = 0;
  // Rank 0's bytes.
  virtual std::string broadcast(const std::string& bytes) = 0;

  // The values of each process of this one's group, as many from each, by rank. Groups are consecutive ranks,
  // `group` of them (a divisor of size()).
  virtual std::vector<double> gather_in_group(std::span<const double> values, int group) = 0;
  // Starts to replace each value by the sum over all processes, while the caller goes on. The values must stay
  // where they are, untouched, until finish_sum() was called. All processes get the same bits, and get them
  // again in a run of as many.
  virtual void start_sum(std::span<float> values) = 0;
  // Waits for the oldest sum that was started.
  virtual SumTimes finish_sum() = 0;

  // Where the run stands, for what is said of a process that is lost.
  virtual void at_step(std::int64_t /*step*/) {}

  bool is_first() const { return rank() == 0; }
};

// A process that is alone.
class SingleProcess : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(std::span<double>) override {}
  std::vector<std::string> gather(const std::string& bytes) override { return {bytes}; }
  std::string broadcast(const std::string& bytes) override { return bytes; }
  std::vector<double> gather_in_group(std::span<const double> values, int /*group*/) override {
    return {values.begin(), values.end()};
  }
  void start_sum(std::span<float>) override {}
  SumTimes finish_sum() override { return {}; }
};

}  // namespace ssd
