#include "detect/image_detector.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/text_file.h"
#include "data/loader/augment.h"
#include "detect/image_list.h"
#include "image/format.h"
#include "image/orientation.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

// Fills batches and hands out what was found in them.
class FileBatches {
 public:
  FileBatches(Predictor& predictor, std::span<const CocoCategory> categories,
              const DetectFilesOptions& options)
      : predictor_(predictor),
        categories_(categories),
        options_(options),
        images_(DType::u8, {predictor.batch(), image_size, image_size, 3}) {}

  // Throws Error for an image that cannot be read; the batch is then as before.
  void add(const std::string& file) {
    const auto bytes = read(file);
    const std::size_t slot = waiting_.size() * Augmenter::image_bytes;
    const Augmenter::Size size = augmenter_.evaluate(
        {.bytes = bytes}, images_.as<std::uint8_t>().subspan(slot, Augmenter::image_bytes));
    DetectedImage image{.file = file, .width = size.width, .height = size.height};
    if (options_.pixels == DetectFilesOptions::Pixels::keep)
      image.pixels = oriented(decode_image(bytes), orientation_of_tag(read_image_header(bytes).orientation));
    waiting_.push_back(std::move(image));
  }

  bool full() const { return static_cast<std::int64_t>(waiting_.size()) == predictor_.batch(); }

  void flush() {
    if (waiting_.empty()) return;
    predictor_.start(images_);
    const auto detections = predictor_.finish(static_cast<int>(waiting_.size()));
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      for (const Detection& detection : detections[i])
        waiting_[i].objects.push_back(object_in(waiting_[i], detection, categories_));
      if (options_.on_image) options_.on_image(std::move(waiting_[i]));
    }
    waiting_.clear();
  }

 private:
  // Of a file, or of standard input: its bytes, until the next call.
  std::span<const std::byte> read(const std::string& file) {
    if (file != standard_input) return read_file(file, buffer_);
    const std::string text = read_text_file("/dev/stdin", {largest_file, "an image"});
    if (text.empty()) throw Error("{}: standard input is empty; send one image through it", file);
    const auto bytes = std::as_bytes(std::span(text));
    buffer_.assign(bytes.begin(), bytes.end());
    return buffer_;
  }

  Predictor& predictor_;
  std::span<const CocoCategory> categories_;
  const DetectFilesOptions& options_;
  Tensor images_;  // u8 (batch, 300, 300, 3)
  Augmenter augmenter_;
  std::vector<std::byte> buffer_;
  std::vector<DetectedImage> waiting_;  // the images of the batch, without their objects
};

}  // namespace

DetectedObject object_in(const DetectedImage& image, const Detection& detection,
                         std::span<const CocoCategory> categories) {
  const auto label = static_cast<std::size_t>(detection.label);
  if (label < 1 || label > categories.size())
    throw Error("{}: got label {}, expected 1 to {}; use the categories that the network was trained on",
                image.file, label, categories.size());
  const auto width = static_cast<float>(image.width), height = static_cast<float>(image.height);
  return {.left = std::clamp(detection.box.left, 0.0f, 1.0f) * width,
          .top = std::clamp(detection.box.top, 0.0f, 1.0f) * height,
          .right = std::clamp(detection.box.right, 0.0f, 1.0f) * width,
          .bottom = std::clamp(detection.box.bottom, 0.0f, 1.0f) * height,
          .label = detection.label,
          .category = categories[label - 1],
          .score = detection.score};
}

void detect_files(Predictor& predictor, std::span<const CocoCategory> categories,
                  std::span<const std::string> files, const DetectFilesOptions& options) {
  FileBatches batches(predictor, categories, options);
  std::uint64_t done = 0;
  for (const std::string& file : files) {
    try {
      batches.add(file);
    } catch (const Error& error) {
      if (options.on_bad_image) options.on_bad_image(file, error.what());
    }
    if (batches.full()) batches.flush();
    if (options.progress) options.progress(++done, files.size());
  }
  batches.flush();
}

std::string to_json(std::span<const DetectedImage> images) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DetectedImage& image : images) {
    nlohmann::ordered_json detections = nlohmann::ordered_json::array();
    for (const DetectedObject& object : image.objects)
      detections.push_back(
          {{"category_id", object.category.id},
           {"category", object.category.name},
           {"bbox", {object.left, object.top, object.right - object.left, object.bottom - object.top}},
           {"score", object.score}});
    nlohmann::ordered_json entry{{"file", image.file}};
    if (!image.drawing.empty()) entry["drawing"] = image.drawing;
    entry["width"] = image.width;
    entry["height"] = image.height;
    entry["detections"] = std::move(detections);
    list.push_back(std::move(entry));
  }
  return list.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ssd
