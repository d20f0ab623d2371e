#include "data/loader/random_crop.h"

#include <algorithm>

namespace ssd {
namespace {

bool holds_centre(const Box& crop, const Box& box) {
  const CenterBox center = to_center(box);
  return center.cx >= crop.left && center.cx < crop.right && center.cy >= crop.top && center.cy < crop.bottom;
}

bool accepted(std::span<const LabeledBox> boxes, const Box& crop, float threshold) {
  bool any_centre = false;
  for (const LabeledBox& labeled : boxes) {
    if (iou(crop, labeled.box) < threshold) return false;
    any_centre = any_centre || holds_centre(crop, labeled.box);
  }
  return any_centre;
}

}  // namespace

Box random_crop(std::span<const LabeledBox> boxes, Random& random, const RandomCropOptions& options) {
  if (boxes.empty()) return whole_image;
  while (true) {
    const std::uint64_t choice = random.below(options.thresholds.size() + 1);
    if (choice == options.thresholds.size()) return whole_image;
    for (int attempt = 0; attempt < options.attempts; ++attempt) {
      const double width = random.uniform(options.min_size, options.max_size);
      const double height = random.uniform(options.min_size, options.max_size);
      const double aspect = width / height;
      if (aspect < options.min_aspect || aspect > options.max_aspect) continue;
      const double left = random.uniform(0, 1 - width);
      const double top = random.uniform(0, 1 - height);
      const Box crop = {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + width),
                        static_cast<float>(top + height)};
      if (accepted(boxes, crop, options.thresholds[choice])) return crop;
    }
  }
}

void keep_boxes(std::span<const LabeledBox> boxes, const Box& crop, const Box& frame,
                std::vector<LabeledBox>& kept) {
  kept.clear();
  const bool all = crop == whole_image;
  const float width = frame.right - frame.left;
  const float height = frame.bottom - frame.top;
  for (const LabeledBox& labeled : boxes) {
    if (!all && !holds_centre(crop, labeled.box)) continue;
    const Box& box = labeled.box;
    const Box inside = {std::clamp((box.left - frame.left) / width, 0.0f, 1.0f),
                        std::clamp((box.top - frame.top) / height, 0.0f, 1.0f),
                        std::clamp((box.right - frame.left) / width, 0.0f, 1.0f),
                        std::clamp((box.bottom - frame.top) / height, 0.0f, 1.0f)};
    if (inside.right > inside.left && inside.bottom > inside.top) kept.push_back({inside, labeled.label});
  }
}

}  // namespace ssd
