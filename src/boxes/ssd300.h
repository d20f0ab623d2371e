// SSD300 v1.1's constants: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, on ResNet features.
#pragma once

#include <array>
#include <cstddef>

namespace ssd {

// Side of the network's input in pixels.
inline constexpr int image_size = 300;
// Pixel statistics of ImageNet (RGB in 0..1) that images are normalised with: (x - mean) / deviation.
inline constexpr std::array<double, 3> pixel_mean{0.485, 0.456, 0.406};
inline constexpr std::array<double, 3> pixel_deviation{0.229, 0.224, 0.225};

// Default boxes of all maps; the feature maps from the finest to the coarsest, their sides in cells, and the
// default boxes of a cell.
inline constexpr std::size_t default_box_count = 8732;
inline constexpr std::array<int, 6> map_sizes{38, 19, 10, 5, 3, 1};
inline constexpr std::array<int, 6> boxes_per_cell{4, 6, 6, 6, 4, 4};
// What network offsets are multiplied by (the "variances" of the SSD paper).
inline constexpr double scale_xy = 0.1;
inline constexpr double scale_wh = 0.2;

// Hard negatives that count in the loss for every positive.
inline constexpr int negatives_per_positive = 3;

}  // namespace ssd
