// Singleshot from C++17: owners and values around the C library's functions (singleshot.h, which also says
// what threads and the ABI do). Only this header knows C++: the library underneath is the C one, so compilers
// and standard libraries need not match.
//
//   singleshot::Detector detector("checkpoint");
//   for (const auto& object : detector.detect(singleshot::Image::file("photo.jpg")).objects)
//     std::cout << detector.category(object.label).name << ' ' << object.score << '\n';
#pragma once

#include <singleshot/singleshot.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace singleshot {

// What the C functions say in values. The message is one line.
class Error : public std::runtime_error {
 public:
  Error(singleshot_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  singleshot_status status() const { return status_; }

 private:
  singleshot_status status_;
};

enum class Pixels : singleshot_image_kind {
  rgb = SINGLESHOT_RGB,
  bgr = SINGLESHOT_BGR,
  rgba = SINGLESHOT_RGBA,  // alpha is not premultiplied and is laid over white
  bgra = SINGLESHOT_BGRA,
  gray = SINGLESHOT_GRAY
};

// A look at an image of the caller's, which must stay while it is detected on.
class Image {
 public:
  // The bytes of an image file; oriented as its EXIF tag says.
  static Image encoded(const void* bytes, std::size_t size) {
    return {{SINGLESHOT_ENCODED, 0, 0, bytes, size, 0}, {}};
  }

  // An image file by its path.
  static Image file(std::string path) { return {{SINGLESHOT_FILE, 0, 0, nullptr, 0, 0}, std::move(path)}; }

  // `data` is the first pixel of the upper row; `stride` the bytes from a row to the next (0: no gaps;
  // negative: the upper row stands last).
  static Image pixels(const std::uint8_t* data, int width, int height, Pixels order,
                      std::ptrdiff_t stride = 0) {
    return {{static_cast<singleshot_image_kind>(order), width, height, data, 0, stride}, {}};
  }

  // Valid as long as this image.
  singleshot_image view() const {
    singleshot_image image = image_;
    if (image.kind == SINGLESHOT_FILE) image.data = path_.c_str();
    return image;
  }

 private:
  Image(singleshot_image image, std::string path) : image_(image), path_(std::move(path)) {}

  singleshot_image image_;
  std::string path_;
};

using Object = singleshot_detection;

// What was found in one image.
struct Result {
  std::vector<Object> objects;  // by falling score
  int width = 0, height = 0;    // of the image, as oriented
  std::string error;            // why the image could not be read; empty where it could
};

struct Category {
  std::int64_t id = -1;
  std::string name;
};

struct DetectorOptions {
  int threads = 0;    // of the network; 0: all processors
  int batch = 1;      // images that the network takes at once
  int stride_in = 0;  // 3, 1, or 0: as the checkpoint says
  int precision = SINGLESHOT_F32;  // or SINGLESHOT_BF16
};

struct DetectOptions {
  float score = 0.3f;  // detections score above this
  float iou = 0.45f;   // of boxes of a class that overlap more than this the best is kept
  int most = 200;      // detections of an image
};

// Finds objects, from any number of threads at the same time. Moved from, it can only be assigned or
// destroyed.
class Detector {
 public:
  // Throws Error where the checkpoint cannot be read.
  explicit Detector(const std::string& path, const DetectorOptions& options = {}) {
    const singleshot_detector_options given{sizeof(given), options.threads, options.batch, options.stride_in,
                                            options.precision};
    singleshot_detector* detector = nullptr;
    singleshot_error error;
    require(singleshot_detector_open(path.c_str(), &given, &detector, &error), error);
    detector_.reset(detector);
  }

  // A result for each image, in their order. What is wrong with an image stands in its result; Error is
  // thrown for everything else.
  std::vector<Result> detect(const std::vector<Image>& images, const DetectOptions& options = {}) const {
    std::vector<singleshot_image> views;
    views.reserve(images.size());
    for (const Image& image : images) views.push_back(image.view());
    const singleshot_detect_options given{sizeof(given), options.score, options.iou, options.most};
    singleshot_results* raw = nullptr;
    singleshot_error error;
    const singleshot_status status =
        singleshot_detect(detector_.get(), views.data(), views.size(), &given, &raw, &error);
    const std::unique_ptr<singleshot_results, Free> results(raw);
    if (status != SINGLESHOT_BAD_IMAGE) require(status, error);
    std::vector<Result> list;
    for (std::size_t i = 0; i < views.size(); ++i) list.push_back(result_of(*singleshot_results_at(raw, i)));
    return list;
  }

  // The same for one image; throws Error where it cannot be read.
  Result detect(const Image& image, const DetectOptions& options = {}) const {
    Result result = detect(std::vector<Image>{image}, options).front();
    if (!result.error.empty()) throw Error(SINGLESHOT_BAD_IMAGE, result.error);
    return result;
  }

  // Of a label, which is 1 .. category_count(). Throws Error for another.
  Category category(std::int32_t label) const {
    const char* name = singleshot_category_name(detector_.get(), label);
    if (name == nullptr)
      throw Error(SINGLESHOT_BAD_ARGUMENT, "label: got " + std::to_string(label) + ", which is none");
    return {singleshot_category_id(detector_.get(), label), name};
  }
  std::int32_t category_count() const { return singleshot_category_count(detector_.get()); }

 private:
  struct Close {
    void operator()(singleshot_detector* detector) const { singleshot_detector_close(detector); }
  };
  struct Free {
    void operator()(singleshot_results* results) const { singleshot_results_free(results); }
  };

  static void require(singleshot_status status, const singleshot_error& error) {
    if (status != SINGLESHOT_OK) throw Error(status, error.message);
  }

  static Result result_of(const singleshot_image_result& found) {
    Result result;
    result.objects.assign(found.detections, found.detections + found.count);
    result.width = found.width;
    result.height = found.height;
    if (found.error != nullptr) result.error = found.error;
    return result;
  }

  std::unique_ptr<singleshot_detector, Close> detector_;
};

// The version of the library, "0.1.0".
inline std::string version() { return singleshot_version(); }

}  // namespace singleshot
