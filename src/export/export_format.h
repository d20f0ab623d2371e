// A trained network in the files of other programs: a row of a table for each format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "detect/trained_model.h"

namespace ssd {

// What a checkpoint knows beside the network: where its run stands.
struct TrainingProgress {
  std::int64_t step = 0;   // steps done
  std::int64_t epoch = 0;  // of the next image, from 0
  bool within_epoch = false;
  std::map<std::string, std::string> options;  // of the command line, by name: "learning-rate"
  TensorMap momentum;                          // SGD's, of trained tensors by their names; empty: none
};

struct ExportSource {
  TrainedModel network;
  std::optional<TrainingProgress> progress;  // none for files of weights
};

struct ExportFormat {
  std::string_view name;  // as in --format
  std::string_view what;  // a line of help
  // Writes the file atomically and returns a line on each thing that a reader must know. Throws Error.
  std::vector<std::string> (*write)(const ExportSource& source, const std::filesystem::path& path);
};

std::span<const ExportFormat> export_formats();

// Throws Error, naming those that there are, for another name.
const ExportFormat& export_format_named(std::string_view name);

}  // namespace ssd
