// singleshot export: a trained network in the files of other programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/counted.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/validators.h"
#include "cli/version.h"
#include "export/export_format.h"
#include "prepare/download/sha256.h"
#include "train/checkpointer.h"
#include "train/run_state.h"
#include "weights/checkpoint.h"

namespace ssd::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string checkpoint, stride_in, weights_url, out;
  std::string format, postprocess = "nms", batch = "1", precision, input = "u8-nhwc";
  DetectorOptions detector;
  int top = 200;
};

constexpr std::array thresholds = {"--score", "--iou", "--top"};  // of --postprocess nms alone
constexpr const char* any_batch = "dynamic";

// A checkpoint's folder for a run's, all else as it is: what is read stays the same while a run goes on.
fs::path settled(const fs::path& path) {
  if (!fs::is_directory(path) || fs::exists(path / "state.json")) return path;
  const auto latest = latest_checkpoint(path);
  return latest ? latest->path : path;
}

// Of a checkpoint's folder; none for a file of weights.
std::optional<TrainingProgress> progress_of(const fs::path& path) {
  if (!fs::is_directory(path)) return std::nullopt;
  Checkpoint checkpoint = read_checkpoint(path);
  const RunState run = parse_run_state(checkpoint.state_json, (path / "state.json").string());
  model::State state = resumable_state(std::move(checkpoint));
  return TrainingProgress{.step = run.step,
                          .epoch = run.epoch,
                          .within_epoch = run.sample != 0,
                          .options = run.options,
                          .momentum = std::move(state.slots["momentum"])};
}

// A run that goes on may remove the checkpoint that is being read; then there is a newer one.
ExportSource read_source(const fs::path& path) {
  constexpr int attempts = 5;
  for (int attempt = 1;; ++attempt) {
    const fs::path checkpoint = settled(path);
    try {
      TrainedModel network = trained_model(checkpoint.string(), "");
      if (!network.model.activation_scales.empty())
        throw Error("{}: is quantised, which no format takes; export the checkpoint that was quantised",
                    checkpoint.string());
      return {
          .network = std::move(network),
          .progress = progress_of(checkpoint),
          .sha256 = sha256_of(fs::is_directory(checkpoint) ? checkpoint / "model.safetensors" : checkpoint),
          .version = version_number()};
    } catch (const Error&) {
      if (attempt == attempts || settled(path) == checkpoint) throw;
    }
  }
}

// What would not change the file is refused.
void check_options(const CLI::App& command, const Options& options, const ExportFormat& format) {
  // The file is made of bytes and appears whole, under its own name.
  if (options.out == "-") throw UsageError("--out: got -, expected a file (it is not text); name one");
  for (const char* option :
       {export_option::postprocess, export_option::batch, export_option::precision, export_option::input})
    if (!std::ranges::count(format.follows, std::string_view(option)))
      refuse_beside(command, fmt::format("--format {}", format.name), std::array{option});
  const bool has_nms = std::ranges::count(format.follows, std::string_view(export_option::postprocess)) > 0;
  if (!has_nms) refuse_beside(command, fmt::format("--format {}", format.name), thresholds);
  if (options.postprocess != "nms")
    refuse_beside(command, "--postprocess " + options.postprocess, thresholds);
}

DType precision_of(const Options& options, const ExportFormat& format) {
  if (options.precision.empty()) return format.precisions.front();
  std::vector<std::string_view> names;
  for (const DType precision : format.precisions) {
    names.push_back(name_of(precision));
    if (names.back() == options.precision) return precision;
  }
  throw UsageError("--precision: got {} with --format {}, expected {}", options.precision, format.name,
                   fmt::join(names, " or "));
}

ExportOptions choices(const Options& options, const ExportFormat& format) {
  using Postprocess = ExportOptions::Postprocess;
  using Input = ExportOptions::Input;
  ExportOptions result{.precision = precision_of(options, format), .detector = options.detector};
  result.postprocess = options.postprocess == "none"    ? Postprocess::none
                       : options.postprocess == "boxes" ? Postprocess::boxes
                                                        : Postprocess::nms;
  result.input = options.input == "u8-nhwc" ? Input::u8_nhwc : Input::f32_nchw;
  result.batch.reset();
  if (options.batch == any_batch && format.name == "stablehlo")
    throw UsageError("--batch: got dynamic with --format stablehlo, expected a number of images");
  if (options.batch != any_batch) result.batch = static_cast<std::int64_t>(std::stod(options.batch));
  result.detector.total = static_cast<std::size_t>(options.top);
  return result;
}

void run(const Options& options, const ExportFormat& format) {
  const ExportOptions chosen = choices(options, format);
  require_writable(options.out);
  ExportSource source = read_source(checkpoint_path(options.checkpoint, options.weights_url));
  model::ModelOptions& network = source.network.model;
  if (!options.stride_in.empty()) {
    network.stride_in = model::stride_in_named(options.stride_in);
    source.network.knows_stride = true;
  }
  for (const std::string& note : format.write(source, chosen, options.out))
    tell("{}: {}\n", options.out, note);
  put("{}: {} with {} as {}\n", options.out, model::name_of(network.backbone),
      counted(source.network.categories.size(), "class[es]"), format.name);
}

CLI::Validator batch_or_any() {
  return {[](std::string& text) -> std::string {
            if (text == any_batch) return "";
            return batch_size()(text).empty() ? ""
                                              : "got " + text + ", expected a number of images or dynamic";
          },
          "N|dynamic"};
}

void add_model_options(CLI::App& command, Options& options) {
  command
      .add_option(export_option::postprocess, options.postprocess,
                  "What a model gives: none (offsets, logits), boxes (with scores), nms (detections)")
      ->check(CLI::IsMember({"none", "boxes", "nms"}))
      ->capture_default_str();
  command.add_option(export_option::batch, options.batch, "Images of a batch; dynamic: any number")
      ->type_name("N")
      ->check(batch_or_any())
      ->capture_default_str();
  command
      .add_option(export_option::precision, options.precision,
                  "Of the convolutions: f32, or f16 (onnx), or bf16 (stablehlo) [f32]")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
  command
      .add_option(export_option::input, options.input,
                  "What a model takes: u8-nhwc (bytes) or f32-nchw (0..1), both RGB, 300 x 300")
      ->check(CLI::IsMember({"u8-nhwc", "f32-nchw"}))
      ->capture_default_str();
  begin_group(command, group::detection);
  command.add_option("--score", options.detector.score, "With nms: detections score above this")
      ->check(number_check("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; }))
      ->capture_default_str();
  command.add_option("--iou", options.detector.iou, "With nms: boxes of a class that overlap more are one")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--top", options.top, "With nms: most detections of an image")
      ->check(positive_number())
      ->capture_default_str();
}

}  // namespace

void add_export(CLI::App& program, Session&) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("export", "Write a trained network for other programs");
  add_checkpoint_options(*command, options->checkpoint, options->stride_in)->required();
  add_weights_url_option(*command, options->weights_url);
  begin_group(*command, group::output);
  std::vector<std::string> names, help;
  for (const ExportFormat& format : export_formats()) {
    names.emplace_back(format.name);
    help.push_back(fmt::format("{} ({})", format.name, format.what));
  }
  command->add_option("--format", options->format, fmt::format("{}", fmt::join(help, ", ")))
      ->check(CLI::IsMember(names))
      ->required();
  command->add_option("-o,--out", options->out, "The file to write")->type_name("FILE")->required();
  add_model_options(*command, *options);
  command->footer(
      "ONNX Runtime, OpenVINO and OpenCV 5 run every ONNX model, OpenCV 4 those without nms: "
      "docs/export.md.");
  command->callback([options, command] {
    const ExportFormat& format = export_format_named(options->format);
    check_options(*command, *options, format);
    run(*options, format);
  });
}

}  // namespace ssd::cli
