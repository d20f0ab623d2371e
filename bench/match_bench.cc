// Matching of 8732 default boxes: match_bench --benchmark_min_time=1. One iteration is one image; the bar
// is 100 microseconds for an image with 20 boxes.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "boxes/match.h"

namespace {

using namespace ssd;

// Boxes of all sizes, as in COCO's images: sides spread evenly over the scales from 2% to 100%.
std::vector<Box> random_boxes(std::size_t count, Random& random) {
  std::vector<Box> boxes(count);
  for (Box& box : boxes) {
    const double width = std::exp(random.uniform(std::log(0.02), 0.0));
    const double height = std::exp(random.uniform(std::log(0.02), 0.0));
    const double left = random.uniform(0, 1 - width);
    const double top = random.uniform(0, 1 - height);
    box = {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + width),
           static_cast<float>(top + height)};
  }
  return boxes;
}

void match_image(benchmark::State& state) {
  Random random(1, 0, 0);
  std::vector<std::vector<Box>> images;
  for (int i = 0; i < 64; ++i)
    images.push_back(random_boxes(static_cast<std::size_t>(state.range(0)), random));
  std::vector<std::int32_t> matched(default_box_count);
  MatchScratch scratch;
  std::size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    match(images[next++ % images.size()], ssd300_default_boxes(), matched, scratch);
    benchmark::DoNotOptimize(matched.data());
  }
}
BENCHMARK(match_image)->Arg(1)->Arg(7)->Arg(20)->Arg(60)->Unit(benchmark::kMicrosecond);

}  // namespace
