// The all_reduce of a graph whose replicas are processes: sums run while the step goes on.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "backend/cpu/schedule.h"
#include "base/communicator.h"
#include "base/trace.h"
#include "graph/graph.h"

namespace ssd::cpu {

// The values go in buckets of some megabytes, in the order in which tasks have made them and read them for
// the last time. A bucket's sum starts after that task; the first task that reads a mean waits for it. Means
// lie where the values lay.
class Exchange {
 public:
  using Address = std::function<std::byte*(graph::Value)>;

  // Throws Error where a task would need a value after its mean has taken its place. The communicator outlives
  // the exchange.
  Exchange(const graph::Graph& graph, const Schedule& schedule, Communicator& communicator,
           std::size_t bucket_bytes);

  // Tells where values lie; before the first step.
  void bind(const Address& address);

  // Whether there was anything to do.
  bool before_task(std::size_t task) { return finish_until(needed_before_[task]); }
  bool after_task(std::size_t task) { return start_after(task); }
  // Before outputs are read and parameters copied.
  void after_all();

  // Adds each sum to a trace from now on, on the track "sums"; null: to none.
  void record(Trace* trace) { trace_ = trace; }

  std::size_t buckets() const { return buckets_.size(); }

 private:
  struct Piece {
    graph::Value value;
    std::size_t count = 0;  // floats
    float* memory = nullptr;
  };
  struct Bucket {
    std::size_t ready_after = 0;  // task
    std::vector<Piece> pieces;
    std::vector<float> sums;
  };

  void fill(const graph::Graph& graph, const Schedule& schedule, std::size_t bucket_bytes);
  void find_readers(const graph::Graph& graph, const Schedule& schedule);
  bool start_after(std::size_t task);
  bool finish_until(std::size_t end);
  void add_to_trace(const Bucket& bucket, SumTimes times);

  Communicator& communicator_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> needed_before_;  // by task: so many buckets
  std::size_t started_ = 0, finished_ = 0;  // of this step
  Trace* trace_ = nullptr;
  Span::Clock::time_point traced_until_{};
};

}  // namespace ssd::cpu
