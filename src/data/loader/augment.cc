#include "data/loader/augment.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "data/loader/random_crop.h"
#include "data/loader/random_twist.h"
#include "data/loader/zoom_out.h"
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

// How far to scale down while decoding: so far that at least twice the output is left for the filter to work
// on, and no further than the image's format can. On 60 COCO images that changes an output byte by 0.6 (half
// size) to 0.7 (quarter) on the average, and 1 in 1,000 by more than 8. With only as many pixels as the
// output left, it would be 1.9 and 1 in 25; with 1.5 times, 1.0.
int denominator_for(int width, int height, const ResizeOptions& output, int most) {
  int denominator = 1;
  while (denominator < most && width >= 4 * denominator * output.x.size &&
         height >= 4 * denominator * output.y.size)
    denominator *= 2;
  return denominator;
}

// Copies the rows of a tile to their place in the image.
void place(std::span<const std::uint8_t> from, const PixelRect& tile, std::span<std::uint8_t> image) {
  const auto bytes = 3 * static_cast<std::size_t>(tile.width());
  std::size_t at = 0;
  for (int y = tile.top; y < tile.bottom; ++y, at += bytes)
    std::copy_n(&from[at], bytes, &image[3 * static_cast<std::size_t>(y * image_size + tile.left)]);
}

// The same for a tile whose rows stand in `from` as columns.
void place_transposed(std::span<const std::uint8_t> from, const PixelRect& tile,
                      std::span<std::uint8_t> image) {
  const auto height = static_cast<std::size_t>(tile.height());
  for (int y = tile.top; y < tile.bottom; ++y) {
    for (int x = tile.left; x < tile.right; ++x) {
      const std::size_t at =
          static_cast<std::size_t>(x - tile.left) * height + static_cast<std::size_t>(y - tile.top);
      std::copy_n(&from[3 * at], 3, &image[3 * static_cast<std::size_t>(y * image_size + x)]);
    }
  }
}

// Everything outside the tile becomes the colour of the canvas.
void fill_around(const PixelRect& tile, std::span<std::uint8_t> image) {
  const auto fill = [image](int y, int begin, int end) {
    for (int x = begin; x < end; ++x)
      std::ranges::copy(zoom_out_fill, &image[3 * static_cast<std::size_t>(y * image_size + x)]);
  };
  for (int y = 0; y < image_size; ++y) {
    const bool beside = y >= tile.top && y < tile.bottom;
    fill(y, 0, beside ? tile.left : image_size);
    if (beside) fill(y, tile.right, image_size);
  }
}

// A box relative to `frame`, where it was relative to what `frame` is relative to.
Box relative_to(const Box& box, const Box& frame) {
  const float width = frame.right - frame.left;
  const float height = frame.bottom - frame.top;
  return {(box.left - frame.left) / width, (box.top - frame.top) / height, (box.right - frame.left) / width,
          (box.bottom - frame.top) / height};
}

// The other way.
Box out_of(const Box& box, const Box& frame) {
  const float width = frame.right - frame.left;
  const float height = frame.bottom - frame.top;
  return {frame.left + box.left * width, frame.top + box.top * height, frame.left + box.right * width,
          frame.top + box.bottom * height};
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

// Relative to the image; `canvas` itself where there is no crop.
Box Augmenter::choose_crop(const Box& canvas, std::span<const LabeledBox> boxes, Random& random) {
  if (!options_.crop) return canvas;
  const RandomCropOptions options{.attempts = options_.crop_attempts};
  if (canvas == whole_image) return random_crop(boxes, random, options);
  canvas_boxes_.clear();
  for (const LabeledBox& labeled : boxes)
    canvas_boxes_.push_back({relative_to(labeled.box, canvas), labeled.label});
  const Box crop = random_crop(canvas_boxes_, random, options);
  return crop == whole_image ? canvas : out_of(crop, canvas);
}

View Augmenter::choose_view(const Box& canvas, std::span<const LabeledBox> boxes, Random& random,
                            std::vector<LabeledBox>& kept) {
  const Box crop = choose_crop(canvas, boxes, random);
  const bool flip_x = options_.flip && random.coin(0.5);
  const bool flip_y = options_.vertical_flip && random.coin(0.5);
  View view = view_of(crop, oriented_size_.width, oriented_size_.height);
  keep_boxes(boxes, crop == canvas ? whole_image : crop, view.frame, kept);
  mirror(kept, flip_x, flip_y);
  mirror(view, flip_x, flip_y);
  return view;
}

void Augmenter::train(const ImageSource& source, std::span<const LabeledBox> boxes, Random& random,
                      std::span<std::uint8_t> image, std::vector<LabeledBox>& kept) {
  open(source);
  const Box canvas = options_.zoom_out ? random_zoom_out(random) : whole_image;
  const View view = choose_view(canvas, boxes, random, kept);
  render(source, view, image);
  change_colours(random, image);
  if (view.tile != whole_tile) fill_around(view.tile, image);
}

void Augmenter::add_tile(const ImageSource& source, std::span<const LabeledBox> boxes, Random& random,
                         const PixelRect& tile, std::span<std::uint8_t> image,
                         std::vector<LabeledBox>& kept) {
  open(source);
  View view = choose_view(whole_image, boxes, random, canvas_boxes_);
  view.tile = tile;
  render(source, view, image);
  const float side = image_size;
  const Box place = {static_cast<float>(tile.left) / side, static_cast<float>(tile.top) / side,
                     static_cast<float>(tile.right) / side, static_cast<float>(tile.bottom) / side};
  for (const LabeledBox& labeled : canvas_boxes_) kept.push_back({out_of(labeled.box, place), labeled.label});
}

void Augmenter::change_colours(Random& random, std::span<std::uint8_t> image) {
  if (!options_.colour) return;
  StageClock clock;
  twist(image, options_.strong_colour ? strong_twist(random) : recipe_twist(random));
  clock.lap(times_.colour);
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
  orientation.flip_x ^= view.flip_x;
  orientation.flip_y ^= view.flip_y;
  // Mirroring is done on the way through the filter, before the axes change places.
  const bool transposed = orientation.transpose;
  const int width = view.tile.width(), height = view.tile.height();
  ResizeOptions options;
  options.x = {stored.width(), 0, static_cast<double>(stored.width()), transposed ? height : width,
               transposed ? orientation.flip_y : orientation.flip_x};
  options.y = {stored.height(), 0, static_cast<double>(stored.height()), transposed ? width : height,
               transposed ? orientation.flip_x : orientation.flip_y};
  const bool directly = view.tile == whole_tile && !transposed;
  std::span<std::uint8_t> out = image;
  if (!directly) {
    unplaced_.resize(image_bytes);
    out = std::span(unplaced_).first(3 * static_cast<std::size_t>(width * height));
  }
  switch (source.encoding) {
    case ImageSource::Encoding::file:
      render_file(stored, options, out);
      break;
    case ImageSource::Encoding::raw:
      render_raw(source, stored, options, out);
      break;
  }
  if (transposed)
    place_transposed(out, view.tile, image);
  else if (!directly)
    place(out, view.tile, image);
}

void Augmenter::render_file(const PixelRect& stored, ResizeOptions options, std::span<std::uint8_t> image) {
  StageClock clock;
  const int d = denominator_for(stored.width(), stored.height(), options, decoder_->max_denominator());
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
