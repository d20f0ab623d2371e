#include "backend/cpu/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"

namespace ssd::cpu {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Value;

bool is_mean(const Graph& graph, Value value) {
  return graph.nodes()[value.node].kind == Kind::all_reduce;
}

// For each value that a task makes or reads as it is, the last of these tasks.
std::map<Value, std::size_t> last_uses(const Graph& graph, const Schedule& schedule) {
  std::map<Value, std::size_t> last;
  for (std::size_t t = 0; t < schedule.tasks.size(); ++t) {
    const Task& task = schedule.tasks[t];
    for (const Value input : task.unresolved_inputs)
      if (!is_mean(graph, input)) last[input] = t;
    for (int o = 0; o < static_cast<int>(task.output_layouts.size()); ++o) last[{task.id, o}] = t;
  }
  return last;
}

}  // namespace

Exchange::Exchange(const Graph& graph, const Schedule& schedule, Communicator& communicator,
                   std::size_t bucket_bytes)
    : communicator_(communicator), needed_before_(schedule.tasks.size(), 0) {
  fill(graph, schedule, bucket_bytes);
  find_readers(graph, schedule);
}

void Exchange::fill(const Graph& graph, const Schedule& schedule, std::size_t bucket_bytes) {
  const std::map<Value, std::size_t> last = last_uses(graph, schedule);
  std::vector<Value> values;
  for (const Node& node : graph.nodes())
    if (node.kind == Kind::all_reduce) values.insert(values.end(), node.inputs.begin(), node.inputs.end());
  std::ranges::stable_sort(values, {}, [&](Value value) { return last.at(value); });
  std::size_t bytes = bucket_bytes;  // of the last bucket: full
  for (const Value value : values) {
    if (bytes >= bucket_bytes) {
      buckets_.emplace_back();
      bytes = 0;
    }
    Bucket& bucket = buckets_.back();
    const std::size_t size = schedule.layouts[value.node][value.output].bytes();
    bucket.pieces.push_back({.value = value, .count = size / sizeof(float)});
    bucket.sums.resize(bucket.sums.size() + size / sizeof(float));
    bucket.ready_after = last.at(value);
    bytes += size;
  }
}

void Exchange::find_readers(const Graph& graph, const Schedule& schedule) {
  std::map<Value, std::size_t> bucket_of;
  for (std::size_t b = 0; b < buckets_.size(); ++b)
    for (const Piece& piece : buckets_[b].pieces) bucket_of[piece.value] = b;
  for (std::size_t t = 0; t < schedule.tasks.size(); ++t)
    for (const Value input : schedule.tasks[t].unresolved_inputs) {
      if (!is_mean(graph, input)) continue;
      const std::size_t bucket = bucket_of.at(schedule.resolve(graph, input));
      if (buckets_[bucket].ready_after >= t)
        throw Error("cpu: '{}' reads a mean over processes before '{}' has read what it is of",
                    schedule.tasks[t].node->name, schedule.tasks[buckets_[bucket].ready_after].node->name);
      needed_before_[t] = std::max(needed_before_[t], bucket + 1);
    }
}

void Exchange::bind(const Address& address) {
  for (Bucket& bucket : buckets_)
    for (Piece& piece : bucket.pieces) piece.memory = reinterpret_cast<float*>(address(piece.value));
}

bool Exchange::start_after(std::size_t task) {
  const std::size_t before = started_;
  while (started_ < buckets_.size() && buckets_[started_].ready_after <= task) {
    Bucket& bucket = buckets_[started_++];
    float* to = bucket.sums.data();
    for (const Piece& piece : bucket.pieces) {
      std::memcpy(to, piece.memory, piece.count * sizeof(float));
      to += piece.count;
    }
    communicator_.start_sum(bucket.sums);
  }
  return started_ > before;
}

bool Exchange::finish_until(std::size_t end) {
  if (finished_ >= end) return false;
  const float share = 1.0F / static_cast<float>(communicator_.size());
  for (; finished_ < end; ++finished_) {
    const SumTimes times = communicator_.finish_sum();
    const Bucket& bucket = buckets_[finished_];
    if (trace_ != nullptr) add_to_trace(bucket, times);
    const float* from = bucket.sums.data();
    for (const Piece& piece : bucket.pieces) {
      for (std::size_t i = 0; i < piece.count; ++i) piece.memory[i] = from[i] * share;
      from += piece.count;
    }
  }
  return true;
}

// One after the other, as they take turns.
void Exchange::add_to_trace(const Bucket& bucket, SumTimes times) {
  const auto begin = std::max(times.begin, traced_until_);
  traced_until_ = std::max(times.end, begin);
  trace_->add(Span{fmt::format("bucket {}", finished_), "all_reduce", "sums", begin, traced_until_,
                   {{"bytes", static_cast<double>(bucket.sums.size() * sizeof(float))}}});
}

void Exchange::after_all() {
  finish_until(buckets_.size());
  started_ = finished_ = 0;
}

}  // namespace ssd::cpu
