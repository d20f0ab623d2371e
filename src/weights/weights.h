// Weights from whatever file they come in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/tensor.h"

namespace ssd {

// Weights of a network, under the names that its own state_dict has.
struct NetworkWeights {
  TensorMap tensors;
  std::map<std::int64_t, std::string> labels;  // of the reference's label_map: 0 is "background"; empty: none
  std::map<std::string, std::string> metadata;  // of a safetensors file
  std::string note;  // what was done to find them, one line: "in 'model', without 'module.' before the names"
};

// The tensors of a safetensors file, a torch.save file (told apart by content, not by name) or a checkpoint
// folder (its model.safetensors), as people save them: with a prefix before all names (of PyTorch's wrappers,
// or of a member that holds the network: "module.1.", "backbone.", "model."), which is taken off, or in a
// dict within a checkpoint. Throws Error for anything else.
NetworkWeights read_network_weights(const std::filesystem::path& path);

// Names without prefixes of that kind; only one that all names share is taken away, and returned.
std::string strip_common_prefixes(TensorMap& tensors);

}  // namespace ssd
