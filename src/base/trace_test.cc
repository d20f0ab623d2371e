#include "base/trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace ssd {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using Json = nlohmann::json;

Span span(const std::string& name, const std::string& track, nanoseconds begin, nanoseconds end) {
  return {name, "kind", track, Span::Clock::time_point(begin), Span::Clock::time_point(end), {}};
}

TEST(Trace, HasACompleteEventForEachSpanAndANameForEachTrack) {
  Trace trace;
  Span first = span("conv \"1\"", "network", microseconds(2000), microseconds(2500));
  first.numbers = {{"flops", 1e9}, {"bytes", 64}};
  trace.add(first);
  trace.add({span("sum", "communication", nanoseconds(2'100'250), nanoseconds(2'101'000)),
             span("conv2", "network", microseconds(2500), microseconds(2500))});

  const Json expected = Json::parse(R"({"displayTimeUnit": "ms", "traceEvents": [
    {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "network"}},
    {"name": "conv \"1\"", "cat": "kind", "ph": "X", "ts": 2000.0, "dur": 500.0, "pid": 1, "tid": 1,
     "args": {"flops": 1e9, "bytes": 64.0}},
    {"name": "thread_name", "ph": "M", "pid": 1, "tid": 2, "args": {"name": "communication"}},
    {"name": "sum", "cat": "kind", "ph": "X", "ts": 2100.25, "dur": 0.75, "pid": 1, "tid": 2, "args": {}},
    {"name": "conv2", "cat": "kind", "ph": "X", "ts": 2500.0, "dur": 0.0, "pid": 1, "tid": 1, "args": {}}
  ]})");
  EXPECT_EQ(Json::parse(trace.to_json()), expected) << trace.to_json();
  EXPECT_EQ(trace.spans().size(), 3u);
}

TEST(Trace, OfNothingIsAnEmptyList) {
  EXPECT_EQ(Json::parse(Trace().to_json()).at("traceEvents"), Json::array());
}

TEST(Trace, TakesSpansOfSeveralThreads) {
  constexpr int each = 1000;
  Trace trace;
  const auto fill = [&](const std::string& track) {
    for (int i = 0; i < each; ++i) trace.add(span("span", track, microseconds(i), microseconds(i + 1)));
  };
  {
    const std::jthread a([&] { fill("a"); }), b([&] { fill("b"); });
  }
  EXPECT_EQ(trace.spans().size(), 2u * each);
  EXPECT_EQ(Json::parse(trace.to_json()).at("traceEvents").size(), 2u * each + 2);
}

}  // namespace
}  // namespace ssd
