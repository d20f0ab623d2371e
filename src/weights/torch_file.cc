#include "weights/torch_file.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/one_line.h"
#include "storage/mapped_file.h"
#include "weights/pickle.h"

namespace ssd {
namespace {

constexpr std::uint64_t max_pickle_bytes = 16u << 20;  // ResNet-152 with its optimizer takes under 1 MiB
constexpr const char* save_again = "save it again with torch.save or as safetensors";

// The archive of a torch.save file: FOLDER/data.pkl, and a file FOLDER/data/KEY for each storage.
class TorchArchive {
 public:
  TorchArchive(std::span<const std::byte> bytes, const std::string& name) : size_(bytes.size()), name_(name) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    if (source != nullptr) {
      archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
      if (archive_ == nullptr) zip_source_free(source);
    }
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (archive_ == nullptr) throw Error("{}: got a bad zip archive ({}); get the file again", name_, reason);
    find_folder();
  }

  std::vector<std::byte> read(const std::string& member, std::uint64_t limit) const {
    const std::string path = folder_ + member;
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat(archive_.get(), path.c_str(), 0, &status) != 0) fail(path, "is missing");
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if ((status.valid & needed) != needed || status.comp_method != ZIP_CM_STORE)
      throw Error("{}: got a compressed '{}', expected it stored; {}", name_, one_line(path), save_again);
    if (status.size > std::min<std::uint64_t>(size_, limit))
      fail(path, fmt::format("has {} bytes in a file of {}", status.size, size_));
    std::vector<std::byte> content(static_cast<std::size_t>(status.size));
    const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen(archive_.get(), path.c_str(), 0));
    if (file == nullptr) fail(path, zip_strerror(archive_.get()));
    if (zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size()))
      fail(path, "ends early or has a wrong checksum");
    std::byte extra;  // reading the end makes libzip check the checksum
    if (zip_fread(file.get(), &extra, 1) != 0) fail(path, "has a wrong checksum");
    return content;
  }

  bool contains(const std::string& member) const {
    return zip_name_locate(archive_.get(), (folder_ + member).c_str(), 0) >= 0;
  }

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  struct CloseMember {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };

  [[noreturn]] void fail(const std::string& member, std::string_view problem) const {
    throw Error("{}: member '{}' {}, expected a whole torch.save file; get the file again", name_,
                one_line(member), problem);
  }

  void find_folder() {
    constexpr std::string_view pickle_name = "/data.pkl";
    const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
      const char* const raw = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
      const std::string_view path = raw != nullptr ? raw : "";
      if (!path.ends_with(pickle_name) || path.find('/') != path.size() - pickle_name.size()) continue;
      folder_ = std::string(path.substr(0, path.size() - pickle_name.size() + 1));
      return;
    }
    throw Error("{}: got a zip archive without data.pkl, expected a torch.save file; give the weights' file",
                name_);
  }

  std::uint64_t size_;
  const std::string& name_;
  std::unique_ptr<zip_t, Discard> archive_;
  std::string folder_;  // with its slash
};

// Finds the tensors in a document, by dotted name.
class TensorFinder {
 public:
  using Found = std::map<std::string, const pickle::StridedTensor*>;

  explicit TensorFinder(const std::string& name) : name_(name) {}

  Found find(const pickle::Value& root, const TorchOptions& options) {
    if (!options.key.empty()) {
      collect(descend(root, options.key), "", 0);
    } else if (const pickle::Value* const entry = usual_entry(root)) {
      collect(*entry, "", 0);
    } else {
      collect(root, "", 0);
    }
    return std::move(found_);
  }

 private:
  // A checkpoint has no tensor at its root, and one of the usual names for the weights.
  static const pickle::Value* usual_entry(const pickle::Value& root) {
    const pickle::Dict* const dict = std::get_if<pickle::Dict>(&root.data);
    if (dict == nullptr) return nullptr;
    for (const auto& [key, value] : dict->items)
      if (std::holds_alternative<pickle::StridedTensor>(value->data)) return nullptr;
    for (const std::string_view usual : {"model", "state_dict", "model_state_dict"})
      if (const pickle::Value* const value = entry_of(root, usual)) return value;
    return nullptr;
  }

  static std::string key_text(const pickle::Value& key) {
    if (const std::string* const text = std::get_if<std::string>(&key.data)) return *text;
    if (const std::int64_t* const number = std::get_if<std::int64_t>(&key.data))
      return std::to_string(*number);
    return "";
  }

  // The last entry of that name, as in Python; null if there is none.
  static const pickle::Value* entry_of(const pickle::Value& value, std::string_view name) {
    const pickle::Dict* const dict = std::get_if<pickle::Dict>(&value.data);
    const pickle::Value* entry = nullptr;
    if (dict == nullptr) return entry;
    for (const auto& [key, item] : dict->items)
      if (key_text(*key) == name) entry = item;
    return entry;
  }

  const pickle::Value& descend(const pickle::Value& root, std::string_view path) const {
    const std::size_t dot = path.find('.');
    const pickle::Value* const entry = entry_of(root, path.substr(0, dot));
    if (entry == nullptr)
      throw Error("{}: got no entry '{}' in it; {}", name_, path, one_line(keys_of(root)));
    return dot == std::string_view::npos ? *entry : descend(*entry, path.substr(dot + 1));
  }

  static std::string keys_of(const pickle::Value& value) {
    constexpr std::size_t keys_shown = 12;
    std::vector<std::string> keys;
    if (const pickle::Dict* const dict = std::get_if<pickle::Dict>(&value.data))
      for (const auto& [key, item] : dict->items)
        if (keys.size() < keys_shown) keys.push_back(key_text(*key));
    return keys.empty() ? "it has no entries" : fmt::format("choose among {}", fmt::join(keys, ", "));
  }

  // Depth and count are bounded because values may be shared and form cycles.
  void collect(const pickle::Value& value, const std::string& prefix, int depth) {
    constexpr int max_depth = 32;
    constexpr int max_visits = 1'000'000;
    if (depth > max_depth || ++visits_ > max_visits)
      throw Error("{}: got values nested without end at '{}', expected a dict of tensors; {}", name_,
                  one_line(prefix), save_again);
    if (const auto* const tensor = std::get_if<pickle::StridedTensor>(&value.data))
      found_.insert_or_assign(prefix, tensor);
    const std::string start = prefix.empty() ? prefix : prefix + ".";
    if (const auto* const dict = std::get_if<pickle::Dict>(&value.data))
      for (const auto& [key, item] : dict->items) collect(*item, start + key_text(*key), depth + 1);
    if (const auto* const list = std::get_if<pickle::List>(&value.data))
      for (std::size_t i = 0; i < list->items.size(); ++i)
        collect(*list->items[i], start + std::to_string(i), depth + 1);
  }

  const std::string& name_;
  Found found_;
  int visits_ = 0;
};

// Makes dense tensors out of strided ones.
class TensorLoader {
 public:
  TensorLoader(const TorchArchive& archive, std::uint64_t file_bytes, const std::string& name)
      : archive_(archive), file_bytes_(file_bytes), budget_(8 * file_bytes + (1u << 20)), name_(name) {}

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

  // Tensors that share a storage mostly follow one another: the last one read is kept.
  const std::vector<std::byte>& storage(const pickle::Storage& wanted) {
    if (loaded_key_ != wanted.key) {
      loaded_ = archive_.read("data/" + wanted.key, file_bytes_);
      loaded_key_ = wanted.key;
    }
    if (loaded_.size() / size_of(wanted.dtype) < static_cast<std::uint64_t>(wanted.elements))
      throw Error("{}: storage '{}': got {} bytes, expected {} elements of {}; get the file again", name_,
                  one_line(wanted.key), loaded_.size(), wanted.elements, name_of(wanted.dtype));
    return loaded_;
  }

  const TorchArchive& archive_;
  std::uint64_t file_bytes_;
  std::uint64_t budget_;  // bytes that dense tensors may still take
  const std::string& name_;
  std::optional<std::string> loaded_key_;
  std::vector<std::byte> loaded_;
};

void check_is_archive(std::span<const std::byte> bytes, const std::string& name) {
  const auto starts_with = [&](std::string_view magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  };
  if (starts_with("PK")) return;
  if (starts_with("\x80"))
    throw Error(
        "{}: got the torch.save format from before PyTorch 1.6, expected its zip format; load it in PyTorch "
        "and save it again",
        name);
  throw Error("{}: got no zip archive, expected a torch.save file; give a .pt or .pth file", name);
}

void check_byte_order(const TorchArchive& archive, const std::string& name) {
  if (!archive.contains("byteorder")) return;  // files before PyTorch 2.1: little-endian
  const std::vector<std::byte> order = archive.read("byteorder", 16);
  if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
    throw Error("{}: got big-endian tensors, expected little-endian; save it again on such a machine", name);
}

}  // namespace

TensorMap parse_torch(std::span<const std::byte> bytes, const std::string& name,
                      const TorchOptions& options) {
  check_is_archive(bytes, name);
  const TorchArchive archive(bytes, name);
  if (archive.contains("constants.pkl"))
    throw Error("{}: got a TorchScript archive, expected weights; save the module's state_dict()", name);
  check_byte_order(archive, name);
  const std::vector<std::byte> stream = archive.read("data.pkl", max_pickle_bytes);
  const pickle::Document document = pickle::parse(stream, name);
  TensorLoader loader(archive, bytes.size(), name);
  TensorMap tensors;
  for (const auto& [tensor_name, record] : TensorFinder(name).find(document.root(), options))
    tensors.emplace(tensor_name, loader.load(tensor_name, *record));
  if (tensors.empty())
    throw Error("{}: got no tensors{}, expected weights; check what was saved", name,
                options.key.empty() ? "" : " in '" + options.key + "'");
  return tensors;
}

TensorMap read_torch(const std::filesystem::path& path, const TorchOptions& options) {
  const MappedFile file(path);
  TensorMap tensors = parse_torch(file.bytes(), file.name(), options);
  file.check_unchanged();
  return tensors;
}

}  // namespace ssd
