// Image files as the network takes them.
#pragma once

#include <span>
#include <string>

#include "base/tensor.h"

namespace ssd {

// u8 (N, 300, 300, 3), in the order of the files: each oriented and scaled as for detect_files()
// (image_detector.h). Throws Error, with the file's name, for one that cannot be read.
Tensor read_network_images(std::span<const std::string> files);

}  // namespace ssd
