#include "cli/train_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "cli/augment_options.h"
#include "cli/bench.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/preset.h"
#include "cli/processes.h"
#include "cli/train_mode.h"
#include "cli/validators.h"
#include "data/loader/augment_options.h"

namespace ssd::cli {
namespace {

// What shapes the device's work, and so does something beside --fake-data.
constexpr std::array useful_with_fake_data = {"--fake-data",
                                              "--benchmark-warmup",
                                              "--benchmark-iterations",
                                              "--batch-size",
                                              "--sync-batch-norm",
                                              "--backbone",
                                              "--stride-in",
                                              "--json-summary",
                                              "--device",
                                              "--threads",
                                              "--replicas",
                                              "--cpu-devices",
                                              "--memory-fraction",
                                              "--no-preallocate",
                                              "--precision",
                                              "--amp",
                                              "--no-amp",
                                              "--mode"};

// The same for --mode evaluation, and for --mode benchmark-inference those that measure as well.
constexpr std::array useful_with_evaluation = {"--mode",
                                               "--config",
                                               "--preset",
                                               "--weights-url",
                                               "--data",
                                               "--val-data",
                                               "--val-images",
                                               "--val-annotations",
                                               "--num-workers",
                                               "--backbone",
                                               "--checkpoint",
                                               "--batch-size",
                                               "--eval-batch-size",
                                               "--json-summary",
                                               "--device",
                                               "--threads",
                                               "--replicas",
                                               "--cpu-devices",
                                               "--memory-fraction",
                                               "--no-preallocate",
                                               "--precision",
                                               "--amp",
                                               "--no-amp",
                                               "--seed",
                                               "--stride-in",
                                               "--benchmark-warmup",
                                               "--benchmark-iterations"};

// Whether the mode trains nothing.
bool only_looks(const std::string& mode) { return mode == "evaluation" || mode == "benchmark-inference"; }

// What a checkpoint keeps of the options, to be compared when the run is resumed.
RunState::Options recorded(const TrainOptions& options, const graph::Device& device) {
  const TrainerOptions& trainer = options.trainer;
  RunState::Options kept = recorded_optimisation(options.optimisation, trainer);
  kept.merge(RunState::Options{{"augment", augment_text(augment_options(options.augment))},
                               {"order", options.order},
                               {"freeze-backbone", fmt::format("{}", trainer.step.frozen_stages)},
                               {"background-images", options.data.background_images},
                               {"replicas", fmt::format("{}", device.replicas_in_all())},
                               {"batch-norm-images", fmt::format("{}", trainer.evaluation.batch_norm_images)},
                               {"precision", options.device.precision}});
  return kept;
}

void add_recipe_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::recipe);
  command
      .add_option("--preset", options.preset,
                  "For what is not given: reference, best, quick, auto (by the images)")
      ->check(CLI::IsMember(preset_names))
      ->capture_default_str();
  command
      .add_option("--mode", options.mode, "training, evaluation, benchmark-training or benchmark-inference")
      ->check(CLI::IsMember(train_modes))
      ->capture_default_str();
  command
      .add_option("--config", options.config, "Options in YAML or JSON; the command line goes before them")
      ->type_name("FILE");
}

void add_input_options(CLI::App& command, TrainOptions& options) {
  add_val_data_options(command, options.data);
  add_train_data_options(command, options.data);
  add_augment_option(command, options.augment);
  command
      .add_option("--order", options.order,
                  "Order of an epoch: shuffled, windows (kind to slow disks), sequential")
      ->check(CLI::IsMember({"shuffled", "windows", "sequential"}))
      ->capture_default_str();
  command
      .add_option("--on-bad-image", options.on_bad_image,
                  "An image that cannot be read: replace (by the next, and name it), fail")
      ->check(CLI::IsMember({"replace", "fail"}))
      ->capture_default_str();
  command
      .add_option("--num-workers", options.workers,
                  "Threads that prepare images (0: 1 beside the cpu, else all processors)")
      ->check(thread_count())
      ->capture_default_str();
}

void add_network_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::network);
  add_backbone_option(command, options.backbone);
  command
      .add_option("--stride-in", options.stride_in,
                  "Strided convolution of bottlenecks: 3x3 (torchvision), 1x1 (first ResNet)")
      ->check(CLI::IsMember({"3x3", "1x1"}))
      ->capture_default_str();
  command
      .add_option("--backbone-path", options.fresh.backbone,
                  "Pretrained backbone: safetensors or .pth with torchvision's names")
      ->type_name("FILE");
  command
      .add_option("--checkpoint", options.fresh.checkpoint,
                  "Begin from these weights: a run, a checkpoint, a .pt of the reference, or coco")
      ->type_name("PATH");
  add_pretrained_options(command, options.pretrained);
  command
      .add_option("--freeze-backbone", options.trainer.step.frozen_stages,
                  "First stages of the backbone that do not learn, batch norms included")
      ->check(CLI::Range(0, 4))
      ->capture_default_str();
}

void add_evaluation_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::evaluation);
  command.add_option("--evaluation", options.evaluation,
                     "Epochs after which to evaluate, from 0 on (-1: never) [by the clock]");
  command
      .add_option("--eval-batch-size,--ebs", options.trainer.evaluation.batch,
                  "Images of a batch of an evaluation, on each device [--batch-size]")
      ->check(batch_size());
  command
      .add_option("--patience", options.trainer.evaluation.patience,
                  "Evaluations in a row without a new best that end the run (0: none do)")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command
      .add_option("--batch-norm-images", options.trainer.evaluation.batch_norm_images,
                  "Images that re-estimate batch-norm statistics (0: running averages)")
      ->check(number_from_zero())
      ->capture_default_str();
}

void add_output_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::output);
  CheckpointOptions& checkpoints = options.trainer.checkpoints;
  command.add_option("--save", checkpoints.run, "Folder of the run: checkpoints/ and log.jsonl")
      ->type_name("FOLDER");
  command.add_flag("--resume", options.resume,
                   "Go on from the latest checkpoint in --save, on the next batch");
  command
      .add_option("--checkpoint-interval", checkpoints.interval,
                  "Steps between checkpoints [ends of epochs, 100 steps apart, and each half hour]")
      ->check(positive_number());
  command.add_option("--keep-checkpoints", checkpoints.keep, "Latest checkpoints to keep (0: all)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--log-interval", options.log_interval,
                  "Steps between two lines on the console, and on speed in the log")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("--json-summary", options.json_summary, "Write the run's last figures there as JSON")
      ->type_name("FILE");
}

void add_fake_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::measurement);
  command.add_flag("--fake-data", options.fake_data,
                   "Measure the device alone, on synthetic images, as bench train does");
  add_benchmark_options(command, options.benchmark);
}

// One source of weights.
void check_start_options(const CLI::App& command, const TrainOptions& options) {
  const FreshOptions& fresh = options.fresh;
  if (!fresh.checkpoint.empty() && !fresh.backbone.empty())
    throw UsageError("--checkpoint and --backbone-path: expected one of them, a checkpoint holds a backbone");
  for (const char* source : {"--checkpoint", "--backbone-path"})
    if (is_given(command, source) && is_given(command, "--pretrained"))
      throw UsageError("{} and --pretrained: expected one of them, both say where weights come from", source);
  const bool fetches =
      fresh.checkpoint.empty() && fresh.backbone.empty() && options.pretrained.name != "none";
  if (!fetches && fresh.checkpoint != "coco" && is_given(command, "--weights-url"))
    throw UsageError("--weights-url: got it where no published weights are used; leave it out");
}

// 0: the user leaves it open.
double epochs_asked_for(const CLI::App& command, const TrainOptions& options, std::int64_t images) {
  if (is_given(command, "--epochs")) return options.optimisation.epochs;
  constexpr std::int64_t batch_of_preset = 8;
  const StepOptions& step = options.trainer.step;
  const std::int64_t batch = is_given(command, "--batch-size") ? step.batch : batch_of_preset;
  return static_cast<double>(options.optimisation.iterations * batch * step.accumulation *
                             processes().size()) /
         static_cast<double>(images);
}

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options) {
  add_recipe_options(command, options);
  add_input_options(command, options);
  add_network_options(command, options);
  add_optimisation_options(command, options.optimisation, options.trainer);
  command.add_option("-s,--seed", options.fresh.seed, "Of weights, order and augmentation")
      ->capture_default_str();
  add_evaluation_options(command, options);
  add_output_options(command, options);
  add_fake_options(command, options);
  add_device_options(command, options.device);
  add_precision_options(command, options.device);
}

void check_train_options(const CLI::App& command, const TrainOptions& options) {
  if (options.fake_data) return refuse_all_beside(command, "--fake-data", useful_with_fake_data);
  const bool measures = options.mode.starts_with("benchmark");
  for (const char* option : {"--benchmark-warmup", "--benchmark-iterations"})
    if (is_given(command, option) && !measures)
      throw UsageError("{}: expected --fake-data or a --mode benchmark-... beside it", option);
  if (only_looks(options.mode))
    return refuse_all_beside(command, "--mode " + options.mode, useful_with_evaluation);
  if (measures) {
    constexpr std::array without = {"--save",     "--resume",     "--evaluation",
                                    "--patience", "--iterations", "--epochs"};
    refuse_beside(command, "--mode " + options.mode, without);
  }
  for (const InertOptions& inert : inert_optimisation_options(command, options.optimisation, options.trainer))
    refuse_beside(command, inert.beside, inert.options);
  if (options.resume && options.trainer.checkpoints.run.empty())
    throw UsageError("--resume: expected --save with the run's folder");
  check_start_options(command, options);
}

std::vector<Setting> settle_train_options(CLI::App& command, const std::vector<Setting>& settings,
                                          const std::string& name) {
  static const std::vector<ExclusiveOptions> exclusive{
      {"--epochs", "--iterations"},
      {"--learning-rate", "--learning-rate-per-32", "--optimizer"},
      {"--warmup", "--warmup-epochs", "--lr-rule"},
      {"--schedule", "--multistep"},
      {"--accumulation", "--batch-trace"},
      {"--checkpoint", "--backbone-path", "--pretrained"}};
  return settle(command, settings, exclusive, name);
}

std::vector<Setting> config_settings(const CLI::App& command, const TrainOptions& options) {
  std::vector<Setting> settings = read_config(options.config);
  std::string mode = options.mode;
  for (const Setting& one : settings)
    if (one.option == "--mode" && !is_given(command, one.option)) mode = one.values.front();
  if (!only_looks(mode)) return settings;
  std::vector<std::string> left_out;
  std::erase_if(settings, [&](const Setting& one) {
    const bool useless = command.get_option_no_throw(one.option) != nullptr &&
                         std::ranges::find(useful_with_evaluation, std::string_view(one.option)) ==
                             useful_with_evaluation.end();
    if (useless) left_out.push_back(one.option);
    return useless;
  });
  if (!left_out.empty())
    tell("{}: not used by --mode {}: {}\n", options.config, mode, fmt::join(left_out, ", "));
  return settings;
}

void apply_preset(CLI::App& command, const TrainOptions& options, std::int64_t images) {
  const bool pretrained = !options.fresh.checkpoint.empty() || !options.fresh.backbone.empty() ||
                          options.pretrained.name != "none";
  const Preset preset =
      preset_for(options.preset, {images, epochs_asked_for(command, options, images), pretrained});
  std::vector<Setting> settings;
  for (const PresetSetting& one : preset.settings) settings.push_back(one.setting);
  const std::vector<Setting> taken = settle_train_options(command, settings, "--preset " + preset.name);
  if (taken.empty()) return;
  tell("preset {}{}, for what was not given:\n", preset.name,
       preset.reason.empty() ? "" : " (" + preset.reason + ")");
  for (const PresetSetting& one : preset.settings)
    if (std::ranges::any_of(taken, [&](const Setting& t) { return t.option == one.setting.option; }))
      tell("  {} {}: {}\n", one.setting.option, fmt::join(one.setting.values, " "), one.reason);
}

void read_rate_as_the_reference(TrainOptions& options) {
  OptimisationOptions& optimisation = options.optimisation;
  if (options.preset != "reference" || optimisation.learning_rate == 0) return;
  tell("--preset reference: --learning-rate {} is for every 32 images of a step, as in the reference\n",
       optimisation.learning_rate);
  optimisation.rate_per_32 = std::exchange(optimisation.learning_rate, 0);
}

void settle_pretrained(CLI::App& command, TrainOptions& options) {
  const model::ModelOptions model{.backbone = model::backbone_named(options.backbone),
                                  .stride_in = model::stride_in_named(options.stride_in)};
  // How fast a network learns does not depend on its weights.
  const std::string suiting =
      options.mode == "benchmark-training" ? "none" : default_pretrained(model.backbone);
  settle_train_options(command, {{"--pretrained", {suiting}}}, "--pretrained");
  check_pretrained(options.pretrained, model);
}

std::string train_config(const CLI::App& command, const TrainOptions& options) {
  std::vector<const char*> without{"--config",
                                   "--save",
                                   "--resume",
                                   "--json-summary",
                                   "--fake-data",
                                   "--benchmark-warmup",
                                   "--benchmark-iterations",
                                   "--mode",
                                   "--help"};
  for (const InertOptions& inert : inert_optimisation_options(command, options.optimisation, options.trainer))
    without.insert(without.end(), inert.options.begin(), inert.options.end());
  if (options.preset == "auto") without.push_back("--preset");  // what it chose is there
  return resolved_config(command, without);
}

std::int64_t complete_trainer(TrainOptions& options, const Dataset& dataset, const graph::Device& device) {
  TrainerOptions& trainer = options.trainer;
  const std::int64_t images = trainer.step.images(device.replicas_in_all());
  complete_pace(options.optimisation,
                {static_cast<std::int64_t>(dataset.samples.size()), images, device.replicas_in_all()},
                trainer);
  if (!options.evaluation.empty()) trainer.evaluation.epochs = options.evaluation;
  trainer.step.compute = precision_of(options.device);
  trainer.loss.background = options.data.background_images == "use";
  trainer.data.threads = image_threads(options.device, options.workers);
  trainer.data.augment = augment_options(options.augment);
  trainer.data.order = options.order == "sequential" ? SampleOrder::sequential
                       : options.order == "windows"  ? SampleOrder::windows
                                                     : SampleOrder::shuffled;
  trainer.data.bad_images =
      options.on_bad_image == "fail" ? LoaderOptions::BadImages::fail : LoaderOptions::BadImages::replace;
  trainer.speed_interval = options.log_interval;
  trainer.recorded = recorded(options, device);
  options.fresh.model.backbone = model::backbone_named(options.backbone);
  options.fresh.model.stride_in = model::stride_in_named(options.stride_in);
  return images;
}

}  // namespace ssd::cli
