// Weights out of the files that PyTorch's torch.save writes (.pt, .pth).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/tensor.h"

namespace ssd {

// What a file of torch.save holds for a detector.
struct TorchFile {
  TensorMap tensors;  // dense and row-major, by dotted names ("state.0.momentum_buffer")
  // Where they were: the root itself if it holds tensors (then empty), else where checkpoints have their
  // weights (weights_key, torch_tensors.h). Dots lead from dict to dict.
  std::string entry;
  std::map<std::int64_t, std::string> labels;  // the reference's "label_map": 0 is "background"; empty: none
};

// Where a run of the reference stands, by the entries of its checkpoint.
struct TorchProgress {
  std::int64_t epoch = 0, iteration = 0;  // the next epoch, steps done
  TensorMap optimizer;                    // "0.momentum_buffer"
};

// Whether bytes begin as either format does.
bool is_torch_file(std::span<const std::byte> bytes);

// Reads a file of either format, of PyTorch 1.6 and later (a zip archive) or before. Nested dicts and lists
// become dotted names; what is no tensor is left out. The file's pickle is read as data, never run: a name
// outside a closed list is refused with that name, and so is what costs more than the budget of
// pickle_budget.h. Throws Error for that, for TorchScript archives and for damaged files.
TorchFile read_torch_file(std::span<const std::byte> bytes, const std::string& name);

// Nothing for a file without "epoch" or "optimizer". Throws Error as read_torch_file does.
std::optional<TorchProgress> read_torch_progress(std::span<const std::byte> bytes, const std::string& name);

}  // namespace ssd
