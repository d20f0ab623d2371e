#include "train/evaluator.h"

#include <utility>

#include "base/error.h"
#include "base/thread_pool.h"
#include "train/sharing.h"

namespace ssd {

Evaluator::Evaluator(graph::Device& device, const model::ModelOptions& model, const ValidationSet* validation,
                     Communicator& communicator, EvaluatorOptions options)
    : device_(device),
      model_(model),
      validation_(validation),
      communicator_(communicator),
      options_(std::move(options)),
      schedule_(options_.epochs) {}

std::optional<std::uint32_t> Evaluator::due(const StepSpan& step) const {
  if (!validation_) return std::nullopt;
  const auto result = schedule_.due(step);
  if (!schedule_.by_clock() || !(step.ends_epoch() || step.is_last)) return result;
  // Clocks differ: rank 0's counts.
  double told = communicator_.is_first() && result ? 1.0 + *result : 0;
  communicator_.all_reduce({&told, 1});
  return told > 0 ? std::optional(static_cast<std::uint32_t>(told) - 1) : std::nullopt;
}

std::optional<EvaluationReport> Evaluator::evaluate(const TensorMap& weights, AgreedStop& stop,
                                                    const Watch& watch) {
  const auto begin = EvaluationSchedule::Clock::now();
  if (!predictor_) predictor_.emplace(device_, model_, Predictor::Options{.batch = options_.batch});
  predictor_->load(broadcast(communicator_, weights));
  ThreadPool pool(available_processors());
  double bad_images = 0;
  try {
    const auto boxes = detect_set(*predictor_, validation_->dataset,
                                  {.threads = options_.threads,
                                   .communicator = &communicator_,
                                   .bad_images = options_.bad_images,
                                   .on_bad_image =
                                       [&](const BadImage& image) {
                                         ++bad_images;
                                         if (watch.on_bad_image) watch.on_bad_image(image);
                                       },
                                   .progress = watch.progress,
                                   .stop = [&stop] { return stop.agree(); }});
    communicator_.all_reduce({&bad_images, 1});
    schedule_.evaluated(begin, EvaluationSchedule::Clock::now());
    if (!communicator_.is_first()) return EvaluationReport{};
    EvaluationReport report = evaluate_detections(validation_->ground_truth, boxes, {.pool = &pool});
    report.bad_images = static_cast<std::size_t>(bad_images);
    return report;
  } catch (const Error&) {
    if (!stop) throw;
    return std::nullopt;
  }
}

}  // namespace ssd
