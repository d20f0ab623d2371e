// Files that torch.load(weights_only=True) reads: what torch.save would write of a dict with tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "base/tensor.h"

namespace ssd::torch_save {

struct Item;
struct Value;

struct Dict {
  enum class Kind { plain, ordered, counter };  // dict, collections.OrderedDict, collections.Counter
  std::vector<Item> items;                      // in the order in which Python will see them
  Kind kind = Kind::plain;

  void add(Value key, Value value);
};

struct List {
  std::vector<Value> items;
};

struct None {};

// A Python value. Tensors are views: their owners outlive the writing.
struct Value {
  std::variant<None, bool, std::int64_t, double, std::string, Dict, List, TensorView> data;
};

struct Item {
  Value key, value;
};

// Writes the zip format of PyTorch 1.6 and later, atomically: a pickle of protocol 2, and a storage on the
// CPU for each tensor, little-endian, at a multiple of 64 bytes. Tensors are dense and row-major and ask for
// no gradient. The same value gives the same bytes. Throws Error for text that is not UTF-8 and as StoredZip
// does.
void write(const std::filesystem::path& path, const Value& root);

}  // namespace ssd::torch_save
