// The functions of singleshot.h: arguments in, values out, every exception caught.
#include <singleshot/singleshot.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "api/shared_detector.h"
#include "base/error.h"
#include "base/one_line.h"

struct singleshot_detector {
  ssd::SharedDetector detector;
};

struct singleshot_results {
  std::vector<std::vector<singleshot_detection>> detections;  // of each image
  std::vector<std::string> errors;                            // of each image
  std::vector<singleshot_image_result> images;
};

namespace {

using ssd::Error;

// An argument that makes no sense.
class BadArgument : public Error {
 public:
  using Error::Error;
};

class BadModel : public Error {
 public:
  using Error::Error;
};

singleshot_status tell(singleshot_error* error, singleshot_status status,
                       const std::string& message) noexcept {
  if (error == nullptr) return status;
  error->status = status;
  // A cut inside a character would leave bytes that are no UTF-8.
  std::size_t size = std::min(message.size(), sizeof(error->message) - 1);
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xc0) == 0x80)
    --size;
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
  return status;
}

// Calls the body and makes a status of what it throws.
template <typename Body>
singleshot_status guarded(singleshot_error* error, Body&& body) noexcept {
  const auto fail = [&](singleshot_status status, const char* message) {
    try {
      return tell(error, status, ssd::one_line(message));
    } catch (const std::exception&) {
      return tell(error, SINGLESHOT_OUT_OF_MEMORY, {});
    }
  };
  try {
    return body();
  } catch (const BadArgument& bad) {
    return fail(SINGLESHOT_BAD_ARGUMENT, bad.what());
  } catch (const BadModel& bad) {
    return fail(SINGLESHOT_BAD_MODEL, bad.what());
  } catch (const std::bad_alloc&) {
    return fail(SINGLESHOT_OUT_OF_MEMORY,
                "memory: there is not enough; free some, or give fewer images at once");
  } catch (const std::exception& other) {
    return fail(SINGLESHOT_FAILED, other.what());
  } catch (...) {
    return fail(SINGLESHOT_FAILED, "an unknown exception was thrown");
  }
}

template <typename T>
void require(const T* pointer, const char* name) {
  if (pointer == nullptr) throw BadArgument("{}: got a null pointer, expected one", name);
}

// The caller's struct with the defaults of what its version of the header does not have.
template <typename Options>
Options read_options(const Options* given, Options options, const char* name) {
  if (given == nullptr) return options;
  if (given->size < sizeof(given->size) || given->size > sizeof(Options))
    throw BadArgument("{}: got a size of {}, expected {}; begin with the header's _INIT macro", name,
                      given->size, sizeof(Options));
  std::memcpy(&options, given, given->size);
  return options;
}

ssd::SharedDetector::Options detector_options(const singleshot_detector_options* given) {
  const auto options =
      read_options<singleshot_detector_options>(given, SINGLESHOT_DETECTOR_OPTIONS_INIT, "detector options");
  if (options.threads < 0)
    throw BadArgument("threads: got {}, expected 1 or more, or 0 for all", options.threads);
  if (options.batch < 1) throw BadArgument("batch: got {}, expected 1 or more", options.batch);
  ssd::SharedDetector::Options result{.threads = options.threads, .batch = options.batch};
  if (options.stride_in == 3)
    result.stride_in = ssd::model::StrideIn::conv3x3;
  else if (options.stride_in == 1)
    result.stride_in = ssd::model::StrideIn::conv1x1;
  else if (options.stride_in != 0)
    throw BadArgument("stride_in: got {}, expected 3, 1, or 0 for the checkpoint's", options.stride_in);
  if (options.precision == SINGLESHOT_BF16)
    result.precision = ssd::DType::bf16;
  else if (options.precision != SINGLESHOT_F32)
    throw BadArgument("precision: got {}, expected SINGLESHOT_F32 ({}) or SINGLESHOT_BF16 ({})",
                      options.precision, static_cast<int>(SINGLESHOT_F32), static_cast<int>(SINGLESHOT_BF16));
  return result;
}

ssd::DetectorOptions detect_options(const singleshot_detect_options* given) {
  const auto options =
      read_options<singleshot_detect_options>(given, SINGLESHOT_DETECT_OPTIONS_INIT, "detect options");
  if (options.most < 1) throw BadArgument("most: got {}, expected 1 or more", options.most);
  const ssd::DetectorOptions result{
      .score = options.score, .iou = options.iou, .total = static_cast<std::size_t>(options.most)};
  try {
    ssd::check(result);
  } catch (const Error& error) {
    throw BadArgument(error.what());
  }
  return result;
}

ssd::ChannelOrder order_of(singleshot_image_kind kind) {
  switch (kind) {
    case SINGLESHOT_RGB:
      return ssd::ChannelOrder::rgb;
    case SINGLESHOT_BGR:
      return ssd::ChannelOrder::bgr;
    case SINGLESHOT_RGBA:
      return ssd::ChannelOrder::rgba;
    case SINGLESHOT_BGRA:
      return ssd::ChannelOrder::bgra;
    case SINGLESHOT_GRAY:
      return ssd::ChannelOrder::gray;
    default:
      throw BadArgument("image: got kind {}, expected one of singleshot_image_kind", kind);
  }
}

ssd::InputImage input_of(const singleshot_image& image) {
  require(image.data, "image.data");
  if (image.kind == SINGLESHOT_FILE) return ssd::ImageFile{static_cast<const char*>(image.data)};
  if (image.kind == SINGLESHOT_ENCODED)
    return ssd::EncodedImage{{static_cast<const std::byte*>(image.data), image.bytes}};
  return ssd::PixelBuffer{.data = static_cast<const std::uint8_t*>(image.data),
                          .width = image.width,
                          .height = image.height,
                          .stride = image.stride,
                          .order = order_of(image.kind)};
}

std::unique_ptr<singleshot_results> results_of(const std::vector<ssd::ImageResult>& found) {
  auto results = std::make_unique<singleshot_results>();
  results->detections.resize(found.size());
  results->errors.resize(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const ssd::DetectedImage& image = found[i].found;
    auto& detections = results->detections[i];
    for (const ssd::DetectedObject& object : image.objects)
      detections.push_back({object.left, object.top, object.right, object.bottom, object.score, object.label,
                            object.category.id});
    results->errors[i] = ssd::one_line(found[i].error);
    const char* error = found[i].error.empty() ? nullptr : results->errors[i].c_str();
    results->images.push_back({detections.data(), detections.size(), image.width, image.height, error});
  }
  return results;
}

bool is_label(const singleshot_detector* detector, std::int32_t label) {
  return label >= 1 && label <= singleshot_category_count(detector);
}

const ssd::CocoCategory& category(const singleshot_detector* detector, std::int32_t label) {
  return detector->detector.categories()[static_cast<std::size_t>(label - 1)];
}

}  // namespace

const char* singleshot_version(void) { return SSD_VERSION; }

singleshot_status singleshot_detector_open(const char* path, const singleshot_detector_options* options,
                                           singleshot_detector** detector, singleshot_error* error) {
  if (detector != nullptr) *detector = nullptr;
  return guarded(error, [&] {
    require(path, "path");
    require(detector, "detector");
    const ssd::SharedDetector::Options read = detector_options(options);
    ssd::TrainedModel model = [&] {
      try {
        return ssd::read_model(path);
      } catch (const Error& bad) {
        throw BadModel(bad.what());
      }
    }();
    *detector = new singleshot_detector{.detector = {std::move(model), read}};
    return tell(error, SINGLESHOT_OK, {});
  });
}

void singleshot_detector_close(singleshot_detector* detector) { delete detector; }

std::int32_t singleshot_category_count(const singleshot_detector* detector) {
  return detector == nullptr ? 0 : static_cast<std::int32_t>(detector->detector.categories().size());
}

const char* singleshot_category_name(const singleshot_detector* detector, std::int32_t label) {
  return is_label(detector, label) ? category(detector, label).name.c_str() : nullptr;
}

std::int64_t singleshot_category_id(const singleshot_detector* detector, std::int32_t label) {
  return is_label(detector, label) ? category(detector, label).id : -1;
}

singleshot_status singleshot_detect(singleshot_detector* detector, const singleshot_image* images,
                                    std::size_t count, const singleshot_detect_options* options,
                                    singleshot_results** results, singleshot_error* error) {
  if (results != nullptr) *results = nullptr;
  return guarded(error, [&] {
    require(detector, "detector");
    require(results, "results");
    if (count > 0) require(images, "images");
    const ssd::DetectorOptions read = detect_options(options);
    std::vector<ssd::InputImage> inputs;
    for (std::size_t i = 0; i < count; ++i) inputs.push_back(input_of(images[i]));
    std::unique_ptr<singleshot_results> found = results_of(detector->detector.detect(inputs, read));
    *results = found.release();
    for (const singleshot_image_result& image : (*results)->images)
      if (image.error != nullptr) return tell(error, SINGLESHOT_BAD_IMAGE, image.error);
    return tell(error, SINGLESHOT_OK, {});
  });
}

std::size_t singleshot_results_count(const singleshot_results* results) {
  return results == nullptr ? 0 : results->images.size();
}

const singleshot_image_result* singleshot_results_at(const singleshot_results* results, std::size_t index) {
  return index < singleshot_results_count(results) ? &results->images[index] : nullptr;
}

void singleshot_results_free(singleshot_results* results) { delete results; }
