#include "bench/network_bench.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/late_device.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};

TEST(Benchmark, KeepsItsBatchUntilAllStepsOfAFailedRunAreOver) {
  LateDevice device(2);
  EXPECT_THROW(benchmark(device, {.mode = BenchmarkMode::infer, .model = small, .batch = 2}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

}  // namespace
}  // namespace ssd
