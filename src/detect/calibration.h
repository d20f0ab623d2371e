// Post-training quantisation: on some images it is measured how far a network's activations reach.
#pragma once

#include <cstdint>
#include <functional>

#include "data/dataset/dataset.h"
#include "data/loader/loader.h"
#include "detect/quantization.h"
#include "detect/trained_model.h"
#include "graph/device.h"

namespace ssd {

struct CalibrationOptions {
  std::int64_t images = 256;  // of the data set, drawn with a fixed seed; all where there are fewer
  int threads = 1;            // that decode images
  LoaderOptions::BadImages bad_images = LoaderOptions::BadImages::replace;  // replace: passed over
  std::function<void(const BadImage&)> on_bad_image;
  std::function<void(std::uint64_t done, std::uint64_t of)> progress;  // images
};

// Runs the f32 network on whole images and gives each activation the scale that rounds its values with the
// least mean square error: values beyond 255 times it (127 with a sign) are cut off. Throws Error where no
// image can be read.
Quantization calibrate(graph::Device& device, const TrainedModel& trained, const Dataset& dataset,
                       const CalibrationOptions& options);

}  // namespace ssd
