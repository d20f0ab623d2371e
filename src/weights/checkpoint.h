// Checkpoints: what a run needs to go on where it stopped, one folder a step:
//   RUN/checkpoints/step-000300/{model.safetensors, optimizer.safetensors, state.json}
// and quantization.json, where the network is quantised.
// state.json holds the checksums of the other two (XXH64, in "parts"), so that files of two steps, and
// damaged ones, are told. A folder of that name is complete: it is filled under a temporary name, brought to
// the disk and renamed. A run has one writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace ssd {

struct Checkpoint {
  TensorMap model;                     // by state_dict names
  TensorMap optimizer;                 // by the names its owner chose
  std::string state_json;              // where the run stands; nothing but "parts" is looked at here
  std::string quantization_json = {};  // how a quantised network rounds; empty: it is none
};

// Writes such a folder at any path, under a temporary name and renamed; one that exists is replaced.
void write_checkpoint_folder(const std::filesystem::path& path, const Checkpoint& checkpoint);

struct CheckpointEntry {
  std::int64_t step;
  std::filesystem::path path;
};

// Writes the checkpoint of `step` (>= 0) and returns its folder; one that exists is replaced. Removes what a
// killed writer left behind. Throws Error naming the file that could not be written.
std::filesystem::path write_checkpoint(const std::filesystem::path& run, std::int64_t step,
                                       const Checkpoint& checkpoint);

// The complete checkpoints of a run by rising step; none if the run has no folder yet.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& run);
std::optional<CheckpointEntry> latest_checkpoint(const std::filesystem::path& run);

// Reads a checkpoint's folder. Throws Error for a missing or broken file, and where the checksum of one is
// not the state's.
Checkpoint read_checkpoint(const std::filesystem::path& directory);
// Its state alone, read or replaced in one go.
void write_checkpoint_state(const std::filesystem::path& directory, const std::string& state_json);
std::string read_checkpoint_state(const std::filesystem::path& directory);

// Removes all but the `keep` (>= 1) latest checkpoints. Throws Error for the first that cannot be removed,
// after trying all.
void prune_checkpoints(const std::filesystem::path& run, std::size_t keep);

}  // namespace ssd
