// Evaluations during a run: after which steps, and how.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/communicator.h"
#include "detect/evaluation.h"
#include "detect/predictor.h"
#include "train/agreed_stop.h"
#include "train/evaluation_schedule.h"

namespace ssd {

// What an evaluation looks at.
struct ValidationSet {
  CocoFile ground_truth;
  Dataset dataset;
};

struct EvaluatorOptions {
  std::optional<std::vector<int>> epochs;  // as for EvaluationSchedule
  std::int64_t batch = 8;                  // images a replica
  int threads = 1;                         // that prepare images
  LoaderOptions::BadImages bad_images = LoaderOptions::BadImages::replace;
};

class Evaluator {
 public:
  // Without a validation set nothing is ever due. All but the options outlive the evaluator.
  Evaluator(graph::Device& device, const model::ModelOptions& model, const ValidationSet* validation,
            Communicator& communicator, EvaluatorOptions options);

  // The epoch that an evaluation is to follow, if one is due after the step (evaluation_schedule.h). Every
  // process asks of the same steps, and gets the same answer.
  std::optional<std::uint32_t> due(const StepSpan& step) const;

  struct Watch {
    std::function<void(const BadImage&)> on_bad_image;
    std::function<void(std::uint64_t done, std::uint64_t of)> progress;  // images
  };
  // Of weights by state_dict names, rank 0's. Nothing where `stop` was set before its end. Every process
  // looks at its share of the images; rank 0 gets the report, the others an empty one.
  std::optional<EvaluationReport> evaluate(const TensorMap& weights, AgreedStop& stop, const Watch& watch);

 private:
  graph::Device& device_;
  const model::ModelOptions& model_;
  const ValidationSet* validation_;
  Communicator& communicator_;
  EvaluatorOptions options_;
  EvaluationSchedule schedule_;
  std::optional<Predictor> predictor_;  // from the first evaluation on
};

}  // namespace ssd
