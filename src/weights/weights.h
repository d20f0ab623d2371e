// Weights from whatever file they come in.
#pragma once

#include <filesystem>
#include <string>

#include "base/tensor.h"

namespace ssd {

struct WeightsOptions {
  std::string key;  // as in TorchOptions; not for safetensors
};

// The tensors of a safetensors file, a torch.save file (told apart by content, not by name) or a checkpoint
// folder (its model.safetensors). Throws Error for anything else.
TensorMap read_weights(const std::filesystem::path& path, const WeightsOptions& options = {});

// Names without the prefixes that PyTorch's data-parallel wrappers put in front: "module.1.conv.weight" and
// "module.conv.weight" become "conv.weight". Only a prefix that all names share is taken away.
TensorMap strip_wrapper_prefixes(TensorMap tensors);

}  // namespace ssd
