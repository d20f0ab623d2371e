#include "report/drawing_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/one_line.h"
#include "storage/temporary_name.h"

namespace ssd {

DrawingFolder::DrawingFolder(std::filesystem::path folder, std::span<const std::string> images,
                             DrawingFormat format)
    : folder_(std::move(folder)), format_(format) {
  remove_leftovers_in(folder_);
  for (const std::string& image : images) images_.insert(std::filesystem::weakly_canonical(image));
}

namespace {

// The stem, cut where need be between two characters of UTF-8, with what follows it.
std::string name_of(const std::string& stem, const std::string& end_of_name) {
  constexpr std::size_t longest_name = 255;
  std::size_t end = std::min(stem.size(), longest_name - end_of_name.size());
  while (end > 0 && end < stem.size() && (static_cast<unsigned char>(stem[end]) & 0xc0u) == 0x80u) --end;
  return stem.substr(0, end) + end_of_name;
}

}  // namespace

std::string DrawingFolder::name(const std::string& file) {
  const std::string stem =
      file == standard_input ? "standard-input" : std::filesystem::path(file).stem().string();
  const std::string extension = extension_of(format_);
  std::string name = name_of(stem, extension);
  const auto is_image = [this](const std::string& drawing) {
    return images_.contains(std::filesystem::weakly_canonical(folder_ / drawing));
  };
  for (int count = 2; is_image(name) || !names_.insert(name).second; ++count)
    name = name_of(stem, fmt::format("-{}{}", count, extension));
  return name;
}

void DrawingFolder::draw(const std::string& name, const RgbImage& pixels,
                         std::span<const DrawnBox> boxes) const {
  draw_boxes(folder_ / name, pixels, boxes, format_);
}

void DrawingFolder::draw(const DetectedImage& image, const Image& pixels) const {
  std::vector<DrawnBox> boxes;
  for (const DetectedObject& object : image.objects)
    boxes.push_back({object.left, object.top, object.right, object.bottom,
                     fmt::format("{} {:.2f}", one_line(object.category.name, 80), object.score),
                     object.label - 1, fmt::format("class {} {:.2f}", object.label, object.score)});
  draw(image.drawing, {pixels.width, pixels.height, pixels.rgb}, boxes);
}

}  // namespace ssd
