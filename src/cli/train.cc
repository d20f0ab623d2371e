// singleshot train.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "base/counted.h"
#include "base/error.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/processes.h"
#include "cli/stop_signals.h"
#include "cli/train_console.h"
#include "cli/train_mode.h"
#include "cli/train_options.h"
#include "cli/version.h"
#include "data/dataset/class_order.h"
#include "data/dataset/dataset_identity.h"
#include "storage/atomic_file.h"
#include "storage/folder_lock.h"
#include "storage/free_space.h"
#include "train/sharing.h"
#include "train/trainer.h"
#include "weights/checkpoint.h"

namespace ssd::cli {
namespace {

// In the run's folder: its options, resolved.
constexpr const char* config_name = "config.json";

TrainingStart start_of(TrainOptions& options, const Dataset& dataset, std::int64_t images_per_step) {
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
  settle_start(options.pretrained, options.fresh);
  if (trainer.step.frozen_stages > 0 && options.fresh.backbone.empty() && options.fresh.checkpoint.empty())
    throw UsageError(
        "--freeze-backbone {}: got random weights, expected pretrained ones, which are worth keeping; leave "
        "it out, or pass --pretrained or --backbone-path",
        trainer.step.frozen_stages);
  const PaceOptions& pace = trainer.pace;
  if (options.resume && trainer.optimizer.name == "sgd")
    options.fresh.continued_images_per_step = images_per_step;
  else if (options.resume && !options.fresh.checkpoint.empty())
    tell("--resume: beginning at step 0, for momentum of the reference's checkpoint is of --optimizer sgd\n");
  TrainingStart start = fresh_start(options.fresh, dataset);
  if (pace.rule != RateRule::fixed)
    start.state.pace.progress *= static_cast<double>(images_per_step) / static_cast<double>(pace.base_images);
  if (options.pretrained.name != "none") tell("beginning from {}\n", start.origin);
  return start;
}

void print_data(const Dataset& dataset) {
  const LeftOut& out = dataset.left_out;
  const auto background =
      std::ranges::count_if(dataset.samples, [](const Sample& sample) { return sample.boxes.empty(); });
  tell("{}, {}; left out: {} without boxes, {} without area\n",
       counted(dataset.samples.size(), "training image[s]"), counted(dataset.categories.size(), "class[es]"),
       counted(out.images_without_boxes, "image[s]"), counted(out.boxes_without_area, "box[es]"));
  if (background > 0)
    tell("{} background, without an object\n",
         counted(static_cast<std::size_t>(background), "of the images [is|are]"));
  if (dataset.max_boxes == 0)
    throw Error("--background-images use: got {} images and no object in any, expected some to learn from",
                dataset.samples.size());
  if (out.boxes_without_category + out.boxes_without_image > 0)
    tell("also left out: {} of unknown categories, {} of unknown images; see singleshot data check\n",
         counted(out.boxes_without_category, "box[es]"), out.boxes_without_image);
  if (out.boxes_clipped > 0)
    tell("{}\n",
         counted(out.boxes_clipped, "box[es] reached over [its|their] image's edge and [was|were] clipped"));
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
                              {"best", nullptr},
                              {"bad_images", result.bad_images},
                              {"checkpoint", checkpoint ? checkpoint->path.string() : ""}};
  if (result.best)
    json["best"] = {{"AP", result.best->average_precision},
                    {"AP50", result.best->average_precision_50},
                    {"epoch", result.best->epoch},
                    {"step", result.best->step}};
  if (console.last().step > 0) json["loss"] = console.last().loss;
  if (console.speed().step > 0) {
    json["images_per_s"] = console.images_per_s();
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

// Everything that an evaluation needs is tried here: at its time, hours may have been spent.
ValidationSet validation_to_train_with(const DataOptions& options, const Dataset& training) {
  constexpr const char* advice =
      "--val-data names another validation set, --evaluation -1 trains without one";
  const auto read = [&] {
    try {
      return validation_set(options);
    } catch (const UsageError& error) {
      throw UsageError("{}; --evaluation -1 trains without one", error.what());  // it says what to pass
    } catch (const Error& error) {
      throw Error("{}; {}", error.what(), advice);
    }
  };
  ValidationSet set = read();
  const std::string name = validation_name(options);
  order_classes(set.dataset, training.categories, name);
  if (set.ground_truth.annotations.empty())
    throw Error("{}: got no object in {} validation images, expected some to evaluate on; {}", name,
                set.ground_truth.images.size(), advice);
  return set;
}

bool evaluates(const TrainOptions& options, const Dataset& dataset) {
  const auto& epochs = options.trainer.evaluation.epochs;
  if (!epochs) return true;
  const PaceOptions& pace = options.trainer.pace;
  const double end = static_cast<double>(steps_in_all(pace)) / pace.schedule.steps_per_epoch;
  return std::ranges::any_of(*epochs, [&](int epoch) { return epoch >= 0 && epoch + 1 <= end; }) &&
         !dataset.samples.empty();
}

// What is not told on the command line: of --config, of the run that is resumed, of the preset.
void settle_from_files(CLI::App& command, const TrainOptions& options) {
  if (!options.config.empty())
    settle_train_options(command, config_settings(command, options), options.config);
  check_train_options(command, options);
  const std::filesystem::path own = options.trainer.checkpoints.run / config_name;
  if (options.resume && std::filesystem::exists(own))
    settle_train_options(command, read_config(own), own.string());
}

// Of a run that goes on, what it was made with counts, and the preset has nothing to say.
bool goes_on(const TrainOptions& options) {
  return options.resume && latest_checkpoint(options.trainer.checkpoints.run).has_value();
}

// What a checkpoint of the run takes: the weights, and as much again for each slot and average.
std::uint64_t checkpoint_bytes(const TrainingStart& start, const TrainerOptions& trainer) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : start.tensors.weights) bytes += tensor.bytes();
  return bytes * (1 + model::optimizer_named(trainer.optimizer.name).slots.size() + (trainer.ema_decay > 0));
}

constexpr const char* no_better = "evaluation[s] in a row [was|were] no better";

void tell_outcome(const TrainOptions& options, const TrainingResult& result) {
  const std::filesystem::path& run = options.trainer.checkpoints.run;
  if (result.bad_images > 0) tell("{}\n", counted(result.bad_images, "bad image[s] [was|were] replaced"));
  if (result.lost_patience)
    tell("ended after step {}: {}\n", result.step,
         counted(static_cast<std::size_t>(options.trainer.evaluation.patience), no_better));
  if (result.best)
    tell("best: AP {:.4f}, AP50 {:.4f} after epoch {}, step {}{}\n", result.best->average_precision,
         result.best->average_precision_50, result.best->epoch, result.best->step,
         run.empty() ? "" : "; " + (run / best_folder).string());
  if (result.stopped)
    tell("stopped after step {}{}\n", result.step, run.empty() ? "" : "; --resume goes on from there");
}

void tell_beginning(const TrainOptions& options, const RunState& state, const graph::Device& device) {
  const std::int64_t steps = steps_in_all(options.trainer.pace);
  if (state.step >= steps)
    tell("nothing left to do: the run is at step {} of {}\n", state.step, steps);
  else if (lost_patience(state, options.trainer.evaluation))
    tell("nothing left to do: {}; pass a larger --patience\n",
         counted(static_cast<std::size_t>(state.best->evaluations_since), no_better));
  else
    tell("{} on {}{}, {} a step, steps {} to {}\n", options.backbone,
         device.processes() > 1 ? fmt::format("{} processes, each with ", device.processes()) : "",
         device.description(),
         counted(static_cast<std::size_t>(options.trainer.step.images(device.replicas_in_all())), "image[s]"),
         state.step + 1, steps);
}

// What rank 0 does for all before the first step. The run's folder, if there is one, is locked and has the
// configuration.
TrainingStart begin_run(TrainOptions& options, const std::string& config, const Dataset& dataset,
                        std::int64_t images, std::optional<FolderLock>& lock) {
  const TrainerOptions& trainer = options.trainer;
  const std::filesystem::path& folder = trainer.checkpoints.run;
  if (std::filesystem::exists(folder)) lock.emplace(folder);
  TrainingStart start = start_of(options, dataset, images);
  start.state.images_per_step = images;
  if (!folder.empty()) require_free_space(folder, 2 * checkpoint_bytes(start, trainer), "two checkpoints");
  if (folder.empty() && options.mode == "training")
    tell("nothing will be kept of this run: pass --save FOLDER for checkpoints and the log\n");
  if (!folder.empty()) {
    if (!lock) lock.emplace(folder);
    write_file_atomically(folder / config_name, config);
  }
  return start;
}

// What processes must agree on. Where data lie, and how many threads work, each may know for itself.
Facts facts_of(const std::string& config, const Dataset& dataset, const Dataset* validation) {
  Facts facts{{"program", version_text()},
              {"arithmetic", cpu::arithmetic()},
              {"training data", identity_of(dataset).samples},
              {"validation data", validation != nullptr ? identity_of(*validation).samples : "none"}};
  const nlohmann::json options = nlohmann::json::parse(config);
  for (const auto& [name, value] : options.items()) facts["--" + name] = value.dump();
  for (const char* own : {"--data", "--val-data", "--train-images", "--train-annotations", "--val-images",
                          "--val-annotations", "--threads", "--workers"})
    facts.erase(own);
  return facts;
}

void run(CLI::App& command, TrainOptions& options) {
  if (options.fake_data) {
    check_train_options(command, options);
    return run_fake(options);
  }
  settle_from_files(command, options);
  if (options.mode == "evaluation") return run_evaluation_mode(options);
  if (options.mode == "benchmark-inference") {
    if (processes().size() > 1)
      throw UsageError("--mode benchmark-inference: got {} processes, expected one: it measures one device",
                       processes().size());
    return run_inference_mode(options);
  }
  if (options.mode == "benchmark-training") shorten_to_benchmark(options);
  if (!goes_on(options)) settle_pretrained(command, options);
  ignore_closed_pipes();
  require_writable(options.json_summary);
  const Dataset dataset = training_set(options.data);
  print_data(dataset);
  if (!goes_on(options)) apply_preset(command, options, static_cast<std::int64_t>(dataset.samples.size()));
  const std::string config = train_config(command, options);
  read_rate_as_the_reference(options);
  const auto device = make_device(options.device);
  const std::int64_t images = complete_trainer(options, dataset, *device);
  std::optional<ValidationSet> validation;
  if (evaluates(options, dataset)) validation = validation_to_train_with(options.data, dataset);
  tell_unused_files();
  if (processes().size() > 1)
    expect_same_facts(processes(), facts_of(config, dataset, validation ? &validation->dataset : nullptr));
  std::optional<FolderLock> lock;  // until the run ends
  TrainingStart start =
      processes().is_first() ? begin_run(options, config, dataset, images, lock) : TrainingStart();
  start = broadcast(processes(), std::move(start));
  const std::int64_t steps = steps_in_all(options.trainer.pace);
  tell_beginning(options, start.state, *device);

  const std::atomic<bool>& stop_requested = watch_stop_signals();
  TrainConsole console(start.state.step, steps, options.log_interval);
  if (options.mode == "benchmark-training") console.measure_after(options.benchmark.warmup, images);
  const TrainingTask task{*device,     dataset, validation ? &*validation : nullptr,
                          processes(), console, stop_requested};
  const TrainingResult result = train(task, std::move(start), options.trainer);
  tell_outcome(options, result);
  if (options.mode == "benchmark-training")
    tell("{:.2f} images/s over {} after {}\n", console.images_per_s(),
         counted(static_cast<std::size_t>(options.benchmark.iterations), "step[s]"),
         options.benchmark.warmup);
  if (!options.json_summary.empty()) write_summary(options, result, console);
}

}  // namespace

void add_train(CLI::App& program, Session& session) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = program.add_subcommand("train", "Train SSD300 on COCO or on your own images");
  session.ends_itself.insert(command);
  session.shares_work.insert(command);
  add_train_options(*command, *options);
  command->footer(
      "Ctrl-C, SIGTERM or a hang-up writes a checkpoint and ends the run; --resume goes on exactly where it\n"
      "stopped.");
  command->callback([options, command] { run(*command, *options); });
}

}  // namespace ssd::cli
