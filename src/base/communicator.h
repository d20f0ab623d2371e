// The processes of one run, and what they tell each other.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace ssd {

// Every member is called by all processes of the run, in the same order. Throws Error where one is lost.
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
};

}  // namespace ssd
