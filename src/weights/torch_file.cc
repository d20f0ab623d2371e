#include "weights/torch_file.h"

#include <string_view>

#include "base/error.h"
#include "storage/mapped_file.h"
#include "weights/pickle_lookup.h"
#include "weights/torch_contents.h"
#include "weights/torch_tensors.h"

namespace ssd {
namespace {

bool is_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{'P'} && bytes[1] == std::byte{'K'};
}

TorchContents open_torch(std::span<const std::byte> bytes, const std::string& name) {
  if (is_zip(bytes)) return open_torch_zip(bytes, name);
  if (is_torch_legacy(bytes)) return open_torch_legacy(bytes, name);
  throw Error(
      "{}: got neither a zip archive nor PyTorch's older format, expected a torch.save file; give a .pt or "
      ".pth file",
      name);
}

std::map<std::int64_t, std::string> labels_of(const pickle::Value& root) {
  std::map<std::int64_t, std::string> labels;
  const pickle::Value* const entry = pickle::entry_of(root, "label_map");
  const pickle::Dict* const dict = entry != nullptr ? std::get_if<pickle::Dict>(&entry->data) : nullptr;
  if (dict == nullptr) return labels;
  for (const auto& [key, value] : dict->items) {
    const auto* const label = std::get_if<std::int64_t>(&key->data);
    const auto* const text = std::get_if<std::string>(&value->data);
    if (label == nullptr || text == nullptr) return {};  // some other map
    labels.insert_or_assign(*label, *text);
  }
  return labels;
}

std::optional<std::int64_t> whole_entry(const pickle::Value& root, const char* name) {
  const pickle::Value* const entry = pickle::entry_of(root, name);
  const auto* const whole = entry != nullptr ? std::get_if<std::int64_t>(&entry->data) : nullptr;
  return whole != nullptr ? std::optional(*whole) : std::nullopt;
}

std::vector<std::string> entries_of(const pickle::Value& root) {
  std::vector<std::string> names;
  if (const auto* const dict = std::get_if<pickle::Dict>(&root.data); dict != nullptr)
    for (const auto& [key, value] : dict->items) names.push_back(pickle::key_text(*key));
  return names;
}

}  // namespace

bool is_torch_file(std::span<const std::byte> bytes) { return is_zip(bytes) || is_torch_legacy(bytes); }

TorchFile read_torch_file(std::span<const std::byte> bytes, const std::string& name,
                          const TorchOptions& options) {
  const TorchContents contents = open_torch(bytes, name);
  const pickle::Value& root = contents.document.root();
  TorchFile file;
  file.entry = options.key.empty() ? weights_key(root) : options.key;
  file.tensors = load_tensors(find_tensors(root, file.entry, name), *contents.storages, bytes.size(), name);
  if (file.tensors.empty())
    throw Error("{}: got no tensors{}, expected weights; check what was saved", name,
                file.entry.empty() ? "" : " in '" + file.entry + "'");
  file.labels = labels_of(root);
  file.entries = entries_of(root);
  file.epoch = whole_entry(root, "epoch");
  file.iteration = whole_entry(root, "iteration");
  return file;
}

TensorMap parse_torch(std::span<const std::byte> bytes, const std::string& name,
                      const TorchOptions& options) {
  return read_torch_file(bytes, name, options).tensors;
}

TensorMap read_torch(const std::filesystem::path& path, const TorchOptions& options) {
  const MappedFile file(path);
  TensorMap tensors = parse_torch(file.bytes(), file.name(), options);
  file.check_unchanged();
  return tensors;
}

}  // namespace ssd
