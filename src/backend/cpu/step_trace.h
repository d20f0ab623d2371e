// The parts of one step as spans of a trace.
#pragma once

#include <string_view>
#include <vector>

#include "base/trace.h"
#include "graph/device.h"

namespace ssd::cpu {

// Keeps notes while a step runs, and makes spans of them afterwards. Does nothing where the trace is null.
class StepTrace {
 public:
  using Moment = Span::Clock::time_point;

  StepTrace(Trace* trace, std::size_t nodes);

  // A node that ran; it outlives this.
  void node(const graph::NodeTime& node, Moment begin, Moment end) {
    if (trace_ != nullptr) notes_.push_back({&node, node.name, begin, end});
  }
  // What ran since the last note, or since the step's begin, and is no node. The name is a literal.
  void part(std::string_view name);
  // Adds the step's spans to the trace.
  void finish();

 private:
  struct Note {
    const graph::NodeTime* node;  // null: another part
    std::string_view name;
    Moment begin, end;
  };

  Trace* trace_;
  Moment begin_;
  std::vector<Note> notes_;
};

}  // namespace ssd::cpu
