// Axis-aligned boxes in the two notations of SSD.
#pragma once

#include <algorithm>

namespace ssd {

// Left, top, right, bottom in normalized coordinates: 0..1 of the image's width and height, y down.
struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;

  bool operator==(const Box&) const = default;
};

// The same box by its centre and size, in normalized coordinates.
struct CenterBox {
  float cx = 0, cy = 0, width = 0, height = 0;

  bool operator==(const CenterBox&) const = default;
};

inline CenterBox to_center(const Box& box) {
  return {(box.left + box.right) / 2, (box.top + box.bottom) / 2, box.right - box.left, box.bottom - box.top};
}

inline Box to_corners(const CenterBox& box) {
  return {box.cx - box.width / 2, box.cy - box.height / 2, box.cx + box.width / 2, box.cy + box.height / 2};
}

inline float area(const Box& box) { return (box.right - box.left) * (box.bottom - box.top); }

// Intersection over union (Jaccard overlap), 0..1. NaN where both boxes are empty.
inline float iou(const Box& a, const Box& b) {
  const float width = std::max(std::min(a.right, b.right) - std::max(a.left, b.left), 0.0f);
  const float height = std::max(std::min(a.bottom, b.bottom) - std::max(a.top, b.top), 0.0f);
  const float intersection = width * height;
  return intersection / (area(a) + area(b) - intersection);
}

}  // namespace ssd
