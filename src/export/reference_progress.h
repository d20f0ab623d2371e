// Where a run of the PyTorch recipe stands, from its checkpoint.
#pragma once

#include <filesystem>
#include <optional>

#include "export/export_format.h"

namespace ssd {

// Of a .pt with the recipe's "epoch" (the next one), "iteration" and "optimizer"; SGD's momentum goes to the
// trained tensors in the order of write_reference_checkpoint's two groups. Nothing for a file that holds no
// epoch, no optimizer, or is none of torch.save. Throws Error for momentum that does not fit the network and
// for another optimizer's state.
std::optional<TrainingProgress> read_reference_progress(const std::filesystem::path& path,
                                                        const model::ModelOptions& model);

}  // namespace ssd
