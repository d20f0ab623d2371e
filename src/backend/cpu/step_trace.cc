#include "backend/cpu/step_trace.h"

#include <string>
#include <utility>

namespace ssd::cpu {
namespace {

constexpr const char* track = "network";
constexpr std::size_t other_parts = 3;

}  // namespace

StepTrace::StepTrace(Trace* trace, std::size_t nodes) : trace_(trace) {
  if (trace_ == nullptr) return;
  notes_.reserve(nodes + other_parts);
  begin_ = Span::Clock::now();
}

void StepTrace::part(std::string_view name) {
  if (trace_ == nullptr) return;
  const Moment begin = notes_.empty() ? begin_ : notes_.back().end;
  notes_.push_back({nullptr, name, begin, Span::Clock::now()});
}

void StepTrace::finish() {
  if (trace_ == nullptr) return;
  std::vector<Span> spans;
  spans.reserve(notes_.size());
  for (const Note& note : notes_) {
    Span span{std::string(note.name), "memory", track, note.begin, note.end, {}};
    if (note.node != nullptr) {
      span.category = graph::name_of(note.node->kind);
      span.numbers = {{"flops", note.node->cost.flops}, {"bytes", note.node->cost.bytes}};
    }
    spans.push_back(std::move(span));
  }
  trace_->add(std::move(spans));
}

}  // namespace ssd::cpu
