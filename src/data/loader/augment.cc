#include "data/loader/augment.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "image/colour.h"

namespace ssd {
namespace {

// Adds the time since it was made, or since the last lap, to one stage after the other.
class StageClock {
 public:
  void lap(double& stage) {
    const auto now = std::chrono::steady_clock::now();
    stage += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// A crop in whole pixels, at least one each way.
PixelRect whole_pixels(const Box& box, int width, int height) {
  const auto side = [](float low, float high, int length) {
    const int begin =
        std::clamp(static_cast<int>(std::lround(low * static_cast<float>(length))), 0, length - 1);
    const int end =
        std::clamp(static_cast<int>(std::lround(high * static_cast<float>(length))), begin + 1, length);
    return std::pair(begin, end);
  };
  const auto [left, right] = side(box.left, box.right, width);
  const auto [top, bottom] = side(box.top, box.bottom, height);
  return {left, top, right, bottom};
}

Box shares(const PixelRect& rect, int width, int height) {
  const auto w = static_cast<float>(width);
  const auto h = static_cast<float>(height);
  return {static_cast<float>(rect.left) / w, static_cast<float>(rect.top) / h,
          static_cast<float>(rect.right) / w, static_cast<float>(rect.bottom) / h};
}

// How far to scale down while decoding: so far that at least twice the output is left for the filter to work
// on, and no further than the image's format can. On 60 COCO images that changes an output byte by 0.6 (half
// size) to 0.7 (quarter) on the average, and 1 in 1,000 by more than 8. With only as many pixels as the
// output left, it would be 1.9 and 1 in 25; with 1.5 times, 1.0.
int denominator_for(const PixelRect& rect, int most) {
  constexpr int least = 2 * image_size;
  int denominator = 1;
  while (denominator < most && std::min(rect.width(), rect.height()) >= 2 * denominator * least)
    denominator *= 2;
  return denominator;
}

void transpose(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) {
  constexpr std::size_t side = image_size;
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      std::copy_n(&from[3 * (x * side + y)], 3, &to[3 * (y * side + x)]);
    }
  }
}

ColourTwist random_twist(Random& random) {
  ColourTwist twist;
  twist.hue_degrees = random.uniform(-0.5, 0.5);
  twist.saturation = random.uniform(0.5, 1.5);
  twist.brightness = random.uniform(0.875, 1.125);
  twist.contrast = random.uniform(0.5, 1.5);
  return twist;
}

}  // namespace

Augmenter::Size Augmenter::open(const ImageSource& source) {
  orientation_ = {};
  oriented_size_ = {source.width, source.height};
  switch (source.encoding) {
    case ImageSource::Encoding::file: {
      StageClock clock;
      decoder_ = &decoders_.open(source.bytes);
      const ImageInfo& info = decoder_->info();
      clock.lap(times_.decode);
      orientation_ = orientation_for_annotation(info, source.width, source.height);
      oriented_size_ = {info.width, info.height};
      if (orientation_.transpose) std::swap(oriented_size_.width, oriented_size_.height);
      break;
    }
    case ImageSource::Encoding::raw: {
      const std::int64_t bytes = std::int64_t{3} * source.width * source.height;
      if (source.width <= 0 || source.height <= 0 ||
          bytes != static_cast<std::int64_t>(source.bytes.size())) {
        throw Error("raw image: got {} bytes, expected {} for {}x{} pixels; build the cache anew",
                    source.bytes.size(), bytes, source.width, source.height);
      }
      break;
    }
  }
  return oriented_size_;
}

void Augmenter::train(const ImageSource& source, std::span<const LabeledBox> boxes, Random& random,
                      std::span<std::uint8_t> image, std::vector<LabeledBox>& kept) {
  const Size size = open(source);
  const Box crop = options_.crop ? random_crop(boxes, random) : whole_image;
  const bool flip = options_.flip && random.coin(0.5);
  const PixelRect rect = whole_pixels(crop, size.width, size.height);
  keep_boxes(boxes, crop, shares(rect, size.width, size.height), kept);
  if (flip) {
    for (LabeledBox& labeled : kept) {
      labeled.box = {1 - labeled.box.right, labeled.box.top, 1 - labeled.box.left, labeled.box.bottom};
    }
  }
  render(source, {.rect = rect, .flip = flip}, image);
  if (options_.colour) {
    StageClock clock;
    twist(image, random_twist(random));
    clock.lap(times_.colour);
  }
}

Augmenter::Size Augmenter::evaluate(const ImageSource& source, std::span<std::uint8_t> image) {
  const Size size = open(source);
  render(source, {.rect = {0, 0, size.width, size.height}}, image);
  return size;
}

void Augmenter::render(const ImageSource& source, const View& view, std::span<std::uint8_t> image) {
  assert(image.size() == image_bytes);
  const PixelRect stored = to_stored(view.rect, oriented_size_.width, oriented_size_.height, orientation_);
  Orientation orientation = orientation_;
  orientation.flip_x ^= view.flip;
  // Mirroring is done on the way through the filter, before the axes change places.
  ResizeOptions options;
  options.x = {stored.width(), 0, static_cast<double>(stored.width()), image_size,
               orientation.transpose ? orientation.flip_y : orientation.flip_x};
  options.y = {stored.height(), 0, static_cast<double>(stored.height()), image_size,
               orientation.transpose ? orientation.flip_x : orientation.flip_y};
  std::span<std::uint8_t> out = image;
  if (orientation.transpose) {
    untransposed_.resize(image_bytes);
    out = untransposed_;
  }
  switch (source.encoding) {
    case ImageSource::Encoding::file:
      render_file(stored, options, out);
      break;
    case ImageSource::Encoding::raw:
      render_raw(source, stored, options, out);
      break;
  }
  if (orientation.transpose) transpose(out, image);
}

void Augmenter::render_file(const PixelRect& stored, ResizeOptions options, std::span<std::uint8_t> image) {
  StageClock clock;
  const int d = denominator_for(stored, decoder_->max_denominator());
  const PixelRect scaled = {stored.left / d, stored.top / d, (stored.right + d - 1) / d,
                            (stored.bottom + d - 1) / d};
  const auto scale = [d](ResizeAxis& axis, int begin, int end, int first, int length) {
    axis.length = length;
    axis.begin = static_cast<double>(begin) / d - first;
    axis.end = static_cast<double>(end) / d - first;
  };
  scale(options.x, stored.left, stored.right, scaled.left, scaled.width());
  scale(options.y, stored.top, stored.bottom, scaled.top, scaled.height());
  resizer_.start(options, image);
  clock.lap(times_.resize);
  decoder_->start({.rect = scaled, .denominator = d});
  while (decoder_->rows_left() > 0) {
    const auto rows = decoder_->read_rows();
    clock.lap(times_.decode);
    resizer_.push(rows);
    clock.lap(times_.resize);
  }
}

void Augmenter::render_raw(const ImageSource& source, const PixelRect& stored, const ResizeOptions& options,
                           std::span<std::uint8_t> image) {
  StageClock clock;
  resizer_.start(options, image);
  const auto* rgb = reinterpret_cast<const std::uint8_t*>(source.bytes.data());
  std::array<const std::uint8_t*, ImageDecoder::rows_at_once> rows{};
  for (int y = stored.top; y < stored.bottom;) {
    std::size_t count = 0;
    for (; count < rows.size() && y < stored.bottom; ++count, ++y) {
      rows[count] = rgb + 3 * (static_cast<std::ptrdiff_t>(y) * source.width + stored.left);
    }
    resizer_.push({rows.data(), count});
  }
  clock.lap(times_.resize);
}

}  // namespace ssd
