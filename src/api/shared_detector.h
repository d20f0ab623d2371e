// A trained network for programs that find objects in images they have: what the C library and the Python
// package are made of.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "api/network_thread.h"
#include "api/pixel_buffer.h"
#include "base/spares.h"
#include "data/dataset/coco.h"
#include "data/loader/augment.h"
#include "detect/detector.h"
#include "detect/image_detector.h"
#include "detect/trained_model.h"
#include "model/options.h"

namespace ssd {

// The bytes of an image file, of any format in image/format.h.
struct EncodedImage {
  std::span<const std::byte> bytes;
};

// An image file by its path.
struct ImageFile {
  std::filesystem::path path;
};

using InputImage = std::variant<ImageFile, EncodedImage, PixelBuffer>;

// What was found in one image. Files are oriented as their EXIF tag says, pixels are taken as they are.
struct ImageResult {
  DetectedImage found;
  std::string error;  // why the image could not be read, one line; empty: it could, and `found` holds
};

// Finds objects from any number of threads at the same time. The calling thread reads and resizes its images
// and makes boxes of the network's outputs; the network itself is computed by the detector's own thread and
// its OpenMP team, one image or batch after the other. Callers wait in the order in which they came.
class SharedDetector {
 public:
  struct Options {
    int threads = 0;         // of the network; 0: all processors this process may run on
    std::int64_t batch = 1;  // images that the network takes at once; its time is that of a full batch
    std::optional<model::StrideIn> stride_in;                     // of a bottleneck; none: as the file says
    DType precision = DType::f32;                                 // of the convolutions: f32 or bf16
    std::function<std::unique_ptr<graph::Device>()> make_device;  // none: the CPU with `threads`
  };

  // `path` is what read_model takes. Throws Error where it cannot be read or the network not be made.
  SharedDetector(const std::filesystem::path& path, const Options& options);
  SharedDetector(TrainedModel model, const Options& options);

  // A result for each image, in their order. Throws Error where the options are out of range, or the network
  // failed; what is wrong with one image stands in its result.
  std::vector<ImageResult> detect(std::span<const InputImage> images, const DetectorOptions& options);

  std::span<const CocoCategory> categories() const { return model_.categories; }  // of labels 1, 2, ...
  const TrainedModel& model() const { return model_; }                            // without its weights

 private:
  struct Workspace {
    Augmenter augmenter;
    Resizer resizer;
    std::vector<std::byte> bytes;
  };
  using Request = NetworkThread::Request;

  std::shared_ptr<Request> read(const InputImage& image, Workspace& workspace, DetectedImage& found) const;
  void collect(Request& request, const DetectorOptions& options, ImageResult& result);

  TrainedModel model_;
  std::int64_t batch_;
  Spares<Workspace> workspaces_;
  std::unique_ptr<NetworkThread> network_;
};

// The options that the program's `detect` begins with: 0.3, 0.45, 200.
DetectorOptions default_detector_options();
// Throws Error for options out of range, each with its name.
void check(const DetectorOptions& options);

}  // namespace ssd
