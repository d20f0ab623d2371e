#include "weights/torch_file.h"

#include <string_view>

#include "base/error.h"
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

}  // namespace

bool is_torch_file(std::span<const std::byte> bytes) { return is_zip(bytes) || is_torch_legacy(bytes); }

TorchFile read_torch_file(std::span<const std::byte> bytes, const std::string& name) {
  const TorchContents contents = open_torch(bytes, name);
  const pickle::Value& root = contents.document.root();
  TorchFile file;
  file.entry = weights_key(root);
  file.tensors = load_tensors(find_tensors(root, file.entry, name), *contents.storages, bytes.size(), name);
  if (file.tensors.empty())
    throw Error("{}: got no tensors{}, expected weights; check what was saved", name,
                file.entry.empty() ? "" : " in '" + file.entry + "'");
  file.labels = labels_of(root);
  return file;
}

std::optional<TorchProgress> read_torch_progress(std::span<const std::byte> bytes, const std::string& name) {
  const TorchContents contents = open_torch(bytes, name);
  const pickle::Value& root = contents.document.root();
  const auto epoch = whole_entry(root, "epoch");
  if (!epoch || pickle::entry_of(root, "optimizer") == nullptr) return std::nullopt;
  const TorchRecords state = find_tensors(root, "optimizer.state", name);
  return TorchProgress{.epoch = *epoch,
                       .iteration = whole_entry(root, "iteration").value_or(0),
                       .optimizer = load_tensors(state, *contents.storages, bytes.size(), name)};
}

}  // namespace ssd
