// What a record cache costs in pixels: the training images made from it against those made from the files,
// with the same crops, flips and colours.
//   cache_cost DIR CACHE...
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "data/cache/open_dataset.h"
#include "data/loader/loader.h"

namespace {

constexpr int batch_size = 16;

// How often each absolute difference of a byte occurred.
using Histogram = std::vector<std::uint64_t>;

Histogram compare(const ssd::Dataset& files, const ssd::Dataset& cache) {
  const ssd::LoaderOptions options{
      .batch_size = batch_size, .threads = ssd::available_processors(), .seed = 1};
  ssd::Loader from_files(files, options), from_cache(cache, options);
  Histogram histogram(256);
  const std::size_t batches = (files.samples.size() + batch_size - 1) / batch_size;
  for (std::size_t i = 0; i < batches; ++i) {
    const auto a = from_files.next(), b = from_cache.next();
    const auto x = a->images.as<std::uint8_t>(), y = b->images.as<std::uint8_t>();
    for (std::size_t k = 0; k < x.size(); ++k) ++histogram[static_cast<std::size_t>(std::abs(x[k] - y[k]))];
  }
  return histogram;
}

void print(const char* name, const ssd::RecordCache& cache, const Histogram& histogram) {
  double count = 0, sum = 0, squares = 0;
  for (std::size_t d = 0; d < histogram.size(); ++d) {
    const auto times = static_cast<double>(histogram[d]);
    count += times;
    sum += times * static_cast<double>(d);
    squares += times * static_cast<double>(d * d);
  }
  std::size_t p99 = 0;
  for (double below = 0; p99 < 255 && (below += static_cast<double>(histogram[p99])) < 0.99 * count;) ++p99;
  std::printf(
      "%s: max-side %d, quality %d, %.1f KB an image: mean difference %.2f, PSNR %.1f dB, 99%% within %zu\n",
      name, cache.max_side(), cache.quality(),
      static_cast<double>(cache.bytes()) / 1e3 / static_cast<double>(cache.size()), sum / count,
      10 * std::log10(255 * 255 / std::max(squares / count, 1e-9)), p99);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: cache_cost DIR CACHE...  (DIR's split train2017)\n");
    return 2;
  }
  try {
    const ssd::Dataset files = ssd::open_dataset(argv[1], "train2017");
    for (int i = 2; i < argc; ++i) {
      const auto cache = std::make_shared<const ssd::RecordCache>(argv[i]);
      print(argv[i], *cache, compare(files, ssd::cached_dataset(cache)));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cache_cost: %s\n", error.what());
    return 1;
  }
  return 0;
}
