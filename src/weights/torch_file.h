// Weights out of the files that PyTorch's torch.save writes (.pt, .pth).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace ssd {

struct TorchOptions {
  // The entry of the root dict that holds the tensors; dots lead further down ("optimizer.state"). Empty: the
  // root itself if it holds tensors, else where checkpoints have their weights (weights_key,
  // torch_tensors.h).
  std::string key;
};

// What a file of torch.save holds for a detector.
struct TorchFile {
  TensorMap tensors;  // dense and row-major, by dotted names ("state.0.momentum_buffer")
  std::string entry;  // where they were, as TorchOptions::key; empty: in the root
  std::map<std::int64_t, std::string> labels;  // the reference's "label_map": 0 is "background"; empty: none
  std::vector<std::string> entries;            // names in the root dict
  std::optional<std::int64_t> epoch, iteration;  // the reference's: the next epoch, steps done
};

// Whether bytes begin as either format does.
bool is_torch_file(std::span<const std::byte> bytes);

// Reads a file of either format, of PyTorch 1.6 and later (a zip archive) or before. Nested dicts and lists
// become dotted names; what is no tensor is left out. The file's pickle is read as data, never run: a name
// outside a closed list is refused with that name, and so is what costs more than the budget of
// pickle_budget.h. Throws Error for that, for TorchScript archives and for damaged files.
TorchFile read_torch_file(std::span<const std::byte> bytes, const std::string& name,
                          const TorchOptions& options = {});

// The tensors alone.
TensorMap read_torch(const std::filesystem::path& path, const TorchOptions& options = {});
// The same from memory; `name` stands in errors.
TensorMap parse_torch(std::span<const std::byte> bytes, const std::string& name,
                      const TorchOptions& options = {});

}  // namespace ssd
