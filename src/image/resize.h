// Antialiased resizing of RGB images: the same code for training, evaluation and detection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ssd {

// One axis of a resize: the stretch begin .. end of `length` source pixels becomes `size` pixels.
struct ResizeAxis {
  int length = 0;
  double begin = 0;  // 0 .. length, may lie within a pixel
  double end = 0;    // begin .. length
  int size = 0;
  bool flip = false;  // mirrored

  bool operator==(const ResizeAxis&) const = default;
};

struct ResizeOptions {
  ResizeAxis x;
  ResizeAxis y;
};

// What the filter takes of one axis: destination pixel i is the sum over k < taps of weights[i * taps + k] *
// source[first[i] + k] / one. The filter is a triangle as wide as two destination pixels (as two source
// pixels where the image grows), cut at the pixels that the stretch touches and normalized: Pillow's
// "bilinear".
struct ResizeWeights {
  static constexpr int weight_bits = 14;  // of the weights' binary places

  int taps = 0;
  std::vector<std::int32_t> first;    // (size)
  std::vector<std::int16_t> weights;  // (size, taps); those beyond a window's end are 0

  // `padded_taps` rounds the longest window's length up to what the caller likes.
  void compute(const ResizeAxis& axis, int (*padded_taps)(int));
};

// Resizes an image whose rows come one after the other, in two passes that never hold the whole image:
// each row is filtered along x into a ring of 16-bit rows (7 binary places), from which finished rows are
// filtered along y. Within 1 of Pillow on the same pixels, which rounds to whole bytes in between. The result
// does not depend on the processor. Keeps its memory from image to image; one a thread.
// Over 12 members: the plans of both passes, and the memory that is kept from image to image.
class Resizer {
 public:
  // `out` is y.size * x.size * 3 bytes, RGB, and must stay until all y.length rows are pushed. Throws Error
  // for sizes and stretches that are empty or outside the image.
  void start(const ResizeOptions& options, std::span<std::uint8_t> out);

  // The next rows of the source: each 3 * x.length bytes, R, G, B, R, ...; nothing beyond them is read.
  void push(std::span<const std::uint8_t* const> rows);

 private:
  void plan_columns();
  void filter_rows(std::span<const std::uint8_t* const> rows);
  void finish_rows();
  std::int16_t* ring_row(int y);

  ResizeOptions options_;
  std::span<std::uint8_t> out_;
  ResizeWeights x_;
  ResizeWeights y_;
  ResizeAxis x_axis_;                  // what x_ was computed for
  std::vector<std::int32_t> offsets_;  // (x.size + 1) first byte of each window, in the row or in its tail
  int tail_begin_ = 0;  // destination columns tail_begin_ .. tail_end_ - 1 need pixels so near the
  int tail_end_ = 0;    // row's end that whole vectors would reach beyond it
  int tail_pixel_ = 0;  // the first pixel that these columns need
  std::vector<std::uint8_t> tail_;  // (rows at once, tail_bytes_) copies of the rows' ends, zeros behind
  std::size_t tail_bytes_ = 0;
  std::vector<std::int16_t> ring_;  // (ring_rows_, stride_)
  std::size_t stride_ = 0;
  std::vector<const std::int16_t*> window_;
  int ring_rows_ = 0;
  int pushed_ = 0;
  int finished_ = 0;
};

// The stretch of a whole image in memory (`rgb`: y.length * x.length * 3) into `out`.
void resize(std::span<const std::uint8_t> rgb, const ResizeOptions& options, std::span<std::uint8_t> out);

}  // namespace ssd
