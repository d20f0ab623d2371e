#include "bench/data_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "bench/expand.h"
#include "data/cache/open_dataset.h"

namespace ssd {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// RssAnon of proc(5).
double memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib / 1024;
  }
  return 0;
}

const char* name_of(DataBenchOptions::Output output) {
  switch (output) {
    case DataBenchOptions::Output::compact:
      return "compact";
    case DataBenchOptions::Output::expanded:
      return "expanded";
  }
  return "";
}

DataBenchResult::Rate rate_of(std::vector<double> rates) {
  std::ranges::sort(rates);
  const std::size_t n = rates.size();
  return {.avg = std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(n),
          .min = rates.front(),
          .median = (rates[(n - 1) / 2] + rates[n / 2]) / 2,
          .max = rates.back()};
}

LoaderTimes ms_between(const LoaderTimes& before, const LoaderTimes& after, double images) {
  const auto ms = [images](double from, double to) { return 1000 * (to - from) / images; };
  return {.read = ms(before.read, after.read),
          .decode = ms(before.decode, after.decode),
          .resize = ms(before.resize, after.resize),
          .colour = ms(before.colour, after.colour),
          .match = ms(before.match, after.match),
          .after = ms(before.after, after.after),
          .wait = ms(before.wait, after.wait)};
}

void check_options(const DataBenchOptions& options) {
  if (options.batches < 1 || options.repeats < 1 || options.warmup < 0)
    throw Error("bench data: got {} batches, {} repeats, {} to warm up; expected at least 1, 1 and 0",
                options.batches, options.repeats, options.warmup);
}

LoaderOptions loader_options(const DataBenchOptions& options, std::vector<ExpandedBatch>& expanded) {
  LoaderOptions loader{.batch_size = options.batch_size,
                       .threads = options.threads,
                       .seed = options.seed,
                       .augment = options.augment};
  if (options.output == DataBenchOptions::Output::expanded) {
    for (int i = 0; i < loader.buffers; ++i) expanded.emplace_back(options.batch_size);
    loader.after_sample = [&expanded](const Batch& batch, int buffer, std::size_t slot) {
      expand_sample(batch, slot, expanded[static_cast<std::size_t>(buffer)]);
    };
  }
  return loader;
}

}  // namespace

DataBenchResult bench_data(const DataBenchOptions& options) {
  check_options(options);
  const Dataset dataset = open_dataset(options.data, options.split);
  std::vector<ExpandedBatch> expanded;
  Loader loader(dataset, loader_options(options, expanded));
  for (int i = 0; i < options.warmup; ++i) loader.next();
  const LoaderTimes before = loader.times();
  const double memory = memory_mib();
  const double cpu = cpu_seconds();
  std::vector<double> rates;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    const double start = seconds();
    for (int i = 0; i < options.batches; ++i) loader.next();
    rates.push_back(options.batches * options.batch_size / (seconds() - start));
  }
  const double images = double(options.repeats) * options.batches * options.batch_size;
  return {.options = options,
          .source = dataset.images->description(),
          .images_per_s = rate_of(rates),
          .cpu_ms_per_image = 1000 * (cpu_seconds() - cpu) / images,
          .ms_per_image = ms_between(before, loader.times(), images),
          .memory_begin = memory,
          .memory_end = memory_mib(),
          .bad_images = loader.bad_images()};
}

std::string DataBenchResult::to_json() const {
  const auto rounded = [](double value) { return std::stod(fmt::format("{:.5g}", value)); };
  const nlohmann::ordered_json json{
      {"bench", "data"},
      {"data", options.data.string()},
      {"source", source},
      {"split", options.split},
      {"output", name_of(options.output)},
      {"threads", options.threads},
      {"batch_size", options.batch_size},
      {"warmup", options.warmup},
      {"batches", options.batches},
      {"repeats", options.repeats},
      {"images_per_s",
       {{"avg", rounded(images_per_s.avg)},
        {"min", rounded(images_per_s.min)},
        {"median", rounded(images_per_s.median)},
        {"max", rounded(images_per_s.max)}}},
      {"cpu_ms_per_image", rounded(cpu_ms_per_image)},
      {"ms_per_image",
       {{"read", rounded(ms_per_image.read)},
        {"decode", rounded(ms_per_image.decode)},
        {"resize", rounded(ms_per_image.resize)},
        {"colour", rounded(ms_per_image.colour)},
        {"match", rounded(ms_per_image.match)},
        {"expand", rounded(ms_per_image.after)}}},
      {"memory_mib", {{"begin", rounded(memory_begin)}, {"end", rounded(memory_end)}}},
      {"bad_images", bad_images}};
  return json.dump();
}

std::string DataBenchResult::to_text() const {
  return fmt::format(
      "{} ({}), {} output, {} thread(s), batch {}\n"
      "  images/s    median {:.1f}   avg {:.1f}   min {:.1f}   max {:.1f}\n"
      "  CPU         {:.3f} ms an image\n"
      "  of it       read {:.3f}   decode {:.3f}   resize {:.3f}   colour {:.3f}   match {:.3f}   expand "
      "{:.3f}\n"
      "  memory      {:.1f} MiB after the warm-up, {:.1f} MiB at the end\n",
      options.data.string(), source, name_of(options.output), options.threads, options.batch_size,
      images_per_s.median, images_per_s.avg, images_per_s.min, images_per_s.max, cpu_ms_per_image,
      ms_per_image.read, ms_per_image.decode, ms_per_image.resize, ms_per_image.colour, ms_per_image.match,
      ms_per_image.after, memory_begin, memory_end);
}

}  // namespace ssd
