// The two file formats of torch.save, opened: a pickle, and the storages that it names.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weights/pickle.h"

namespace ssd {

// The elements that tensors look at, little-endian.
class TorchStorages {
 public:
  virtual ~TorchStorages() = default;
  // All bytes of a storage. Throws Error where the file does not hold it whole.
  virtual std::vector<std::byte> storage(const std::string& key) const = 0;
};

struct TorchContents {
  pickle::Document document;
  std::unique_ptr<TorchStorages> storages;  // reads the file's bytes, which must outlive it
};

// The zip format of PyTorch 1.6 and later. Throws Error for damaged files and for TorchScript archives.
TorchContents open_torch_zip(std::span<const std::byte> bytes, const std::string& name);

// The format before: pickles of a magic number, the format's version, the machine, the object and its
// storages' names, then the storages, each a count (i64) and its elements.
TorchContents open_torch_legacy(std::span<const std::byte> bytes, const std::string& name);
// Whether the file begins with that format's magic number.
bool is_torch_legacy(std::span<const std::byte> bytes);

}  // namespace ssd
