// The checkpoints of the PyTorch recipe: {epoch, iteration, model, optimizer, scheduler, label_map}.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "export/export_format.h"
#include "model/state.h"

namespace ssd {

// The names of the state_dict in the order of PyTorch's modules: backbone, additional blocks, loc, conf; a
// block's shortcut after its convolutions. Without num_batches_tracked.
std::vector<std::string> reference_order(const model::ModelOptions& model);

// The trained tensors as the recipe's optimizer numbers them: those without weight decay (of rank 1, and
// biases), then the rest, each in the order above.
std::vector<model::StateTensor> reference_parameters(const model::ModelOptions& model);

// As ExportFormat::write. `optimizer` is in the layout of torch.optim.SGD with the recipe's two groups
// (reference_parameters), `scheduler` in that of MultiStepLR; they are there where the checkpoint has
// momentum and milestones. Batch norms' num_batches_tracked is the number of steps.
std::vector<std::string> write_reference_checkpoint(const ExportSource& source,
                                                    const std::filesystem::path& path);

}  // namespace ssd
