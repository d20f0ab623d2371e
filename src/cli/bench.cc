// singleshot bench: how fast a device trains or infers, and how fast images are prepared.
#include "cli/bench.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/trace.h"
#include "bench/machine_peak.h"
#include "bench/node_profile.h"
#include "cli/bench_data.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/validators.h"

namespace ssd::cli {

namespace {

// Which gives the weights too.
TrainedModel take_checkpoint(NetworkBenchmark& options) {
  TrainedModel trained = trained_model(options.checkpoint, "");
  if (!options.stride_in.empty()) trained.model.stride_in = model::stride_in_named(options.stride_in);
  options.backbone = model::name_of(trained.model.backbone);
  options.benchmark.model = trained.model;
  return trained;
}

// Other devices run a step as one whole.
void require_nodes(const NetworkBenchmark& options) {
  const char* option = options.profile ? "--profile" : options.trace.empty() ? nullptr : "--trace";
  if (option != nullptr && options.device.device != "cpu")
    throw UsageError("{}: got --device {}, expected cpu; take its vendor's profiler there", option,
                     options.device.device);
}

MachinePeak peak_of(const NetworkBenchmark& options, int threads) {
  if (!options.profile) return {};
  tell("measuring the peak of {} thread{}\n", threads, threads == 1 ? "" : "s");
  return measure_peak(threads);
}

bool is_standard_output(const std::string& path) { return path == "-" || path == "/dev/stdout"; }

}  // namespace

void run_network_benchmark(NetworkBenchmark options) {
  require_nodes(options);
  BenchmarkOptions& benchmark = options.benchmark;
  benchmark.model.backbone = model::backbone_named(options.backbone);
  std::optional<TrainedModel> trained;
  if (!options.checkpoint.empty()) {
    trained = take_checkpoint(options);
    benchmark.weights = &trained->weights;
  }
  benchmark.model.compute = precision_of(options.device);
  require_writable(options.json);
  require_writable(options.trace);
  const auto device = make_device(options.device);
  const bool trains = benchmark.mode == BenchmarkMode::train;
  tell("{} {}, batch {} on {}{}\n", trains ? "training" : "inference of", options.backbone, benchmark.batch,
       device->processes() > 1 ? fmt::format("each of {} processes with ", device->processes()) : "",
       device->description());
  const int threads = options.device.threads > 0 ? options.device.threads : available_processors();
  const MachinePeak peak = peak_of(options, threads);
  Trace trace;
  if (!options.trace.empty()) benchmark.trace = &trace;
  BenchmarkResult result;
  {
    Progress progress("bench");
    result = ssd::benchmark(*device, benchmark, [&](int done, int of) {
      progress.show(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(of), "iterations");
    });
  }
  tell("{:.2f} images/s (min {:.2f}, median {:.2f}, max {:.2f}), {:.1f} GFLOP an image\n", result.average(),
       result.minimum(), result.median(), result.maximum(), result.flops_per_image / 1e9);
  if (!options.trace.empty()) write_json_text(options.trace, trace.to_json());
  const bool quantised = !benchmark.model.activation_scales.empty();
  nlohmann::ordered_json json{{"benchmark", trains ? "train" : "infer"},
                              {"device", options.device.device},
                              {"description", device->description()},
                              {"replicas", trains ? device->replicas_in_all() : device->replicas()},
                              {"backbone", options.backbone},
                              {"precision", quantised ? "int8" : options.device.precision},
                              {"batch_size", benchmark.batch},
                              {"threads", threads},
                              {"warmup", benchmark.warmup},
                              {"iterations", benchmark.iterations},
                              {"gflop_per_image", result.flops_per_image / 1e9},
                              {"images_per_s",
                               {{"avg", result.average()},
                                {"min", result.minimum()},
                                {"median", result.median()},
                                {"max", result.maximum()}}}};
  if (options.profile) {
    const NodeProfile profile = node_profile(result.nodes, peak, benchmark.iterations, result.seconds);
    json["profile"] = profile.to_json();
    (is_standard_output(options.json) ? tell_text : put_text)(profile.to_text());
    if (options.json.empty()) return;
  }
  write_json_line(options.json.empty() ? "-" : options.json, json);
}

void add_benchmark_options(CLI::App& command, BenchmarkOptions& options) {
  command.add_option("--benchmark-warmup", options.warmup, "Iterations before the counted ones")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("--benchmark-iterations", options.iterations, "Counted iterations")
      ->check(positive_number())
      ->capture_default_str();
}

namespace {

CLI::App* add_mode(CLI::App& bench, BenchmarkMode mode, const char* name, const char* description) {
  auto options = std::make_shared<NetworkBenchmark>();
  options->benchmark.mode = mode;
  CLI::App* command = bench.add_subcommand(name, description);
  add_backbone_option(*command, options->backbone);
  begin_group(*command, group::measurement);
  command->add_option("-b,--batch-size", options->benchmark.batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  add_benchmark_options(*command, options->benchmark);
  command->add_flag("--profile", options->profile,
                    "Show where the time goes on the cpu, node by node, beside the machine's peak");
  if (mode == BenchmarkMode::train)
    command
        ->add_option("--sync-batch-norm", options->benchmark.batch_norm_group,
                     "Devices that share batch-norm statistics")
        ->check(positive_number())
        ->capture_default_str();
  else
    add_checkpoint_options(*command, options->checkpoint, options->stride_in);
  begin_group(*command, group::output);
  command->add_option("--json", options->json, "Write the result there, one JSON line [standard output]")
      ->type_name("FILE");
  command
      ->add_option("--trace", options->trace,
                   "Write what runs when there, for chrome://tracing (20 iterations; cpu)")
      ->type_name("FILE");
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  command->callback([options, command] {
    if (!options->checkpoint.empty())
      refuse_beside(*command, "--checkpoint", std::array{"--backbone"});
    else if (!options->stride_in.empty())
      throw UsageError("--stride-in: got {} without --checkpoint, whose stride it is; leave it out",
                       options->stride_in);
    run_network_benchmark(*options);
  });
  return command;
}

}  // namespace

void add_bench(CLI::App& program, Session& session) {
  CLI::App* bench = program.add_subcommand(
      "bench", "Measure speed: of a device (train, infer) on synthetic images, of the input pipeline (data)");
  bench->require_subcommand(1);
  session.shares_work.insert(
      add_mode(*bench, BenchmarkMode::train, "train", "Training steps on synthetic images"));
  add_mode(*bench, BenchmarkMode::infer, "infer", "Inference on synthetic images");
  add_bench_data(*bench);
}

}  // namespace ssd::cli
