#include "weights/npz.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/one_line.h"
#include "storage/mapped_file.h"
#include "weights/safetensors.h"
#include "weights/zip_archive.h"

namespace ssd {
namespace {

constexpr ZipArchive::Kind npz_kind{.whole = "a whole file of numpy.savez",
                                    .again = "save it again with numpy.savez"};
constexpr std::string_view npy_magic = "\x93NUMPY", zip_magic = "PK\x03\x04", suffix = ".npy";
constexpr std::size_t most_dimensions = 32;

bool begins_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

std::optional<DType> dtype_named(std::string_view name) {
  if (name == "<f8") return DType::f64;
  if (name == "<f4") return DType::f32;
  if (name == "<f2") return DType::f16;
  if (name == "|u1" || name == "|b1") return DType::u8;
  if (name == "<i4") return DType::i32;
  if (name == "<i8") return DType::i64;
  return std::nullopt;
}

// One array's bytes.
class ArrayReader {
 public:
  ArrayReader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Tensor read() {
    const std::string_view header = header_text();
    const std::string_view type = quoted(value_of(header, "descr"));
    const std::optional<DType> dtype = dtype_named(type);
    if (!dtype)
      throw Error("{}: got elements {}, expected one of <f8 <f4 <f2 |u1 |b1 <i4 <i8; convert it with astype",
                  name_, one_line(type));
    if (value_of(header, "fortran_order").starts_with("True"))
      throw Error("{}: got column-major order, expected row-major; pass it through numpy.ascontiguousarray",
                  name_);
    const Shape shape = shape_in(value_of(header, "shape"));
    const std::span<const std::byte> elements = bytes_.subspan(data_at_);
    if (bytes_of(*dtype, shape) != elements.size())
      fail(fmt::format("got {} bytes for shape {} of {}", elements.size(), to_string(shape), one_line(type)));
    return Tensor::copy_of({*dtype, shape, elements.data()});
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw Error("{}: {}, expected an array of numpy; {}", name_, problem, npz_kind.again);
  }

  // Also finds where the elements begin.
  std::string_view header_text() {
    const std::size_t version_at = npy_magic.size(), size_at = version_at + 2;
    if (!begins_with(bytes_, npy_magic) || bytes_.size() < size_at + 4) fail("got another beginning");
    const std::size_t digits = bytes_[version_at] == std::byte{1} ? 2 : 4;
    std::size_t size = 0;
    for (std::size_t i = digits; i-- > 0;)
      size = size << 8 | std::to_integer<std::size_t>(bytes_[size_at + i]);
    if (size > bytes_.size() - size_at - digits) fail(fmt::format("got a header of {} bytes", size));
    data_at_ = size_at + digits + size;
    return {reinterpret_cast<const char*>(bytes_.data()) + size_at + digits, size};
  }

  // What follows a key of the header.
  std::string_view value_of(std::string_view header, std::string_view key) const {
    const std::string name = fmt::format("'{}':", key);
    const std::size_t at = header.find(name);
    if (at == std::string_view::npos) fail(fmt::format("got a header without {}", key));
    header.remove_prefix(at + name.size());
    header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
    return header;
  }

  std::string_view quoted(std::string_view text) const {
    const std::size_t end = text.find('\'', 1);
    if (!text.starts_with('\'') || end == std::string_view::npos) fail("got elements of several parts");
    return text.substr(1, end - 1);
  }

  Shape shape_in(std::string_view text) const {
    const std::size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) fail("got a header without a shape");
    text = text.substr(1, end - 1);
    std::vector<std::int64_t> extents;
    while (!text.empty()) {
      std::int64_t extent = -1;
      const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
      if (error != std::errc() || extent < 0 || extents.size() == most_dimensions)
        fail("got a shape that is no list of counts");
      extents.push_back(extent);
      text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
      text.remove_prefix(std::min(text.find_first_not_of(", "), text.size()));
    }
    return Shape(std::move(extents));
  }

  // Extents of 0 are left out of the check, so that no order of multiplication overflows later.
  std::size_t bytes_of(DType dtype, const Shape& shape) const {
    auto product = static_cast<std::int64_t>(size_of(dtype));
    bool empty = false;
    for (const std::int64_t extent : shape.extents()) {
      empty = empty || extent == 0;
      if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product))
        fail(fmt::format("got shape {}, more than memory", to_string(shape)));
    }
    return empty ? 0 : static_cast<std::size_t>(product);
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::size_t data_at_ = 0;
};

}  // namespace

TensorMap parse_npz(std::span<const std::byte> bytes, const std::string& name) {
  const ZipArchive archive(bytes, name, npz_kind);
  TensorMap arrays;
  std::uint64_t left = bytes.size();  // several members may claim the same bytes
  for (const std::string& member : archive.members()) {
    if (!member.ends_with(suffix)) continue;
    const std::string array = member.substr(0, member.size() - suffix.size());
    const std::vector<std::byte> content = archive.read(member, left);
    left -= content.size();
    arrays.emplace(array, ArrayReader(content, fmt::format("{}: {}", name, one_line(array))).read());
  }
  return arrays;
}

TensorMap read_named_arrays(const std::filesystem::path& path) {
  const MappedFile file(path);
  if (begins_with(file.bytes(), npy_magic))
    throw Error("{}: got one array without a name, expected several with names; save them with numpy.savez",
                file.name());
  if (!begins_with(file.bytes(), zip_magic)) return read_safetensors(path);
  TensorMap arrays = parse_npz(file.bytes(), file.name());
  file.check_unchanged();
  return arrays;
}

}  // namespace ssd
