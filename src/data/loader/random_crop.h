// The recipe's random crop: which part of an image to look at, and which boxes stay in it.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/random.h"
#include "boxes/labeled_box.h"

namespace ssd {

struct RandomCropOptions {
  // Least IoU of the crop with every box; one of them, or not to crop at all, is drawn for each attempt.
  std::array<float, 6> thresholds = {0.0f, 0.1f, 0.3f, 0.5f, 0.7f, 0.9f};
  double min_size = 0.3;  // of the image's width and height, drawn apart
  double max_size = 1.0;
  double min_aspect = 0.5;  // width / height, both in normalized coordinates
  double max_aspect = 2.0;
  int attempts = 1;  // with one threshold, before another is drawn
};

// As many attempts as the SSD paper's authors give each threshold. With one, a demanding threshold is met so
// seldom that nearly all crops come from the lenient ones.
inline constexpr int retried_crop_attempts = 50;

inline constexpr Box whole_image = {0, 0, 1, 1};

// Draws crops (ltrb, 0..1) until one holds the centre of at least one box, has an allowed aspect ratio and
// overlaps every box by the threshold drawn with it; or until not to crop is drawn, which gives
// whole_image. With one attempt a threshold this is DALI's RandomBBoxCrop with allow_no_crop and
// num_attempts 1, the recipe's; an aspect ratio that is not allowed costs an attempt.
Box random_crop(std::span<const LabeledBox> boxes, Random& random, const RandomCropOptions& options = {});

// The boxes whose centre lies in `crop`, relative to `frame` and clipped to it; all boxes for whole_image.
// `frame` is the crop in whole pixels. What has no area left is dropped, so `kept` may be empty.
void keep_boxes(std::span<const LabeledBox> boxes, const Box& crop, const Box& frame,
                std::vector<LabeledBox>& kept);

}  // namespace ssd
