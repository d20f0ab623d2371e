// The part of Python's pickle format that PyTorch writes, read as plain data. Nothing is ever executed:
// opcodes and globals come from closed lists, and a global outside the list is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"

namespace ssd::pickle {

// Names of Python that may stand in the stream.
enum class Global {
  ordered_dict,  // collections.OrderedDict
  counter,       // collections.Counter, in schedulers' state
  name_space,    // argparse.Namespace, in checkpoints' options
  size,          // torch.Size
  rebuild_tensor,
  rebuild_tensor_v2,
  rebuild_parameter,
  double_storage,
  float_storage,
  half_storage,
  bfloat16_storage,
  long_storage,
  int_storage,
  byte_storage,
  bool_storage,
};

struct Value;
using Ref = const Value*;  // owned by the Document; values may be shared and may form cycles

struct None {};
struct Tuple {
  std::vector<Ref> items;
};
struct List {
  std::vector<Ref> items;
};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;  // in the stream's order; a later key overrides an equal one
};
// The elements of one or several tensors, kept outside the stream.
struct Storage {
  DType dtype;  // BoolStorage is read as u8
  std::string key;
  std::int64_t elements;
};
// A strided look at a storage; offset and strides in elements. Unchecked.
struct StridedTensor {
  Storage storage;
  std::int64_t offset;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

struct Value {
  std::variant<None, bool, std::int64_t, double, std::string, Tuple, List, Dict, Global, Storage,
               StridedTensor>
      data;
};

// What a stream holds: the root and everything reachable from it.
class Document {
 public:
  const Value& root() const { return *root_; }
  std::size_t bytes() const { return bytes_; }  // of the stream, up to its STOP
  // Every storage that the stream names, by its key, with its element type.
  const std::map<std::string, DType>& storages() const { return storages_; }

 private:
  friend class Machine;
  std::deque<Value> values_;
  Ref root_ = nullptr;
  std::size_t bytes_ = 0;
  std::map<std::string, DType> storages_;
};

// Reads the stream of protocol 2 to 5 that the bytes begin with, within the budget of pickle_budget.h. Throws
// Error with `name`, the byte position and what was found there.
Document parse(std::span<const std::byte> stream, const std::string& name);

}  // namespace ssd::pickle
