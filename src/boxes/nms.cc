#include "boxes/nms.h"

#include <algorithm>

namespace ssd {
namespace {

void load(std::span<const Box> boxes, NmsScratch& scratch) {
  for (auto* array : {&scratch.left, &scratch.top, &scratch.right, &scratch.bottom, &scratch.areas}) {
    array->resize(boxes.size());
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    scratch.left[i] = boxes[i].left;
    scratch.top[i] = boxes[i].top;
    scratch.right[i] = boxes[i].right;
    scratch.bottom[i] = boxes[i].bottom;
    scratch.areas[i] = area(boxes[i]);
  }
  scratch.suppressed.assign(boxes.size(), 0);
}

// Suppresses the boxes after box i that overlap it too much. Plain arrays and no branch: compiles to vectors.
void suppress_after(std::size_t i, const Box& box, float threshold, NmsScratch& scratch) {
  const float* left = scratch.left.data();
  const float* top = scratch.top.data();
  const float* right = scratch.right.data();
  const float* bottom = scratch.bottom.data();
  const float* areas = scratch.areas.data();
  std::uint8_t* suppressed = scratch.suppressed.data();
  const float own_area = areas[i];
  for (std::size_t j = i + 1; j < scratch.left.size(); ++j) {
    const float width = std::max(std::min(box.right, right[j]) - std::max(box.left, left[j]), 0.0f);
    const float height = std::max(std::min(box.bottom, bottom[j]) - std::max(box.top, top[j]), 0.0f);
    const float intersection = width * height;
    const bool over = intersection / (own_area + areas[j] - intersection) > threshold;
    suppressed[j] = static_cast<std::uint8_t>(suppressed[j] | static_cast<std::uint8_t>(over));
  }
}

}  // namespace

void nms(std::span<const Box> boxes, float threshold, NmsScratch& scratch, std::vector<std::size_t>& kept) {
  load(boxes, scratch);
  kept.clear();
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (scratch.suppressed[i] != 0) continue;
    kept.push_back(i);
    suppress_after(i, boxes[i], threshold, scratch);
  }
}

}  // namespace ssd
