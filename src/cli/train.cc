// singleshot train.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/train_console.h"
#include "cli/validators.h"
#include "data/dataset/class_order.h"
#include "storage/folder_lock.h"
#include "train/start.h"
#include "train/trainer.h"
#include "weights/checkpoint.h"

namespace ssd::cli {
namespace {

// Their product, the images of a run, is a number of 64 bits.
constexpr std::int64_t most_images_per_step = std::int64_t{1} << 30, most_iterations = std::int64_t{1} << 32;

struct Options {
  DataOptions data;
  DeviceOptions device;
  TrainerOptions trainer;
  FreshOptions fresh;
  std::string backbone = "resnet50", stride_in = "3x3";
  int epochs = 65;
  double learning_rate = 0;  // 0: the recipe's
  std::vector<double> multistep{43, 54};
  std::vector<int> evaluation{21, 31, 37, 42, 48, 53, 59, 64};
  int workers = 0;
  std::string on_bad_image = "replace", augment = "all", order = "shuffled", json_summary;
  std::int64_t log_interval = 20;
  bool resume = false, fake_data = false;
  BenchmarkOptions benchmark;  // of --fake-data
};

AugmentOptions augment_options(const std::string& name) {
  if (name == "none") return {false, false, false};
  if (name == "flip") return {false, true, false};
  if (name == "crop-flip") return {true, true, false};
  return {};
}

// What a checkpoint keeps of the options, to be compared when the run is resumed.
RunState::Options recorded(const Options& options, const graph::Device& device) {
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

std::int64_t images_per_step(const TrainerOptions& trainer, const graph::Device& device) {
  const std::int64_t images = trainer.step.batch * trainer.step.accumulation * device.replicas();
  if (images > most_images_per_step)
    throw UsageError("--batch-size, --accumulation: got {} images a step, expected at most {}", images,
                     most_images_per_step);
  return images;
}

// Fills in what depends on the data and the device.
void complete(Options& options, const Dataset& dataset, const graph::Device& device) {
  TrainerOptions& trainer = options.trainer;
  const std::int64_t images = images_per_step(trainer, device);
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
}

TrainingStart start_of(const Options& options, const Dataset& dataset, const graph::Device& device) {
  const TrainerOptions& trainer = options.trainer;
  const std::int64_t images = images_per_step(trainer, device);
  if (options.resume) {
    std::vector<std::string> changed;
    if (auto start =
            resumed_start(trainer.checkpoints.run, dataset,
                          {options.fresh.model, options.fresh.seed, images, trainer.recorded}, changed)) {
      tell("resuming after step {}\n", start->state.step);
      for (const std::string& line : changed) tell("{}\n", line);
      return std::move(*start);
    }
    tell("{}: nothing to resume yet, starting afresh\n", trainer.checkpoints.run.string());
  } else if (!trainer.checkpoints.run.empty() && latest_checkpoint(trainer.checkpoints.run)) {
    throw Error(
        "{}: this folder holds a run already (up to step {}); pass --resume to go on with it, or choose "
        "another --save",
        trainer.checkpoints.run.string(), latest_checkpoint(trainer.checkpoints.run)->step);
  }
  int left_fresh = 0;
  TrainingStart start = fresh_start(options.fresh, dataset, left_fresh);
  if (left_fresh > 0)
    tell("{}: {} tensors have other shapes here (another number of classes) and start afresh\n",
         options.fresh.checkpoint.string(), left_fresh);
  return start;
}

void print_data(const Dataset& dataset) {
  const LeftOut& out = dataset.left_out;
  tell("{} training images, {} classes; left out: {} images without boxes, {} boxes without area\n",
       dataset.samples.size(), dataset.categories.size(), out.images_without_boxes, out.boxes_without_area);
  if (out.boxes_without_category + out.boxes_without_image > 0)
    tell("also left out: {} boxes of unknown categories, {} of unknown images; see singleshot data check\n",
         out.boxes_without_category, out.boxes_without_image);
  if (out.boxes_clipped > 0)
    tell("{} boxes reached over their image's edge and were clipped\n", out.boxes_clipped);
}

// What a run that had nothing left to do did not measure is null.
void write_summary(const Options& options, const TrainingResult& result, const TrainConsole& console) {
  const std::filesystem::path& run = options.trainer.checkpoints.run;
  const auto checkpoint = run.empty() ? std::nullopt : latest_checkpoint(run);
  nlohmann::ordered_json json{{"step", result.step},
                              {"stopped", result.stopped},
                              {"loss", nullptr},
                              {"images_per_s", nullptr},
                              {"data_wait", nullptr},
                              {"bad_images", result.bad_images},
                              {"checkpoint", checkpoint ? checkpoint->path.string() : ""}};
  if (console.last().step > 0) json["loss"] = console.last().loss;
  if (console.speed().step > 0) {
    json["images_per_s"] = console.speed().images_per_s;
    json["data_wait"] = console.speed().data_wait;
  }
  write_json_line(options.json_summary, json);
}

// --fake-data: the device alone.
void run_fake(const Options& options) {
  NetworkBenchmark fake{options.benchmark, options.device, options.backbone, options.json_summary};
  fake.benchmark.batch = options.trainer.step.batch;
  fake.benchmark.batch_norm_group = options.trainer.step.batch_norm_group;
  fake.benchmark.model.stride_in = model::stride_in_named(options.stride_in);
  run_network_benchmark(std::move(fake));
}

ValidationSet validation_to_train_with(const DataOptions& options) {
  try {
    return validation_set(options);
  } catch (const UsageError&) {
    throw;  // it says what to pass
  } catch (const Error& error) {
    throw Error("{}; --val-data names another validation set, --evaluation -1 trains without one",
                error.what());
  }
}

void run(Options options) {
  if (options.fake_data) return run_fake(options);
  ignore_closed_pipes();
  require_writable(options.json_summary);
  if (options.resume && options.trainer.checkpoints.run.empty())
    throw UsageError("--resume: expected --save with the run's folder");
  if (!options.fresh.checkpoint.empty() && !options.fresh.backbone.empty())
    throw UsageError("--checkpoint and --backbone-path: expected one of them, a checkpoint holds a backbone");
  const Dataset dataset = training_set(options.data);
  print_data(dataset);
  const auto device = make_device(options.device);
  complete(options, dataset, *device);
  const std::int64_t images = images_per_step(options.trainer, *device);
  const std::int64_t last_epoch =
      options.trainer.iterations * images / static_cast<std::int64_t>(dataset.samples.size()) - 1;
  std::optional<ValidationSet> validation;
  for (const int epoch : options.evaluation)
    if (epoch >= 0 && epoch <= last_epoch && !validation) validation = validation_to_train_with(options.data);
  if (validation) order_classes(validation->dataset, dataset.categories, validation_name(options.data));
  std::optional<FolderLock> lock;  // until the run ends
  if (!options.trainer.checkpoints.run.empty()) lock.emplace(options.trainer.checkpoints.run);
  TrainingStart start = start_of(options, dataset, *device);
  if (start.state.step >= options.trainer.iterations)
    tell("nothing left to do: the run is at step {} of {}\n", start.state.step, options.trainer.iterations);
  else
    tell("{} on {}, {} images a step, steps {} to {}\n", options.backbone, device->description(), images,
         start.state.step + 1, options.trainer.iterations);

  if (options.trainer.checkpoints.run.empty())
    tell("nothing will be kept of this run: pass --save FOLDER for checkpoints and the log\n");
  const std::atomic<bool>& stop_requested = watch_stop_signals();
  TrainConsole console(start.state.step, options.trainer.iterations, options.log_interval);
  SingleProcess alone;
  const TrainingTask task{*device, dataset, validation ? &*validation : nullptr,
                          alone,   console, stop_requested};
  const TrainingResult result = train(task, std::move(start), options.trainer);
  if (result.bad_images > 0) tell("{} bad images were replaced\n", result.bad_images);
  if (result.stopped)
    tell("stopped after step {}{}\n", result.step,
         options.trainer.checkpoints.run.empty() ? "" : "; --resume goes on from there");
  if (!options.json_summary.empty()) write_summary(options, result, console);
}

void add_recipe_options(CLI::App& command, Options& options) {
  command.add_option("--epochs,-e", options.epochs, "Passes over the training set")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--iterations", options.trainer.iterations,
                  "Steps in all, instead of --epochs; a resumed run ends at the same one")
      ->check(count_up_to(most_iterations));
  command.add_option("--batch-size,--bs,-b", options.trainer.step.batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  command
      .add_option("--accumulation", options.trainer.step.accumulation,
                  "Batches whose gradients make one step")
      ->check(count_up_to(65536))
      ->capture_default_str();
  command
      .add_option("--learning-rate,--lr", options.learning_rate,
                  "Peak learning rate of a step [2.6e-3 for every 32 images of a step]")
      ->check(positive_number());
  command.add_option("--warmup", options.trainer.schedule.warmup, "Steps of linear warm-up from 0")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("--multistep", options.multistep, "Epochs at which the learning rate falls to a tenth")
      ->capture_default_str();
  command.add_option("--optimizer", options.trainer.optimizer.name, "sgd (the recipe's) or adamw")
      ->check(optimizer_name())
      ->capture_default_str();
  command.add_option("--beta1", options.trainer.optimizer.beta1, "Of AdamW: what stays of the mean gradient")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta2", options.trainer.optimizer.beta2, "Of AdamW: what stays of the mean square")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--epsilon", options.trainer.optimizer.epsilon, "Of AdamW: added to the mean square's root")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("--momentum,-m", options.trainer.optimizer.momentum, "Of SGD")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--weight-decay,--wd", options.trainer.optimizer.weight_decay, "Of convolution weights")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--sync-batch-norm", options.trainer.step.batch_norm_group,
                  "Devices that share batch-norm statistics")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--augment", options.augment,
                  "What is done to training images: all (crop, flip, colour), crop-flip, flip, none")
      ->check(CLI::IsMember({"all", "crop-flip", "flip", "none"}))
      ->capture_default_str();
  command
      .add_option("--order", options.order,
                  "Order of an epoch: shuffled, windows (kind to slow disks), sequential")
      ->check(CLI::IsMember({"shuffled", "windows", "sequential"}))
      ->capture_default_str();
  command.add_option("--seed,-s", options.fresh.seed, "Of weights, order and augmentation")
      ->capture_default_str();
  command
      .add_option("--evaluation", options.evaluation,
                  "Epochs, counted from 0, after which to evaluate (-1: never)")
      ->capture_default_str();
}

void add_run_options(CLI::App& command, Options& options) {
  command.add_option("--backbone", options.backbone, "resnet18, resnet34, resnet50, resnet101, resnet152")
      ->check(backbone_name())
      ->capture_default_str();
  command
      .add_option(
          "--stride-in", options.stride_in,
          "Convolution of a bottleneck that has its stride: 3x3 (torchvision) or 1x1 (the original ResNet)")
      ->check(CLI::IsMember({"3x3", "1x1"}))
      ->capture_default_str();
  command.add_option("--backbone-path", options.fresh.backbone,
                     "Pretrained backbone: safetensors or .pth with torchvision's names");
  command.add_option("--checkpoint", options.fresh.checkpoint,
                     "Begin from these weights: a run, a checkpoint folder, or a .pt of the reference");
  command.add_option("--save", options.trainer.checkpoints.run,
                     "Folder of the run: checkpoints/ and log.jsonl");
  command
      .add_option("--batch-norm-images", options.trainer.evaluation.batch_norm_images,
                  "Training images over which batch-norm statistics are re-estimated for evaluations and the "
                  "last checkpoint (0: keep the running averages, as the recipe)")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_flag("--resume", options.resume,
                   "Go on from the latest checkpoint in --save, on the next batch");
  command
      .add_option(
          "--checkpoint-interval", options.trainer.checkpoints.interval,
          "Steps between checkpoints [at the ends of epochs, at least 100 steps apart, and every half hour]")
      ->check(positive_number());
  command
      .add_option("--keep-checkpoints", options.trainer.checkpoints.keep,
                  "Latest checkpoints to keep (0: all)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--num-workers", options.workers,
                  "Threads that prepare images (0: 1 beside the cpu, else all processors)")
      ->check(thread_count())
      ->capture_default_str();
  command
      .add_option("--on-bad-image", options.on_bad_image,
                  "An image that cannot be read: replace (by the next, and name it) or fail")
      ->check(CLI::IsMember({"replace", "fail"}))
      ->capture_default_str();
  command
      .add_option("--log-interval", options.log_interval,
                  "Steps between two lines on the console and on speed in the log")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("--json-summary", options.json_summary, "Write the run's last figures there as JSON");
}

// After all other options: whatever does not shape the device's work would be passed over.
void add_fake_options(CLI::App& command, Options& options) {
  const std::vector<CLI::Option*> others = command.get_options();
  CLI::Option* fake = command.add_flag(
      "--fake-data", options.fake_data,
      "Measure the device alone: steps on synthetic images in place of --data, as bench train does");
  const std::set<std::string> used = {
      "--help",      "--batch-size",   "--sync-batch-norm", "--backbone",
      "--stride-in", "--json-summary", "--device",          "--threads",
      "--replicas",  "--cpu-devices",  "--memory-fraction", "--no-preallocate",
      "--precision", "--amp"};
  for (CLI::Option* other : others)
    if (!used.contains(other->get_name())) fake->excludes(other);
  add_benchmark_options(command, options.benchmark);
  for (const char* own : {"--benchmark-warmup", "--benchmark-iterations"})
    command.get_option(own)->needs(fake);
}

}  // namespace

void add_train(CLI::App& program, Session&) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("train", "Train SSD300 on COCO or on your own images");
  add_val_data_options(*command, options->data);
  add_train_data_options(*command, options->data);
  add_recipe_options(*command, *options);
  add_run_options(*command, *options);
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  add_fake_options(*command, *options);
  command->footer(
      "Ctrl-C, SIGTERM or a hang-up writes a checkpoint and ends the run; --resume goes on exactly where it "
      "stopped.");
  command->callback([options] { run(*options); });
}

}  // namespace ssd::cli
