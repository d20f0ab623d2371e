#include "weights/safetensors.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "storage/atomic_file.h"

namespace ssd {
namespace {

constexpr std::size_t prefix_bytes = 8;                // the header's size
constexpr std::size_t max_header_bytes = 100'000'000;  // the format's own limit
constexpr const char* metadata_key = "__metadata__";
constexpr const char* damaged = "the file is damaged, get it again";

std::optional<DType> dtype_named(std::string_view name) {
  if (name == "F64") return DType::f64;
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  if (name == "U8" || name == "BOOL") return DType::u8;
  if (name == "I32") return DType::i32;
  if (name == "I64") return DType::i64;
  return std::nullopt;
}

const char* safetensors_name(DType type) {
  switch (type) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::u8:
      return "U8";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
  }
  return "";
}

// Reads a header. Errors carry the file's name and, within a tensor's entry, the tensor's.
class HeaderParser {
 public:
  HeaderParser(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  SafetensorsContent parse() {
    const std::string_view header = header_text();
    data_ = bytes_.subspan(prefix_bytes + header.size());
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    const simdjson::padded_string padded(header);  // keeps the text alive while it is read
    const simdjson::error_code code = parser.parse(padded).get(root);
    if (code != simdjson::SUCCESS) fail("header: got bad JSON ({})", simdjson::error_message(code));
    simdjson::dom::object entries;
    if (root.get(entries) != simdjson::SUCCESS) fail("header: got JSON that is no object");
    for (const auto [key, value] : entries) {
      if (key == metadata_key) {
        read_metadata(value);
      } else {
        read_tensor(std::string(key), value);
      }
    }
    check_coverage();
    return std::move(content_);
  }

 private:
  struct Extent {
    std::size_t begin, end;
    std::string name;
  };

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error("{}: {}, expected a safetensors file; {}", name_,
                one_line(fmt::format(format, std::forward<Args>(args)...)), damaged);
  }

  std::string_view header_text() const {
    if (bytes_.size() < prefix_bytes) fail("size: got {} bytes", bytes_.size());
    std::uint64_t size = 0;
    for (std::size_t i = prefix_bytes; i-- > 0;) size = size << 8 | std::to_integer<std::uint64_t>(bytes_[i]);
    if (size > max_header_bytes || size > bytes_.size() - prefix_bytes)
      fail("header size: got {} in a file of {} bytes", size, bytes_.size());
    return {reinterpret_cast<const char*>(bytes_.data()) + prefix_bytes, static_cast<std::size_t>(size)};
  }

  void read_metadata(simdjson::dom::element value) {
    simdjson::dom::object entries;
    if (value.get(entries) != simdjson::SUCCESS) fail("{}: got no object", metadata_key);
    for (const auto [key, text] : entries) {
      std::string_view view;
      if (text.get(view) != simdjson::SUCCESS) fail("{}: got '{}' that is no text", metadata_key, key);
      content_.metadata.insert_or_assign(std::string(key), std::string(view));
    }
  }

  void read_tensor(const std::string& name, simdjson::dom::element value) {
    simdjson::dom::object entry;
    if (value.get(entry) != simdjson::SUCCESS) fail("tensor '{}': got no object", name);
    std::string_view type_name;
    if (entry["dtype"].get(type_name) != simdjson::SUCCESS) fail("tensor '{}': got no dtype", name);
    const std::optional<DType> dtype = dtype_named(type_name);
    if (!dtype)
      throw Error(
          "{}: tensor '{}': got dtype {}, expected one of F64 F32 F16 BF16 U8 BOOL I32 I64; convert it first",
          name_, one_line(name), one_line(type_name));
    const Shape shape = read_shape(name, entry);
    const auto [begin, end] = read_offsets(name, entry);
    if (end - begin != bytes_of(name, *dtype, shape))
      fail("tensor '{}': got {} bytes for shape {} of {}", name, end - begin, to_string(shape), type_name);
    const TensorView view{*dtype, shape, data_.data() + begin};
    if (!content_.tensors.emplace(name, view).second) fail("tensor '{}': got the name twice", name);
    extents_.push_back({begin, end, name});
  }

  Shape read_shape(const std::string& name, simdjson::dom::object entry) const {
    simdjson::dom::array array;
    if (entry["shape"].get(array) != simdjson::SUCCESS) fail("tensor '{}': got no shape", name);
    std::vector<std::int64_t> extents;
    for (const simdjson::dom::element element : array) {
      std::int64_t extent = -1;
      if (element.get(extent) != simdjson::SUCCESS || extent < 0)
        fail("tensor '{}': got a shape that is not all counts", name);
      extents.push_back(extent);
    }
    return Shape(std::move(extents));
  }

  std::pair<std::size_t, std::size_t> read_offsets(const std::string& name,
                                                   simdjson::dom::object entry) const {
    simdjson::dom::array array;
    if (entry["data_offsets"].get(array) != simdjson::SUCCESS || array.size() != 2)
      fail("tensor '{}': got no pair of data_offsets", name);
    std::uint64_t begin = 0, end = 0;
    if (array.at(0).get(begin) != simdjson::SUCCESS || array.at(1).get(end) != simdjson::SUCCESS)
      fail("tensor '{}': got data_offsets that are no counts", name);
    if (begin > end || end > data_.size())
      fail("tensor '{}': got data_offsets [{}, {}] in {} bytes of data", name, begin, end, data_.size());
    return {begin, end};
  }

  // A product that does not fit 64 bits cannot be the size of anything in the file. Extents of 0 are left out
  // of the check, so that no order of multiplication overflows later.
  std::size_t bytes_of(const std::string& name, DType dtype, const Shape& shape) const {
    std::int64_t product = static_cast<std::int64_t>(size_of(dtype));
    bool empty = false;
    for (const std::int64_t extent : shape.extents()) {
      empty = empty || extent == 0;
      if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product))
        fail("tensor '{}': got shape {}, more than memory", name, to_string(shape));
    }
    return empty ? 0 : static_cast<std::size_t>(product);
  }

  // Tensors lie end to end from the first byte of the data to the last.
  void check_coverage() {
    std::ranges::sort(extents_, {}, [](const Extent& extent) { return std::pair(extent.begin, extent.end); });
    std::size_t covered = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin != covered)
        fail("tensor '{}': got data_offsets from {}, {} of the tensor before it at {}", extent.name,
             extent.begin, extent.begin < covered ? "inside" : "away from the end", covered);
      covered = extent.end;
    }
    if (covered != data_.size()) fail("data: got {} bytes for {} in tensors", data_.size(), covered);
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::span<const std::byte> data_;
  SafetensorsContent content_;
  std::vector<Extent> extents_;
};

using Entry = std::pair<const std::string, TensorView>;

// The header with its size in front, padded with spaces so that the data starts at a multiple of 8.
std::string make_header(const std::vector<const Entry*>& order, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  std::size_t offset = 0;
  for (const Entry* entry : order) {
    const auto& [name, view] = *entry;
    const std::span<const std::int64_t> extents = view.shape.extents();
    header[name] = {{"dtype", safetensors_name(view.dtype)},
                    {"shape", std::vector<std::int64_t>(extents.begin(), extents.end())},
                    {"data_offsets", {offset, offset + view.bytes()}}};
    offset += view.bytes();
  }
  std::string text = header.dump();
  text.append((prefix_bytes - text.size() % prefix_bytes) % prefix_bytes, ' ');
  std::string prefix;
  for (std::size_t i = 0; i < prefix_bytes; ++i)
    prefix.push_back(static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xff));
  return prefix + text;
}

std::vector<const Entry*> order_in_file(const TensorViews& tensors, const std::string& name) {
  std::vector<const Entry*> order;
  for (const Entry& entry : tensors) {
    if (entry.first == metadata_key)
      throw Error("{}: got a tensor named {}, a name the format keeps; rename it", name, metadata_key);
    order.push_back(&entry);
  }
  std::ranges::stable_sort(order, std::greater{}, [](const Entry* e) { return size_of(e->second.dtype); });
  return order;
}

std::string header_of(const std::vector<const Entry*>& order, const Metadata& metadata,
                      const std::string& name) {
  try {
    return make_header(order, metadata);
  } catch (const nlohmann::json::type_error&) {
    throw Error("{}: got a tensor name or metadata that is not UTF-8; rename it", name);
  }
}

}  // namespace

SafetensorsContent parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  return HeaderParser(bytes, name).parse();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), content_(parse_safetensors(file_.bytes(), file_.name())) {
  for (auto& [name, view] : content_.tensors) {
    if (reinterpret_cast<std::uintptr_t>(view.data) % size_of(view.dtype) == 0) continue;
    realigned_.push_back(Tensor::copy_of(view));
    view.data = realigned_.back().data();
  }
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : content_.tensors) names.push_back(name);
  return names;
}

const TensorView& SafetensorsFile::view(std::string_view name) const {
  const auto found = content_.tensors.find(name);
  if (found == content_.tensors.end())
    throw Error("{}: got no tensor '{}' among its {}; check that the file belongs to this model",
                file_.name(), name, content_.tensors.size());
  return found->second;
}

TensorMap read_safetensors(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  TensorMap tensors;
  for (const auto& [name, view] : file.tensors()) tensors.emplace(name, Tensor::copy_of(view));
  file.check_unchanged();
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const TensorViews& tensors,
                       const Metadata& metadata) {
  const std::vector<const Entry*> order = order_in_file(tensors, path.string());
  const std::string header = header_of(order, metadata, path.string());
  AtomicFile file(path);
  file.write(header);
  for (const Entry* entry : order) file.write(std::span(entry->second.data, entry->second.bytes()));
  file.commit();
}

std::string to_safetensors(const TensorMap& tensors) {
  const std::string name = "tensors";
  const TensorViews views(tensors.begin(), tensors.end());
  const std::vector<const Entry*> order = order_in_file(views, name);
  std::string bytes = header_of(order, {}, name);
  for (const Entry* entry : order)
    bytes.append(reinterpret_cast<const char*>(entry->second.data), entry->second.bytes());
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const Metadata& metadata) {
  write_safetensors(path, TensorViews(tensors.begin(), tensors.end()), metadata);
}

}  // namespace ssd
