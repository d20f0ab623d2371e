#include "weights/torch_tensors.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/one_line.h"
#include "weights/pickle_budget.h"
#include "weights/pickle_lookup.h"

namespace ssd {
namespace {

constexpr const char* save_again = "save it again with torch.save or as safetensors";

bool holds_tensors(const pickle::Value& value) {
  const pickle::Dict* const dict = std::get_if<pickle::Dict>(&value.data);
  return dict != nullptr && std::ranges::any_of(dict->items, [](const auto& item) {
           return std::holds_alternative<pickle::StridedTensor>(item.second->data);
         });
}

// The entry to look into; empty: none.
std::string usual_entry(const pickle::Value& value) {
  for (const char* usual : {"model", "state_dict", "model_state_dict", "net", "network", "weights"})
    if (const pickle::Value* const entry = pickle::entry_of(value, usual))
      if (std::holds_alternative<pickle::Dict>(entry->data)) return usual;
  std::string only;
  const pickle::Dict* const dict = std::get_if<pickle::Dict>(&value.data);
  if (dict == nullptr) return "";
  for (const auto& [key, item] : dict->items) {
    if (!holds_tensors(*item)) continue;
    if (!only.empty()) return "";
    only = pickle::key_text(*key);
  }
  return only;
}

// Finds the tensors in a document, by dotted name.
class TensorFinder {
 public:
  explicit TensorFinder(const std::string& name) : name_(name) {}

  TorchRecords find(const pickle::Value& root, const std::string& key) {
    collect(key.empty() ? root : descend(root, key), "", 0);
    return std::move(found_);
  }

 private:
  const pickle::Value& descend(const pickle::Value& root, std::string_view path) const {
    const std::size_t dot = path.find('.');
    const pickle::Value* const entry = pickle::entry_of(root, path.substr(0, dot));
    if (entry == nullptr)
      throw Error("{}: got no entry '{}' in it; {}", name_, path, one_line(keys_of(root)));
    return dot == std::string_view::npos ? *entry : descend(*entry, path.substr(dot + 1));
  }

  static std::string keys_of(const pickle::Value& value) {
    constexpr std::size_t keys_shown = 12;
    std::vector<std::string> keys;
    if (const pickle::Dict* const dict = std::get_if<pickle::Dict>(&value.data))
      for (const auto& [key, item] : dict->items)
        if (keys.size() < keys_shown) keys.push_back(pickle::key_text(*key));
    return keys.empty() ? "it has no entries" : fmt::format("choose among {}", fmt::join(keys, ", "));
  }

  // Bounded because values may be shared and form cycles.
  void collect(const pickle::Value& value, const std::string& prefix, std::size_t depth) {
    name_bytes_ += prefix.size();
    const auto over = [&](const char* what, std::uint64_t limit) {
      throw Error("{}: got values nested without end at '{}', over the budget of {} {}; {}", name_,
                  one_line(prefix), limit, what, save_again);
    };
    if (depth > pickle::budget.depth) over("levels", pickle::budget.depth);
    if (++visits_ > pickle::budget.visits) over("values", pickle::budget.visits);
    if (name_bytes_ > pickle::budget.name_bytes) over("bytes of names", pickle::budget.name_bytes);
    if (const auto* const tensor = std::get_if<pickle::StridedTensor>(&value.data))
      found_.insert_or_assign(prefix, tensor);
    const std::string start = prefix.empty() ? prefix : prefix + ".";
    if (const auto* const dict = std::get_if<pickle::Dict>(&value.data))
      for (const auto& [key, item] : dict->items) collect(*item, start + pickle::key_text(*key), depth + 1);
    if (const auto* const list = std::get_if<pickle::List>(&value.data))
      for (std::size_t i = 0; i < list->items.size(); ++i)
        collect(*list->items[i], start + std::to_string(i), depth + 1);
  }

  const std::string& name_;
  TorchRecords found_;
  std::uint64_t visits_ = 0;
  std::uint64_t name_bytes_ = 0;
};

// Makes dense tensors out of strided ones.
class TensorLoader {
 public:
  TensorLoader(const TorchStorages& storages, std::uint64_t file_bytes, const std::string& name)
      : storages_(storages), file_bytes_(file_bytes), budget_(8 * file_bytes + (1u << 20)), name_(name) {}

  Tensor load(const std::string& tensor_name, const pickle::StridedTensor& record) {
    check(tensor_name, record);
    Tensor tensor(record.storage.dtype, Shape(record.shape));
    if (tensor.elements() == 0) return tensor;
    const std::size_t element = size_of(record.storage.dtype);
    const std::byte* const base =
        storage(record.storage).data() + static_cast<std::size_t>(record.offset) * element;
    if (is_dense(record)) {
      std::memcpy(tensor.data(), base, tensor.bytes());
    } else {
      std::byte* out = tensor.data();
      gather(record, 0, base, out);
    }
    return tensor;
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail(const std::string& tensor_name, fmt::format_string<Args...> format,
                         Args&&... args) const {
    throw Error("{}: tensor '{}': {}; {}", name_, one_line(tensor_name),
                fmt::format(format, std::forward<Args>(args)...), save_again);
  }

  // Every element lies inside the storage, and the dense tensors stay in proportion to the file (a stride of
  // 0 could make a few bytes into terabytes).
  void check(const std::string& tensor_name, const pickle::StridedTensor& record) {
    const auto& [storage, offset, shape, strides] = record;
    if (shape.size() != strides.size() || shape.size() > 16)
      fail(tensor_name, "got {} extents and {} strides, expected as many, at most 16", shape.size(),
           strides.size());
    const std::int64_t element = static_cast<std::int64_t>(size_of(storage.dtype));
    std::int64_t last = offset, bytes = element;
    bool empty = false, overflow = offset < 0 || storage.elements < 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < 0 || strides[axis] < 0)
        fail(tensor_name, "got extent {} with stride {}", shape[axis], strides[axis]);
      empty = empty || shape[axis] == 0;
      const std::int64_t extent = std::max<std::int64_t>(shape[axis], 1);
      std::int64_t reach = 0;
      overflow = overflow || __builtin_mul_overflow(extent - 1, strides[axis], &reach) ||
                 __builtin_add_overflow(last, reach, &last) || __builtin_mul_overflow(bytes, extent, &bytes);
    }
    if (overflow || (!empty && last >= storage.elements))
      fail(tensor_name, "got shape {} at {} outside its storage of {} elements", to_string(Shape(shape)),
           offset, storage.elements);
    if (empty) return;
    if (static_cast<std::uint64_t>(bytes) > budget_)
      fail(tensor_name, "got shape {}, expected tensors in proportion to a file of {} bytes",
           to_string(Shape(shape)), file_bytes_);
    budget_ -= static_cast<std::uint64_t>(bytes);
  }

  static bool is_dense(const pickle::StridedTensor& record) {
    std::int64_t expected = 1;
    for (std::size_t axis = record.shape.size(); axis-- > 0;) {
      if (record.shape[axis] != 1 && record.strides[axis] != expected) return false;
      expected *= record.shape[axis];
    }
    return true;
  }

  static void gather(const pickle::StridedTensor& record, std::size_t axis, const std::byte* from,
                     std::byte*& out) {
    const std::size_t element = size_of(record.storage.dtype);
    if (axis == record.shape.size()) {
      std::memcpy(out, from, element);
      out += element;
      return;
    }
    const std::size_t step = static_cast<std::size_t>(record.strides[axis]) * element;
    for (std::int64_t i = 0; i < record.shape[axis]; ++i)
      gather(record, axis + 1, from + static_cast<std::size_t>(i) * step, out);
  }

  // The last one read is kept: tensors come in the order of their storages.
  const std::vector<std::byte>& storage(const pickle::Storage& wanted) {
    if (loaded_key_ != wanted.key) {
      loaded_ = storages_.storage(wanted.key);
      loaded_key_ = wanted.key;
      read_ += loaded_.size();
      if (read_ > 2 * file_bytes_ + (1u << 20))
        throw Error(
            "{}: got storages of {} bytes, expected them in proportion to a file of {}; get the file again",
            name_, read_, file_bytes_);
    }
    if (loaded_.size() / size_of(wanted.dtype) < static_cast<std::uint64_t>(wanted.elements))
      throw Error("{}: storage '{}': got {} bytes, expected {} elements of {}; get the file again", name_,
                  one_line(wanted.key), loaded_.size(), wanted.elements, name_of(wanted.dtype));
    return loaded_;
  }

  const TorchStorages& storages_;
  std::uint64_t file_bytes_;
  std::uint64_t read_ = 0;  // bytes of storages
  std::uint64_t budget_;    // bytes that dense tensors may still take
  const std::string& name_;
  std::optional<std::string> loaded_key_;
  std::vector<std::byte> loaded_;
};

}  // namespace

std::string weights_key(const pickle::Value& root) {
  constexpr int deepest = 4;  // a dict may hold itself
  std::string key;
  const pickle::Value* value = &root;
  for (int depth = 0; depth < deepest && !holds_tensors(*value); ++depth) {
    const std::string entry = usual_entry(*value);
    if (entry.empty() || entry.find('.') != std::string::npos) break;
    key += (key.empty() ? "" : ".") + entry;
    value = pickle::entry_of(*value, entry);
  }
  return key;
}

TorchRecords find_tensors(const pickle::Value& root, const std::string& key, const std::string& name) {
  return TensorFinder(name).find(root, key);
}

TensorMap load_tensors(const TorchRecords& records, const TorchStorages& storages, std::uint64_t file_bytes,
                       const std::string& name) {
  std::vector<const TorchRecords::value_type*> by_storage;
  for (const auto& record : records) by_storage.push_back(&record);
  std::ranges::stable_sort(by_storage, [](const auto* a, const auto* b) {
    return a->second->storage.key < b->second->storage.key;
  });
  TensorLoader loader(storages, file_bytes, name);
  TensorMap tensors;
  for (const auto* record : by_storage)
    tensors.emplace(record->first, loader.load(record->first, *record->second));
  return tensors;
}

}  // namespace ssd
