#include "base/trace.h"

#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace ssd {
namespace {

using Json = nlohmann::ordered_json;

double microseconds(Span::Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

Json event_of(const Span& span, int thread) {
  Json numbers = Json::object();
  for (const auto& [name, number] : span.numbers) numbers[name] = number;
  return {{"name", span.name},
          {"cat", span.category},
          {"ph", "X"},
          {"ts", microseconds(span.begin.time_since_epoch())},
          {"dur", microseconds(span.end - span.begin)},
          {"pid", 1},
          {"tid", thread},
          {"args", std::move(numbers)}};
}

Json name_of_thread(const std::string& name, int thread) {
  return {{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", name}}}};
}

}  // namespace

void Trace::add(Span span) {
  const std::lock_guard lock(mutex_);
  spans_.push_back(std::move(span));
}

void Trace::add(std::vector<Span> spans) {
  const std::lock_guard lock(mutex_);
  spans_.insert(spans_.end(), std::move_iterator(spans.begin()), std::move_iterator(spans.end()));
}

std::vector<Span> Trace::spans() const {
  const std::lock_guard lock(mutex_);
  return spans_;
}

std::string Trace::to_json() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, int> threads;  // of the tracks, numbered as they come
  Json events = Json::array();
  for (const Span& span : spans_) {
    const int next = static_cast<int>(threads.size()) + 1;
    const auto [track, first] = threads.try_emplace(span.track, next);
    if (first) events.push_back(name_of_thread(span.track, next));
    events.push_back(event_of(span, track->second));
  }
  const Json json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ssd
