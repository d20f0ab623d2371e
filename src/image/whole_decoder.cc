#include "image/whole_decoder.h"

#include <algorithm>
#include <cassert>

#include "image/convert_rows.h"

namespace ssd {

void WholeDecoder::start(const ImagePart& part) {
  assert(part.denominator == 1);
  rect_ = part.rect;
  assert(rect_.left >= 0 && rect_.top >= 0 && rect_.width() > 0 && rect_.height() > 0 &&
         rect_.right <= info_.width && rect_.bottom <= info_.height);
  raster_ = decode();
  rows_left_ = rect_.height();
}

std::span<const std::uint8_t* const> WholeDecoder::read_rows() {
  const int count = std::min(rows_at_once, rows_left_);
  for (int i = 0; i < count; ++i) {
    const auto y = static_cast<std::size_t>(rect_.bottom - rows_left_ + i);
    std::uint8_t* const row = raster_.pixels + y * raster_.row_bytes;
    if (raster_.channels == 4) lay_over_white(row, rect_.left, rect_.right);
    handed_out_[static_cast<std::size_t>(i)] = row + 3 * static_cast<std::ptrdiff_t>(rect_.left);
  }
  rows_left_ -= count;
  return {handed_out_.data(), static_cast<std::size_t>(count)};
}

std::unique_ptr<std::uint8_t[]> WholeDecoder::make_pixels(int channels) const {
  return std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(channels) *
                                                        static_cast<std::size_t>(info_.width) *
                                                        static_cast<std::size_t>(info_.height));
}

}  // namespace ssd
