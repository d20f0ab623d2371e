// Encoding images as JPEG.
#pragma once

#include <cstddef>
#include <vector>

#include "image/image.h"

namespace ssd {

// The image as a baseline JPEG file (YCbCr, chroma at half the resolution both ways, optimised Huffman
// tables), quality 1 to 100. Replaces what `out` held. Throws Error for images with no pixels or a side
// over 65,500.
void encode_jpeg(const Image& image, int quality, std::vector<std::byte>& out);

}  // namespace ssd
