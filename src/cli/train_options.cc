#include "cli/train_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "base/error.h"
#include "cli/bench.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/validators.h"

namespace ssd::cli {
namespace {

// Their product, the images of a run, is a number of 64 bits.
constexpr std::int64_t most_images_per_step = std::int64_t{1} << 30, most_iterations = std::int64_t{1} << 32;

// What shapes the device's work, and so does something beside --fake-data.
constexpr std::array useful_with_fake_data = {
    "--fake-data", "--benchmark-warmup", "--benchmark-iterations", "--batch-size",     "--sync-batch-norm",
    "--backbone",  "--stride-in",        "--json-summary",         "--device",         "--threads",
    "--replicas",  "--cpu-devices",      "--memory-fraction",      "--no-preallocate", "--precision",
    "--amp"};

constexpr std::array sgd_options = {"--momentum"};
constexpr std::array adamw_options = {"--beta1", "--beta2", "--epsilon"};

// The options that an optimizer alone looks at.
struct OptimizersOwn {
  const char* optimizer;
  std::span<const char* const> options;
};
constexpr std::array optimizers_own = {OptimizersOwn{"sgd", sgd_options},
                                       OptimizersOwn{"adamw", adamw_options}};

AugmentOptions augment_options(const std::string& name) {
  if (name == "none") return {false, false, false};
  if (name == "flip") return {false, true, false};
  if (name == "crop-flip") return {true, true, false};
  return {};
}

// What a checkpoint keeps of the options, to be compared when the run is resumed.
RunState::Options recorded(const TrainOptions& options, const graph::Device& device) {
  const TrainerOptions& trainer = options.trainer;
  return {{"augment", options.augment},
          {"order", options.order},
          {"batch-size", fmt::format("{}", trainer.step.batch)},
          {"accumulation", fmt::format("{}", trainer.step.accumulation)},
          {"replicas", fmt::format("{}", device.replicas())},
          {"batch-norm-images", fmt::format("{}", trainer.evaluation.batch_norm_images)},
          {"learning-rate", fmt::format("{}", trainer.schedule.rate)},
          {"warmup", fmt::format("{}", trainer.schedule.warmup)},
          {"multistep", fmt::format("{}", fmt::join(options.multistep, " "))},
          {"optimizer", trainer.optimizer.name},
          {"momentum", fmt::format("{}", trainer.optimizer.momentum)},
          {"weight-decay", fmt::format("{}", trainer.optimizer.weight_decay)},
          {"beta1", fmt::format("{}", trainer.optimizer.beta1)},
          {"beta2", fmt::format("{}", trainer.optimizer.beta2)},
          {"epsilon", fmt::format("{}", trainer.optimizer.epsilon)},
          {"sync-batch-norm", fmt::format("{}", trainer.step.batch_norm_group)},
          {"precision", options.device.precision}};
}

void add_input_options(CLI::App& command, TrainOptions& options) {
  add_val_data_options(command, options.data);
  add_train_data_options(command, options.data);
  command
      .add_option("--augment", options.augment,
                  "Changes to images: all (crop, flip, colour), crop-flip, flip, none")
      ->check(CLI::IsMember({"all", "crop-flip", "flip", "none"}))
      ->capture_default_str();
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
                  "Begin from these weights: a run, a checkpoint, or a .pt of the reference")
      ->type_name("PATH");
}

// How long to train, and on how much at a time.
void add_step_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::optimisation);
  command.add_option("-e,--epochs", options.epochs, "Passes over the training set")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--iterations", options.trainer.iterations,
                  "Steps in all, instead of --epochs; a resumed run ends at the same one")
      ->check(count_up_to(most_iterations));
  command.add_option("-b,--batch-size,--bs", options.trainer.step.batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  command
      .add_option("--accumulation", options.trainer.step.accumulation,
                  "Batches whose gradients make one step")
      ->check(count_up_to(65536))
      ->capture_default_str();
  command
      .add_option("--sync-batch-norm", options.trainer.step.batch_norm_group,
                  "Devices that share batch-norm statistics")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("-s,--seed", options.fresh.seed, "Of weights, order and augmentation")
      ->capture_default_str();
}

void add_schedule_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--learning-rate,--lr", options.learning_rate,
                  "Peak rate of a step [2.6e-3 for every 32 images of a step; adamw: 1e-4]")
      ->check(positive_number());
  command.add_option("--warmup", options.trainer.schedule.warmup, "Steps of linear warm-up from 0")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("--multistep", options.multistep, "Epochs at which the learning rate falls to a tenth")
      ->capture_default_str();
}

void add_optimizer_options(CLI::App& command, TrainOptions& options) {
  model::OptimizerOptions& optimizer = options.trainer.optimizer;
  command.add_option("--optimizer", optimizer.name, "sgd (the recipe's) or adamw")
      ->check(optimizer_name())
      ->capture_default_str();
  command.add_option("--weight-decay,--wd", optimizer.weight_decay, "Of convolution weights")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("-m,--momentum", optimizer.momentum, "Of sgd")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta1", optimizer.beta1, "Of adamw: what stays of the mean gradient")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta2", optimizer.beta2, "Of adamw: what stays of the mean square")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--epsilon", optimizer.epsilon, "Of adamw: added to the mean square's root")
      ->check(positive_number())
      ->capture_default_str();
}

void add_evaluation_options(CLI::App& command, TrainOptions& options) {
  begin_group(command, group::evaluation);
  command
      .add_option("--evaluation", options.evaluation, "Epochs after which to evaluate, from 0 on (-1: never)")
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

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options) {
  add_input_options(command, options);
  add_network_options(command, options);
  add_step_options(command, options);
  add_schedule_options(command, options);
  add_optimizer_options(command, options);
  add_evaluation_options(command, options);
  add_output_options(command, options);
  add_fake_options(command, options);
  add_device_options(command, options.device);
  add_precision_options(command, options.device);
}

void check_train_options(const CLI::App& command, const TrainOptions& options) {
  if (options.fake_data) return refuse_all_beside(command, "--fake-data", useful_with_fake_data);
  for (const char* option : {"--benchmark-warmup", "--benchmark-iterations"})
    if (is_given(command, option)) throw UsageError("{}: expected --fake-data beside it", option);
  const std::string& optimizer = options.trainer.optimizer.name;
  for (const OptimizersOwn& own : optimizers_own)
    if (optimizer != own.optimizer) refuse_beside(command, "--optimizer " + optimizer, own.options);
  if (options.resume && options.trainer.checkpoints.run.empty())
    throw UsageError("--resume: expected --save with the run's folder");
  if (!options.fresh.checkpoint.empty() && !options.fresh.backbone.empty())
    throw UsageError("--checkpoint and --backbone-path: expected one of them, a checkpoint holds a backbone");
}

std::int64_t complete_trainer(TrainOptions& options, const Dataset& dataset, const graph::Device& device) {
  TrainerOptions& trainer = options.trainer;
  const std::int64_t images = trainer.step.images(device.replicas());
  if (images > most_images_per_step)
    throw UsageError("--batch-size, --accumulation: got {} images a step, expected at most {}", images,
                     most_images_per_step);
  if (trainer.iterations == 0)
    trainer.iterations =
        (static_cast<std::int64_t>(dataset.samples.size()) * options.epochs + images - 1) / images;
  trainer.schedule.rate =
      options.learning_rate > 0 ? options.learning_rate : default_rate(trainer.optimizer, images);
  trainer.schedule.milestones = options.multistep;
  trainer.evaluation.epochs = options.evaluation;
  trainer.step.compute = precision_of(options.device);
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
