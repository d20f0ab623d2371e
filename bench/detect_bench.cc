// Post-processing of one image's outputs: detect_bench --benchmark_min_time=1. `busy` is the share of
// default boxes that show an object (a trained network: about 1 in 100; an untrained one: none above the
// threshold).
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "boxes/default_boxes.h"
#include "detect/detector.h"

namespace {

using namespace ssd;

void detect_image(benchmark::State& state) {
  const std::size_t classes = 81;
  const double busy = static_cast<double>(state.range(0)) / 1000;
  constexpr auto boxes = static_cast<std::int64_t>(default_box_count);
  Tensor loc(DType::f32, {1, boxes, 4});
  Tensor conf(DType::f32, {1, boxes, static_cast<std::int64_t>(classes)});
  Random random(1, 0, 0);
  for (float& offset : loc.as<float>()) offset = static_cast<float>(random.normal());
  for (float& logit : conf.as<float>()) logit = static_cast<float>(random.normal());
  for (std::size_t i = 0; i < default_box_count; ++i) {
    const std::size_t label = random.coin(busy) ? 1 + random.below(classes - 1) : 0;
    conf.as<float>()[i * classes + label] += 9;
  }
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(detect({loc, conf}));
}
BENCHMARK(detect_image)->ArgName("busy_per_mille")->Arg(0)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);

}  // namespace
