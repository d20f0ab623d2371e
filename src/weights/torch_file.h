// Weights out of the files that PyTorch's torch.save writes (.pt, .pth).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/tensor.h"

namespace ssd {

struct TorchOptions {
  // The entry of the root dict that holds the tensors; dots lead further down ("optimizer.state"). Empty: the
  // root itself if it holds tensors, else its entry "model", "state_dict" or "model_state_dict".
  std::string key;
};

// The tensors of a torch.save file (the zip format of PyTorch 1.6 and later), dense and row-major. Nested
// dicts and lists become dotted names ("state.0.momentum_buffer"); what is no tensor is left out. The file's
// pickle is read as data, never run: a name outside a closed list is refused with that name. Throws Error for
// that, for the format of PyTorch before 1.6, for TorchScript archives and for damaged files.
TensorMap read_torch(const std::filesystem::path& path, const TorchOptions& options = {});

// The same from memory; `name` stands in errors.
TensorMap parse_torch(std::span<const std::byte> bytes, const std::string& name,
                      const TorchOptions& options = {});

}  // namespace ssd
