#include "weights/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "base/text_file.h"
#include "storage/atomic_file.h"
#include "storage/checksum.h"
#include "storage/mapped_file.h"
#include "storage/temporary_name.h"
#include "weights/safetensors.h"

namespace ssd {
namespace fs = std::filesystem;
namespace {

constexpr const char* checkpoints_folder = "checkpoints";
constexpr const char* model_file = "model.safetensors";
constexpr const char* optimizer_file = "optimizer.safetensors";
constexpr const char* state_file = "state.json";
constexpr const char* quantization_file = "quantization.json";
constexpr std::string_view step_prefix = "step-";
constexpr std::size_t min_digits = 6;

// The step of a folder's name; nothing for any other name.
std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(step_prefix)) return std::nullopt;
  const std::string_view digits = name.substr(step_prefix.size());
  const bool all_digits = digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits.size() < min_digits || !all_digits) return std::nullopt;
  std::int64_t step = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (code != std::errc()) return std::nullopt;
  return step;
}

// What state.json says of the tensor files that it belongs to: {"parts": {"model.safetensors": "XXH64 in
// hex"}}.
constexpr const char* parts_key = "parts";

std::string checksum_of(const fs::path& file) {
  return fmt::format("{:016x}", xxh64(MappedFile(file).bytes()));
}

// The state with its files' checksums. A state that is no object, of somebody else's, stays as it is.
std::string with_parts(const std::string& state_json, const nlohmann::ordered_json& parts) {
  nlohmann::ordered_json state = nlohmann::ordered_json::parse(state_json, nullptr, false);
  if (!state.is_object() || !parts.is_object()) return state_json;
  state[parts_key] = parts;
  return visible_json(state.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + "\n";
}

// Nothing where there are none, as in checkpoints of versions before 0.3.
nlohmann::ordered_json parts_of(const std::string& state_json) {
  const auto state = nlohmann::ordered_json::parse(state_json, nullptr, false);
  return state.is_object() && state.contains(parts_key) ? state.at(parts_key) : nlohmann::ordered_json();
}

// Files of two steps, and damaged ones.
void check_part(const fs::path& directory, const char* name, const nlohmann::ordered_json& parts) {
  if (!parts.is_object() || !parts.contains(name)) return;
  if (const std::string checksum = checksum_of(directory / name); parts.at(name) != checksum)
    throw Error(
        "{}: its checksum is {}, and {} says otherwise: the file was damaged, or is another checkpoint's; "
        "take another checkpoint",
        (directory / name).string(), checksum, state_file);
}

bool has_all_files(const fs::path& directory) {
  return std::ranges::all_of(std::initializer_list<const char*>{model_file, optimizer_file, state_file},
                             [&](const char* name) {
                               std::error_code ignored;
                               return fs::is_regular_file(directory / name, ignored);
                             });
}

void make_folders(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) throw Error("{}: cannot create the folder: {}; check the path", path.string(), code.message());
}

// Of writers and prunings of the names that begin like this; a run has one writer.
void remove_leftovers(const fs::path& folder, const std::string& name) {
  std::vector<fs::path> leftovers;
  std::error_code ignored;  // not to be able to clean is no reason not to write
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string found = entry.path().filename().string();
    if (found.starts_with("." + name) && is_temporary_name(found)) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover, ignored);
}

}  // namespace

fs::path write_checkpoint(const fs::path& run, std::int64_t step, const Checkpoint& checkpoint) {
  const fs::path folder = run / checkpoints_folder;
  make_folders(folder);
  remove_leftovers(folder, std::string(step_prefix));
  const fs::path path = folder / fmt::format("{}{:06}", step_prefix, step);
  write_checkpoint_folder(path, checkpoint);
  return path;
}

void write_checkpoint_folder(const fs::path& path, const Checkpoint& checkpoint) {
  remove_leftovers(folder_of(path), path.filename().string() + ".");
  AtomicDirectory directory(path);
  write_safetensors(directory.staging() / model_file, checkpoint.model);
  write_safetensors(directory.staging() / optimizer_file, checkpoint.optimizer);
  nlohmann::ordered_json parts{{model_file, checksum_of(directory.staging() / model_file)},
                               {optimizer_file, checksum_of(directory.staging() / optimizer_file)}};
  if (!checkpoint.quantization_json.empty()) {
    write_file_atomically(directory.staging() / quantization_file, checkpoint.quantization_json);
    parts[quantization_file] = checksum_of(directory.staging() / quantization_file);
  }
  write_file_atomically(directory.staging() / state_file, with_parts(checkpoint.state_json, parts));
  directory.commit();
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& run) {
  std::vector<CheckpointEntry> found;
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(run / checkpoints_folder, missing)) {
    const std::optional<std::int64_t> step = step_of(entry.path().filename().string());
    if (step && has_all_files(entry.path())) found.push_back({*step, entry.path()});
  }
  std::ranges::sort(found, {}, &CheckpointEntry::step);
  return found;
}

std::optional<CheckpointEntry> latest_checkpoint(const fs::path& run) {
  std::vector<CheckpointEntry> found = list_checkpoints(run);
  if (found.empty()) return std::nullopt;
  return std::move(found.back());
}

Checkpoint read_checkpoint(const fs::path& directory) {
  std::string state_json = read_checkpoint_state(directory);
  Checkpoint checkpoint{.model = read_safetensors(directory / model_file),
                        .optimizer = read_safetensors(directory / optimizer_file),
                        .state_json = std::move(state_json)};
  const nlohmann::ordered_json parts = parts_of(checkpoint.state_json);
  for (const char* name : {model_file, optimizer_file, quantization_file}) check_part(directory, name, parts);
  if (parts.is_object() && parts.contains(quantization_file))
    checkpoint.quantization_json = read_text_file(directory / quantization_file, budget::state);
  return checkpoint;
}

void write_checkpoint_state(const fs::path& directory, const std::string& state_json) {
  write_file_atomically(directory / state_file,
                        with_parts(state_json, parts_of(read_checkpoint_state(directory))));
}

std::string read_checkpoint_state(const fs::path& directory) {
  return read_text_file(directory / state_file, budget::state);
}

void prune_checkpoints(const fs::path& run, std::size_t keep) {
  const std::vector<CheckpointEntry> found = list_checkpoints(run);
  std::optional<Error> failure;
  for (std::size_t i = 0; i + std::max<std::size_t>(keep, 1) < found.size(); ++i) {
    try {
      remove_directory_atomically(found[i].path);
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  }
  if (failure) throw Error(*failure);
}

}  // namespace ssd
