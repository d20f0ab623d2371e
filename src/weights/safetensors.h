// The safetensors format: named tensors in one file, readable without copying.
//
// Layout (github.com/huggingface/safetensors): 8 bytes little-endian header size, a JSON object
// {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {..}}, then the
// elements, row-major and little-endian; offsets count from the end of the header.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "storage/mapped_file.h"

namespace ssd {

// What a safetensors file holds, as views into its bytes. A view's data may be unaligned for its element.
struct SafetensorsContent {
  std::map<std::string, TensorView, std::less<>> tensors;
  std::map<std::string, std::string> metadata;
};

// Reads the header in `bytes` and checks all of it: sizes, types (BOOL is read as u8; types without a DType
// are refused), shapes against offsets, no overlap, no gap, nothing after the last tensor. `name` stands in
// errors.
SafetensorsContent parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

// An open safetensors file. Views live as long as it does and are aligned for their element.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  // Throws Error where the file was changed since it was opened: what was read may be of both.
  void check_unchanged() const { file_.check_unchanged(); }
  std::vector<std::string> names() const;  // in name order
  bool contains(std::string_view name) const { return content_.tensors.contains(name); }
  // Throws Error for a name that is not there.
  const TensorView& view(std::string_view name) const;
  const std::map<std::string, TensorView, std::less<>>& tensors() const { return content_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return content_.metadata; }

 private:
  MappedFile file_;
  SafetensorsContent content_;
  std::vector<Tensor> realigned_;  // copies of tensors the file holds at odd offsets
};

// All tensors of a file, copied to memory.
TensorMap read_safetensors(const std::filesystem::path& path);

using TensorViews = std::map<std::string, TensorView>;
using Metadata = std::map<std::string, std::string>;

// Writes a file atomically. The same tensors give the same bytes: ordered by element size (largest first, so
// that each is aligned) and then by name. Throws Error for a name that is not UTF-8 or is "__metadata__".
void write_safetensors(const std::filesystem::path& path, const TensorViews& tensors,
                       const Metadata& metadata = {});
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const Metadata& metadata = {});

// The bytes of such a file.
std::string to_safetensors(const TensorMap& tensors);

}  // namespace ssd
