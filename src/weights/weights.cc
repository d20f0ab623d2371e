#include "weights/weights.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "storage/mapped_file.h"
#include "weights/safetensors.h"
#include "weights/torch_file.h"

namespace ssd {
namespace {

// A zip archive starts with "PK", a pickle with 0x80; a safetensors header with '{' after 8 bytes of size.
bool is_torch(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 &&
         (std::memcmp(bytes.data(), "PK", 2) == 0 ||
          (bytes[0] == std::byte{0x80} && (bytes.size() < 9 || bytes[8] != std::byte{'{'})));
}

bool is_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() > 8 && bytes[8] == std::byte{'{'};
}

bool all_start_with(const TensorMap& tensors, std::string_view prefix) {
  return !tensors.empty() &&
         std::ranges::all_of(tensors, [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

TensorMap without_prefix(TensorMap tensors, std::size_t length) {
  TensorMap result;
  for (auto& [name, tensor] : tensors) result.emplace(name.substr(length), std::move(tensor));
  return result;
}

}  // namespace

TensorMap read_weights(const std::filesystem::path& path, const WeightsOptions& options) {
  std::error_code ignored;  // what cannot be looked at fails below, with its reason
  if (std::filesystem::is_directory(path, ignored)) return read_weights(path / "model.safetensors", options);
  const MappedFile file(path);
  if (is_torch(file.bytes())) {
    TensorMap tensors = parse_torch(file.bytes(), file.name(), {.key = options.key});
    file.check_unchanged();
    return tensors;
  }
  if (!is_safetensors(file.bytes()))
    throw Error("{}: got an unknown format, expected safetensors or a torch.save file; convert it",
                file.name());
  if (!options.key.empty())
    throw Error(
        "{}: got key '{}' for a safetensors file, expected none: its tensors have no folders; leave it "
        "out",
        file.name(), options.key);
  return read_safetensors(path);
}

TensorMap strip_wrapper_prefixes(TensorMap tensors) {
  for (const std::string_view prefix : {"module.1.", "module."})
    while (all_start_with(tensors, prefix)) tensors = without_prefix(std::move(tensors), prefix.size());
  return tensors;
}

}  // namespace ssd
