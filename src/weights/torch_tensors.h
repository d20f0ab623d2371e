// Tensors out of an opened torch.save file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/tensor.h"
#include "weights/pickle.h"
#include "weights/torch_contents.h"

namespace ssd {

using TorchRecords = std::map<std::string, const pickle::StridedTensor*>;  // owned by the document

// Where the weights of a checkpoint lie, with dots from dict to dict: down from the root while there is no
// tensor, by the usual names ("model", "state_dict") or by the only entry with tensors. Empty: the root.
std::string weights_key(const pickle::Value& root);

// Tensors below `key` by dotted name. Throws Error, with `name` in front, where there is no such entry.
TorchRecords find_tensors(const pickle::Value& root, const std::string& key, const std::string& name);

// Makes them dense and row-major. Throws Error for tensors outside their storages and out of proportion to a
// file of so many bytes.
TensorMap load_tensors(const TorchRecords& records, const TorchStorages& storages, std::uint64_t file_bytes,
                       const std::string& name);

}  // namespace ssd
