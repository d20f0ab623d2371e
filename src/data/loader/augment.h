// From a stored image to a network input: the front door of the image path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "boxes/labeled_box.h"
#include "boxes/ssd300.h"
#include "data/loader/augment_options.h"
#include "data/loader/view.h"
#include "image/format.h"
#include "image/image_source.h"
#include "image/orientation.h"
#include "image/resize.h"

namespace ssd {

// Seconds of this thread.
struct StageTimes {
  double decode = 0;
  double resize = 0;  // crop and flip included
  double colour = 0;
};

// Makes network inputs, image after image, without allocating memory once it has seen the largest image
// (but for what the formats' libraries take and give back). One a thread. All methods throw Error, without
// the file's name, for images that cannot be read; the next call is then as good as the first.
class Augmenter {
 public:
  static constexpr std::size_t image_bytes =
      3u * image_size * image_size;  // of the square output: RGB, row after row

  explicit Augmenter(const AugmentOptions& options = {}) : options_(options) {}

  // A training sample. In this order: zoom-out, crop, flip, vertical flip (all chosen first; only what they
  // show is decoded), resize, colour; what zooming out leaves empty is filled last and keeps its colour.
  // `boxes` are relative (ltrb, 0..1) to the annotated image, `kept` to the output; it may end up empty.
  // Draws from `random` alone, and for what is off nothing.
  void train(const ImageSource& source, std::span<const LabeledBox> boxes, Random& random,
             std::span<std::uint8_t> image, std::vector<LabeledBox>& kept);

  // A mosaic is made of tiles: crop, flips and resize for each, whose boxes are added to `kept`, and the
  // colours once all are there.
  void add_tile(const ImageSource& source, std::span<const LabeledBox> boxes, Random& random,
                const PixelRect& tile, std::span<std::uint8_t> image, std::vector<LabeledBox>& kept);
  void change_colours(Random& random, std::span<std::uint8_t> image);

  struct Size {
    int width = 0;
    int height = 0;
  };
  // The whole image, oriented as for `train`; gives the size of the original in that orientation.
  Size evaluate(const ImageSource& source, std::span<std::uint8_t> image);

  StageTimes& times() { return times_; }

 private:
  // Reads the header; the size of the oriented image.
  Size open(const ImageSource& source);
  Box choose_crop(const Box& canvas, std::span<const LabeledBox> boxes, Random& random);
  // Chooses crop and flips of the open image, whose boxes go to `kept`.
  View choose_view(const Box& canvas, std::span<const LabeledBox> boxes, Random& random,
                   std::vector<LabeledBox>& kept);
  void render(const ImageSource& source, const View& view, std::span<std::uint8_t> image);
  void render_file(const PixelRect& stored, ResizeOptions options, std::span<std::uint8_t> image);
  void render_raw(const ImageSource& source, const PixelRect& stored, const ResizeOptions& options,
                  std::span<std::uint8_t> image);

  AugmentOptions options_;
  StageTimes times_;
  ImageDecoders decoders_;
  ImageDecoder* decoder_ = nullptr;  // of the open image, where it is a file
  Resizer resizer_;
  Size oriented_size_;
  Orientation orientation_;
  std::vector<std::uint8_t> unplaced_;    // a tile, or an image whose axes are still to change places
  std::vector<LabeledBox> canvas_boxes_;  // relative to the canvas, or of a tile
};

}  // namespace ssd
