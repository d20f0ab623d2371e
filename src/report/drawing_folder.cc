#include "report/drawing_folder.h"

#include <fmt/format.h>

#include <vector>

#include "report/draw.h"

namespace ssd {

DrawingFolder::DrawingFolder(std::filesystem::path folder, std::span<const std::string> images)
    : folder_(std::move(folder)) {
  for (const std::string& image : images) images_.insert(std::filesystem::weakly_canonical(image));
}

std::filesystem::path DrawingFolder::path_for(const std::string& file) {
  const std::string stem = std::filesystem::path(file).stem().string();
  std::string name = stem;
  const auto is_image = [this](const std::string& drawing) {
    return images_.contains(std::filesystem::weakly_canonical(folder_ / (drawing + ".png")));
  };
  for (int count = 2; is_image(name) || !names_.insert(name).second; ++count)
    name = fmt::format("{}-{}", stem, count);
  return folder_ / (name + ".png");
}

std::filesystem::path DrawingFolder::draw(const DetectedImage& image) {
  std::vector<DrawnBox> boxes;
  for (const DetectedObject& object : image.objects)
    boxes.push_back({object.left, object.top, object.right, object.bottom,
                     fmt::format("{} {:.2f}", object.category.name, object.score), object.label - 1});
  const std::filesystem::path path = path_for(image.file);
  draw_boxes(path, {image.pixels.width, image.pixels.height, image.pixels.rgb}, boxes);
  return path;
}

}  // namespace ssd
