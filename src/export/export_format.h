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
#include "detect/detector.h"
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
  std::string sha256 = {};                   // of the file that the weights were read from
  std::string version = {};                  // of this program
};

// How the network is written where a format has a choice.
struct ExportOptions {
  enum class Postprocess {
    none,   // offsets and logits of the default boxes
    boxes,  // boxes and scores of the default boxes
    nms,    // detections
  };
  enum class Input {
    u8_nhwc,   // bytes (N,300,300,3), RGB
    f32_nchw,  // 0..1 (N,3,300,300), RGB; the normalisation follows within
  };
  Postprocess postprocess = Postprocess::nms;
  std::optional<std::int64_t> batch = 1;  // N; none: any
  DType precision = DType::f32;           // of the convolutions
  Input input = Input::u8_nhwc;
  DetectorOptions detector;  // of nms
};

// The options above by their names on the command line.
namespace export_option {
inline constexpr const char *postprocess = "--postprocess", *batch = "--batch", *precision = "--precision",
                            *input = "--input";
}

struct ExportFormat {
  std::string_view name;             // as in --format
  std::string_view what;             // a line of help
  std::vector<const char*> follows;  // those of ExportOptions that change the file
  std::vector<DType> precisions;     // that there are; the first is the default
  // Writes the file atomically and returns a line on each thing that a reader must know. Throws Error.
  std::vector<std::string> (*write)(const ExportSource& source, const ExportOptions& options,
                                    const std::filesystem::path& path);
};

std::span<const ExportFormat> export_formats();

// Throws Error, naming those that there are, for another name.
const ExportFormat& export_format_named(std::string_view name);

}  // namespace ssd
