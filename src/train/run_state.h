// What a checkpoint says of its run, beside the tensors: state.json.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "data/dataset/dataset_identity.h"
#include "model/options.h"
#include "train/pace.h"

namespace ssd {

struct RunState {
  model::ModelOptions model;             // precision is a choice of each run and not kept
  std::vector<CocoCategory> categories;  // label 1 is categories[0], and so on
  std::int64_t step = 0;                 // steps done
  std::uint32_t epoch = 0;               // of the next sample
  std::uint64_t sample = 0;              // place of the next sample in its epoch's order
  std::uint64_t seed = 0;
  std::int64_t images_per_step = 0;  // a resumed run must have the same
  std::uint64_t samples = 0;         // in the training set; likewise
  DatasetIdentity data;              // likewise; not known of runs of version 0.1

  // The epoch, counted from 0, whose evaluation is to follow the step and has not been made yet. Checkpoints
  // of versions before 0.2 do not tell: there the run's log does.
  std::optional<std::uint32_t> owed_evaluation;
  bool tells_owed_evaluation = true;

  PaceState pace;  // after `step`; where a checkpoint does not tell, a step forward for each step

  // Of the evaluations so far.
  struct Best {
    double average_precision = 0, average_precision_50 = 0;
    std::int64_t step = 0;
    std::uint32_t epoch = 0;
    int evaluations_since = 0;
  };
  std::optional<Best> best;

  // Command-line options, by name, that shape the steps: "learning-rate", "augment".
  using Options = std::map<std::string, std::string>;
  Options options;
};

// JSON text; the same state gives the same text.
std::string to_json(const RunState& state);

// Throws Error, with `name` in front, for text that is not such a state: every field is of its type and in
// its range, the position lies within the data set, and nothing was owed or best after it.
RunState parse_run_state(const std::string& json, const std::string& name);

}  // namespace ssd
