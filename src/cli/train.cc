// singleshot train.
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/train_console.h"
#include "cli/train_options.h"
#include "data/dataset/class_order.h"
#include "storage/folder_lock.h"
#include "train/trainer.h"
#include "weights/checkpoint.h"

namespace ssd::cli {
namespace {

TrainingStart start_of(const TrainOptions& options, const Dataset& dataset, std::int64_t images_per_step) {
  const TrainerOptions& trainer = options.trainer;
  if (options.resume) {
    std::vector<std::string> changed;
    if (auto start = resumed_start(
            trainer.checkpoints.run, dataset,
            {options.fresh.model, options.fresh.seed, images_per_step, trainer.recorded}, changed)) {
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
void write_summary(const TrainOptions& options, const TrainingResult& result, const TrainConsole& console) {
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
void run_fake(const TrainOptions& options) {
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

void run(TrainOptions options) {
  if (options.fake_data) return run_fake(options);
  ignore_closed_pipes();
  require_writable(options.json_summary);
  const Dataset dataset = training_set(options.data);
  print_data(dataset);
  const auto device = make_device(options.device);
  const std::int64_t images = complete_trainer(options, dataset, *device);
  const std::int64_t last_epoch =
      options.trainer.iterations * images / static_cast<std::int64_t>(dataset.samples.size()) - 1;
  std::optional<ValidationSet> validation;
  for (const int epoch : options.evaluation)
    if (epoch >= 0 && epoch <= last_epoch && !validation) validation = validation_to_train_with(options.data);
  if (validation) order_classes(validation->dataset, dataset.categories, validation_name(options.data));
  std::optional<FolderLock> lock;  // until the run ends
  if (!options.trainer.checkpoints.run.empty()) lock.emplace(options.trainer.checkpoints.run);
  TrainingStart start = start_of(options, dataset, images);
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

}  // namespace

void add_train(CLI::App& program, Session&) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = program.add_subcommand("train", "Train SSD300 on COCO or on your own images");
  add_train_options(*command, *options);
  command->footer(
      "Ctrl-C, SIGTERM or a hang-up writes a checkpoint and ends the run; --resume goes on exactly where it\n"
      "stopped.");
  command->callback([options, command] {
    check_train_options(*command, *options);
    run(*options);
  });
}

}  // namespace ssd::cli
