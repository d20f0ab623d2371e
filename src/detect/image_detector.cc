#include "detect/image_detector.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "detect/file_pipeline.h"
#include "detect/json_fields.h"

namespace ssd {

std::string with_name(const std::string& file, const std::string& reason) {
  return file.empty() || reason.starts_with(file + ": ") ? reason : file + ": " + reason;
}

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
  FilePipeline(predictor, categories, files, options).run();
}

std::string to_json(std::span<const DetectedImage> images) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DetectedImage& image : images) {
    nlohmann::ordered_json detections = nlohmann::ordered_json::array();
    for (const DetectedObject& object : image.objects)
      detections.push_back(
          {{"category_id", id_json(object.category)},
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
