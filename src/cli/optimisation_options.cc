#include "cli/optimisation_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "base/error.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/validators.h"

namespace ssd::cli {
namespace {

// Their product, the images of a run, is a number of 64 bits.
constexpr std::int64_t most_images_per_step = std::int64_t{1} << 30, most_iterations = std::int64_t{1} << 32;

void add_length_options(CLI::App& command, OptimisationOptions& options, TrainerOptions& trainer) {
  command.add_option("-e,--epochs", options.epochs, "Passes over the training set")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--iterations", options.iterations,
                  "Steps in all, instead of --epochs; a resumed run ends at the same one")
      ->check(count_up_to(most_iterations));
  command.add_option("-b,--batch-size,--bs", trainer.step.batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  command.add_option("--accumulation", trainer.step.accumulation, "Batches whose gradients make one step")
      ->check(count_up_to(65536))
      ->capture_default_str();
  command
      .add_option("--batch-trace", options.batch_trace,
                  "CSV of step,batchsize: images of the steps from each step on, by accumulation")
      ->type_name("FILE");
  command
      .add_option("--sync-batch-norm", trainer.step.batch_norm_group,
                  "Devices that share batch-norm statistics")
      ->check(positive_number())
      ->capture_default_str();
}

void add_schedule_options(CLI::App& command, OptimisationOptions& options) {
  command
      .add_option("--learning-rate,--lr", options.learning_rate,
                  "Peak rate of a step, as it is; with --preset reference as --learning-rate-per-32")
      ->check(positive_number());
  command
      .add_option("--learning-rate-per-32", options.rate_per_32,
                  "Peak rate for every 32 images of a step [by optimizer; sgd: 2.6e-3]")
      ->check(positive_number());
  command
      .add_option("--lr-rule", options.lr_rule,
                  "Growth of the rate with a step's images: linear, root, adascale")
      ->check(CLI::IsMember({"linear", "root", "adascale"}))
      ->capture_default_str();
  command.add_option("--schedule", options.schedule, "How the rate falls: multistep, or cosine to 0")
      ->check(CLI::IsMember({"multistep", "cosine"}))
      ->capture_default_str();
  command.add_option("--multistep", options.multistep, "Epochs at which the learning rate falls to a tenth")
      ->capture_default_str();
  command.add_option("--warmup", options.warmup, "Steps of linear warm-up from 0")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("--warmup-epochs", options.warmup_epochs, "The same in epochs, or parts of one")
      ->check(number_from_zero());
}

void add_optimizer_options(CLI::App& command, model::OptimizerOptions& optimizer) {
  command.add_option("--optimizer", optimizer.name, "sgd (the recipe's), adamw or lars")
      ->check(optimizer_name())
      ->capture_default_str();
  command.add_option("--weight-decay,--wd", optimizer.weight_decay, "Of convolution weights")
      ->check(number_from_zero())
      ->capture_default_str();
  command.add_option("-m,--momentum", optimizer.momentum, "Of sgd and lars")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta1", optimizer.beta1, "Of adamw: what stays of the mean gradient")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta2", optimizer.beta2, "Of adamw: what stays of the mean square")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--epsilon", optimizer.epsilon, "Added to what adamw and lars divide by")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--trust-coefficient", optimizer.trust_coefficient,
                  "Of lars: how far a step moves a weight, of its norm")
      ->check(positive_number())
      ->capture_default_str();
}

void add_loss_options(CLI::App& command, model::LossOptions& loss) {
  command
      .add_option("--label-smoothing", loss.label_smoothing,
                  "Share of each class's target that is spread over all classes")
      ->check(number_check("0 or more and under 1", [](double value) { return value >= 0 && value < 1; }))
      ->capture_default_str();
  command.add_option("--loc-weight", loss.loc_weight, "Weight of the boxes' part of the loss")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("--conf-weight", loss.conf_weight, "Weight of the classes' part of the loss")
      ->check(positive_number())
      ->capture_default_str();
}

// The peak rate of a step, where all steps are alike.
double peak_rate(const OptimisationOptions& options, const TrainingSize& size, double per_32) {
  if (options.learning_rate > 0) return options.learning_rate;
  const double scale = static_cast<double>(size.images_per_step) / 32;
  return per_32 * (options.lr_rule == "root" ? std::sqrt(scale) : scale);
}

// Steps of the schedule in an epoch, and in the run.
void complete_schedule(const OptimisationOptions& options, const TrainingSize& size, std::int64_t unit,
                       PaceOptions& pace) {
  const auto samples = static_cast<double>(size.samples);
  pace.schedule.steps_per_epoch = samples / static_cast<double>(unit);
  const double run = options.epochs * pace.schedule.steps_per_epoch;
  pace.schedule.shape = schedule_named(options.schedule);
  pace.schedule.milestones = options.multistep;
  pace.schedule.warmup = options.warmup;
  if (options.warmup_epochs > 0)
    pace.schedule.warmup = std::round(options.warmup_epochs * pace.schedule.steps_per_epoch);
  pace.schedule.steps = options.iterations > 0 ? static_cast<double>(options.iterations) : run;
  if (pace.rule == RateRule::fixed)
    pace.steps = options.iterations > 0 ? options.iterations : static_cast<std::int64_t>(std::ceil(run));
  else
    pace.end = run, pace.steps = options.iterations;
}

}  // namespace

void add_optimisation_options(CLI::App& command, OptimisationOptions& options, TrainerOptions& trainer) {
  begin_group(command, group::optimisation);
  add_length_options(command, options, trainer);
  add_schedule_options(command, options);
  add_optimizer_options(command, trainer.optimizer);
  add_loss_options(command, trainer.loss);
  command
      .add_option("--clip-norm", trainer.optimizer.clip_norm,
                  "Norm of all gradients that larger ones are made smaller to (0: off)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--ema", trainer.ema_decay,
                  "Decay of the weights' moving average, which is evaluated (0: none)")
      ->check(number_check("0 or more and under 1", [](double value) { return value >= 0 && value < 1; }))
      ->capture_default_str();
}

std::vector<InertOptions> inert_optimisation_options(const CLI::App& command,
                                                     const OptimisationOptions& options,
                                                     const TrainerOptions& trainer) {
  std::vector<InertOptions> inert;
  const std::string& optimizer = trainer.optimizer.name;
  const std::string chosen = "--optimizer " + optimizer;
  if (optimizer == "adamw") inert.push_back({chosen, {"--momentum"}});
  if (optimizer != "adamw") inert.push_back({chosen, {"--beta1", "--beta2"}});
  if (optimizer == "sgd") inert.push_back({chosen, {"--epsilon"}});
  if (optimizer != "lars") inert.push_back({chosen, {"--trust-coefficient"}});
  if (is_given(command, "--learning-rate"))
    inert.push_back({"--learning-rate", {"--learning-rate-per-32", "--lr-rule"}});
  if (options.iterations > 0 && options.schedule == "cosine")
    inert.push_back({"--iterations and --schedule cosine", {"--epochs"}});
  if (!options.batch_trace.empty()) inert.push_back({"--batch-trace", {"--learning-rate", "--accumulation"}});
  if (options.warmup_epochs > 0) inert.push_back({"--warmup-epochs", {"--warmup"}});
  if (options.schedule == "cosine") inert.push_back({"--schedule cosine", {"--multistep"}});
  if (options.lr_rule == "adascale") inert.push_back({"--lr-rule adascale", {"--warmup", "--warmup-epochs"}});
  return inert;
}

void complete_pace(const OptimisationOptions& options, const TrainingSize& size, TrainerOptions& trainer) {
  if (size.images_per_step > most_images_per_step)
    throw UsageError("--batch-size, --accumulation: got {} images a step, expected at most {}",
                     size.images_per_step, most_images_per_step);
  const double per_32 = options.rate_per_32 > 0 ? options.rate_per_32
                                                : model::optimizer_named(trainer.optimizer.name).rate_per_32;
  PaceOptions& pace = trainer.pace;
  const std::int64_t micro = size.images_per_step / trainer.step.accumulation;
  if (!options.batch_trace.empty()) pace.trace = read_batch_trace(options.batch_trace, micro);
  if (options.lr_rule == "adascale") {
    if (pace.trace.empty() && trainer.step.accumulation * size.replicas < 2)
      throw UsageError(
          "--lr-rule adascale: got steps of one gradient, expected several; pass --accumulation, "
          "--replicas or --batch-trace");
    pace.rule = RateRule::adascale;
    pace.base_images = trainer.step.batch;
    pace.schedule.rate = per_32 * static_cast<double>(pace.base_images) / 32;
  } else if (!pace.trace.empty()) {
    pace.rule = rate_rule_named(options.lr_rule);
    pace.base_images = 32;
    pace.schedule.rate = per_32;
  } else {
    pace.schedule.rate = peak_rate(options, size, per_32);
  }
  complete_schedule(options, size, pace.rule == RateRule::fixed ? size.images_per_step : pace.base_images,
                    pace);
}

RunState::Options recorded_optimisation(const OptimisationOptions& options, const TrainerOptions& trainer) {
  return {{"batch-size", fmt::format("{}", trainer.step.batch)},
          {"accumulation", fmt::format("{}", trainer.step.accumulation)},
          {"batch-trace", trainer.pace.trace.to_text()},
          {"learning-rate", fmt::format("{}", trainer.pace.schedule.rate)},
          {"lr-rule", options.lr_rule},
          {"schedule", options.schedule},
          {"warmup", fmt::format("{}", trainer.pace.schedule.warmup)},
          {"multistep", fmt::format("{}", fmt::join(options.multistep, " "))},
          {"optimizer", trainer.optimizer.name},
          {"momentum", fmt::format("{}", trainer.optimizer.momentum)},
          {"weight-decay", fmt::format("{}", trainer.optimizer.weight_decay)},
          {"beta1", fmt::format("{}", trainer.optimizer.beta1)},
          {"beta2", fmt::format("{}", trainer.optimizer.beta2)},
          {"epsilon", fmt::format("{}", trainer.optimizer.epsilon)},
          {"trust-coefficient", fmt::format("{}", trainer.optimizer.trust_coefficient)},
          {"clip-norm", fmt::format("{}", trainer.optimizer.clip_norm)},
          {"ema", fmt::format("{}", trainer.ema_decay)},
          {"label-smoothing", fmt::format("{}", trainer.loss.label_smoothing)},
          {"loc-weight", fmt::format("{}", trainer.loss.loc_weight)},
          {"conf-weight", fmt::format("{}", trainer.loss.conf_weight)},
          {"sync-batch-norm", fmt::format("{}", trainer.step.batch_norm_group)}};
}

}  // namespace ssd::cli
