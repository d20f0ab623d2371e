// What ran when: spans of time on named tracks, in the form that chrome://tracing and ui.perfetto.dev show.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ssd {

struct Span {
  using Clock =
      std::chrono::steady_clock;  // of all processes of a machine, so that their traces fit together

  std::string name;      // "layer1.0.conv1"
  std::string category;  // "convolution"
  std::string track;     // "network"; spans of one track do not overlap
  Clock::time_point begin, end;
  std::vector<std::pair<std::string, double>> numbers;  // more to show: {"flops", 1e9}
};

// Collects spans, of any threads. What records takes a pointer to a trace, and does nothing where it is null.
class Trace {
 public:
  void add(Span span);
  void add(std::vector<Span> spans);
  std::vector<Span> spans() const;

  // Chrome's Trace Event Format (the document of that name, "JSON Object Format"): one line, an object whose
  // "traceEvents" are complete events ("ph": "X") with `ts` (of the clock) and `dur` in microseconds, and a
  // name for each track, which is a thread there. The numbers are the event's `args`.
  std::string to_json() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
};

}  // namespace ssd
