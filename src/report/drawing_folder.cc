#include "report/drawing_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/one_line.h"
#include "storage/temporary_name.h"

namespace ssd {

DrawingFolder::DrawingFolder(std::filesystem::path folder, std::span<const std::string> images)
    : folder_(std::move(folder)) {
  remove_leftovers_in(folder_);
  for (const std::string& image : images) images_.insert(std::filesystem::weakly_canonical(image));
}

namespace {

constexpr std::string_view extension = ".png";

// The stem, cut where need be between two characters of UTF-8, with what follows it.
std::string name_of(const std::string& stem, const std::string& number) {
  constexpr std::size_t longest_name = 255;
  std::size_t end = std::min(stem.size(), longest_name - number.size() - extension.size());
  while (end > 0 && end < stem.size() && (static_cast<unsigned char>(stem[end]) & 0xc0u) == 0x80u) --end;
  return stem.substr(0, end) + number;
}

}  // namespace

std::filesystem::path DrawingFolder::path_for(const std::string& file) {
  const std::string stem =
      file == standard_input ? "standard-input" : std::filesystem::path(file).stem().string();
  std::string name = name_of(stem, "");
  const auto is_image = [this](const std::string& drawing) {
    return images_.contains(std::filesystem::weakly_canonical(folder_ / (drawing + std::string(extension))));
  };
  for (int count = 2; is_image(name) || !names_.insert(name).second; ++count)
    name = name_of(stem, fmt::format("-{}", count));
  return folder_ / (name + std::string(extension));
}

std::filesystem::path DrawingFolder::draw(const DetectedImage& image) {
  std::vector<DrawnBox> boxes;
  for (const DetectedObject& object : image.objects)
    boxes.push_back({object.left, object.top, object.right, object.bottom,
                     fmt::format("{} {:.2f}", one_line(object.category.name, 80), object.score),
                     object.label - 1});
  return draw(image.file, {image.pixels.width, image.pixels.height, image.pixels.rgb}, boxes);
}

std::filesystem::path DrawingFolder::draw(const std::string& file, const RgbImage& pixels,
                                          std::span<const DrawnBox> boxes) {
  const std::filesystem::path path = path_for(file);
  draw_boxes(path, pixels, boxes);
  return path;
}

}  // namespace ssd
