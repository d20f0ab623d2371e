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

std::string strip_common_prefixes(TensorMap& tensors) {
  // "1": the reference's, of a Sequential of loss and model below the data-parallel wrapper.
  constexpr std::string_view prefixes[] = {"module.1.", "module.",  "_orig_mod.", "model.",     "backbone.",
                                           "encoder.",  "network.", "net.",       "body.",      "resnet.",
                                           "ssd300.",   "ssd.",     "detector.",  "state_dict."};
  std::string stripped;
  const auto found = [&] {
    return std::ranges::find_if(prefixes, [&](std::string_view one) { return all_start_with(tensors, one); });
  };
  for (auto prefix = found(); prefix != std::end(prefixes); prefix = found()) {
    tensors = without_prefix(std::move(tensors), prefix->size());
    stripped += *prefix;
  }
  return stripped;
}

NetworkWeights read_network_weights(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be looked at fails below, with its reason
  if (std::filesystem::is_directory(path, ignored)) return read_network_weights(path / "model.safetensors");
  NetworkWeights weights;
  const MappedFile file(path);
  if (is_torch(file.bytes())) {
    TorchFile torch = read_torch_file(file.bytes(), file.name());
    file.check_unchanged();
    weights.tensors = std::move(torch.tensors);
    weights.labels = std::move(torch.labels);
    if (!torch.entry.empty()) weights.note = "in '" + torch.entry + "'";
  } else if (is_safetensors(file.bytes())) {
    weights.metadata = parse_safetensors(file.bytes(), file.name()).metadata;
    weights.tensors = read_safetensors(path);
  } else {
    throw Error("{}: got an unknown format, expected safetensors or a torch.save file; convert it",
                file.name());
  }
  const std::string prefix = strip_common_prefixes(weights.tensors);
  if (!prefix.empty())
    weights.note += (weights.note.empty() ? "" : ", ") + ("without '" + prefix + "' before the names");
  return weights;
}

}  // namespace ssd
