// What the parts of a run are made of: the trainer's options turned into theirs.
#pragma once

#include <memory>

#include "data/loader/loader.h"
#include "model/training_program.h"
#include "train/batch_norm_statistics.h"
#include "train/trainer.h"

namespace ssd {

// A run's state at its start or resumption: what the task and the options say, in the checkpoint's terms.
RunState begun(RunState state, const TrainingTask& task, const TrainerOptions& options);

// The step that a checkpoint was written after, where its state does not tell.
StepSpan last_step_of(const RunState& state);

LoaderOptions loader_options(const TrainingTask& task, const TrainerOptions& options, const RunState& state);
EvaluatorOptions evaluator_options(const TrainerOptions& options);
StatisticsOptions statistics_options(const TrainerOptions& options, const RunState& state);
// Rank 0's; the other processes write nothing.
CheckpointOptions checkpoint_options(const TrainingTask& task, const TrainerOptions& options);
// But for rests_after.
StepPipeline::Options pipeline_options(const TrainingTask& task, const TrainerOptions& options,
                                       const RunState& state);

// Compiled, which may take minutes, and loaded.
std::unique_ptr<model::TrainingProgram> make_program(const TrainingTask& task, const TrainerOptions& options,
                                                     const RunState& state, const model::State& tensors,
                                                     std::int64_t max_boxes);

}  // namespace ssd
