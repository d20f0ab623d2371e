#include "image/resize.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "image/resize_kernels.h"

namespace ssd {
namespace {

void check(const ResizeAxis& axis, const char* name) {
  if (axis.length <= 0 || axis.size <= 0 || !(axis.begin >= 0) || !(axis.end > axis.begin) ||
      !(axis.end <= axis.length)) {
    throw Error("resize along {}: got the stretch {}..{} of {} pixels for {}, expected a part of the image",
                name, axis.begin, axis.end, axis.length, axis.size);
  }
}

// Source pixels and weights of destination pixel i; the weights add up to 1 << weight_bits exactly.
struct Window {
  int first = 0;
  int count = 0;
};

Window window_of(const ResizeAxis& axis, int i) {
  const double scale = (axis.end - axis.begin) / axis.size;
  const double support = std::max(scale, 1.0);
  const double centre = axis.begin + (i + 0.5) * scale;
  const int lowest = static_cast<int>(std::floor(axis.begin));
  const int highest = static_cast<int>(std::ceil(axis.end));
  const int first = std::max(lowest, static_cast<int>(std::floor(centre - support + 0.5)));
  const int last = std::min(highest, static_cast<int>(std::floor(centre + support + 0.5)));
  return {std::min(first, highest - 1), std::max(1, last - first)};
}

void weigh(const ResizeAxis& axis, int i, const Window& window, std::int16_t* weights) {
  const double scale = (axis.end - axis.begin) / axis.size;
  const double support = std::max(scale, 1.0);
  const double centre = axis.begin + (i + 0.5) * scale;
  const auto triangle = [&](int k) {
    return std::max(0.0, 1 - std::abs((window.first + k + 0.5 - centre) / support));
  };
  double total = 0;
  for (int k = 0; k < window.count; ++k) total += triangle(k);
  const double one = 1 << ResizeWeights::weight_bits;
  double sum = 0;
  int given = 0;
  for (int k = 0; k < window.count; ++k) {  // rounding the sums keeps the rounded weights' sum
    sum += total > 0 ? triangle(k) / total : 1.0 / window.count;
    const int until = static_cast<int>(std::lround(sum * one));
    weights[k] = static_cast<std::int16_t>(until - given);
    given = until;
  }
}

}  // namespace

void ResizeWeights::compute(const ResizeAxis& axis, int (*padded_taps)(int)) {
  int longest = 1;
  for (int i = 0; i < axis.size; ++i) longest = std::max(longest, window_of(axis, i).count);
  taps = padded_taps(longest);
  const std::size_t size = static_cast<std::size_t>(axis.size);
  first.assign(size, 0);
  weights.assign(size * static_cast<std::size_t>(taps), 0);
  for (int i = 0; i < axis.size; ++i) {
    const Window window = window_of(axis, i);
    const int to = axis.flip ? axis.size - 1 - i : i;
    first[static_cast<std::size_t>(to)] = window.first;
    weigh(axis, i, window, weights.data() + static_cast<std::ptrdiff_t>(to) * taps);
  }
}

void Resizer::start(const ResizeOptions& options, std::span<std::uint8_t> out) {
  check(options.x, "x");
  check(options.y, "y");
  assert(out.size() == std::size_t{3} * static_cast<std::size_t>(options.x.size) *
                           static_cast<std::size_t>(options.y.size));
  options_ = options;
  out_ = out;
  pushed_ = 0;
  finished_ = 0;
  if (!(options.x == x_axis_)) {
    x_axis_ = {};
    plan_columns();
    x_axis_ = options.x;
  }
  ResizeAxis y = options.y;
  y.flip = false;  // rows come from the top; mirroring is done where they are written
  y_.compute(y, resize_kernels::padded_row_taps);

  stride_ = 3 * static_cast<std::size_t>(options.x.size + 1) + resize_kernels::row_slack;
  ring_rows_ = y_.taps + resize_kernels::max_rows;
  const std::size_t ring = stride_ * static_cast<std::size_t>(ring_rows_);
  if (ring_.size() < ring) ring_.resize(ring);
}

// Finds the columns whose windows are read beyond the row's end, and plans to read them from a copy.
void Resizer::plan_columns() {
  const ResizeAxis& axis = options_.x;
  x_.compute(axis, resize_kernels::padded_column_taps);
  const int reach = std::max(x_.taps + 2, resize_kernels::least_reach);
  const auto in_row = [&](int i) { return x_.first[static_cast<std::size_t>(i)] + reach <= axis.length; };
  tail_begin_ = axis.flip ? 0 : axis.size;
  tail_end_ = axis.flip ? 0 : axis.size;
  // Columns are filtered in pairs, so the border lies at an even one.
  if (axis.flip) {
    while (tail_end_ < axis.size && !(in_row(tail_end_) && tail_end_ % 2 == 0)) ++tail_end_;
  } else {
    while (tail_begin_ > 0 && !(in_row(tail_begin_ - 1) && tail_begin_ % 2 == 0)) --tail_begin_;
  }
  tail_pixel_ = axis.length;
  for (int i = tail_begin_; i < tail_end_; ++i) {
    tail_pixel_ = std::min(tail_pixel_, x_.first[static_cast<std::size_t>(i)]);
  }
  tail_bytes_ = 3 * static_cast<std::size_t>(axis.length - tail_pixel_ + reach);
  tail_.assign(tail_bytes_ * resize_kernels::max_rows, 0);

  offsets_.resize(static_cast<std::size_t>(axis.size) + 1);
  for (int i = 0; i < axis.size; ++i) {
    const bool in_tail = i >= tail_begin_ && i < tail_end_;
    const auto at = static_cast<std::size_t>(i);
    offsets_[at] = 3 * (x_.first[at] - (in_tail ? tail_pixel_ : 0));
  }
  // A last column without a partner is paired with its double.
  offsets_.back() = offsets_[offsets_.size() - 2];
  x_.weights.resize(x_.weights.size() + static_cast<std::size_t>(x_.taps), 0);
}

std::int16_t* Resizer::ring_row(int y) {
  return ring_.data() + static_cast<std::size_t>(y % ring_rows_) * stride_;
}

void Resizer::push(std::span<const std::uint8_t* const> rows) {
  assert(pushed_ + static_cast<int>(rows.size()) <= options_.y.length);
  const auto at_once = static_cast<std::size_t>(resize_kernels::rows_at_once());
  for (std::size_t i = 0; i < rows.size(); i += at_once) {
    filter_rows(rows.subspan(i, std::min(at_once, rows.size() - i)));
    finish_rows();
  }
}

void Resizer::filter_rows(std::span<const std::uint8_t* const> rows) {
  const std::size_t tail_used = 3 * static_cast<std::size_t>(options_.x.length - tail_pixel_);
  std::array<const std::uint8_t*, resize_kernels::max_rows> whole{};
  std::array<const std::uint8_t*, resize_kernels::max_rows> tails{};
  std::array<std::int16_t*, resize_kernels::max_rows> out{};
  std::array<std::int16_t*, resize_kernels::max_rows> tail_out{};
  const int main_begin = tail_begin_ == 0 ? tail_end_ : 0;
  const int main_end = tail_begin_ == 0 ? options_.x.size : tail_begin_;
  for (std::size_t i = 0; i < whole.size(); ++i) {  // missing rows are the last one again, written in vain
    whole[i] = rows[std::min(i, rows.size() - 1)];
    std::uint8_t* tail = tail_.data() + tail_bytes_ * i;
    std::memcpy(tail, whole[i] + 3 * tail_pixel_, tail_used);
    tails[i] = tail;
    std::int16_t* row = ring_row(pushed_ + static_cast<int>(i));
    out[i] = row + 3 * main_begin;
    tail_out[i] = row + 3 * tail_begin_;
  }
  const auto filter = [&](const auto& from, const auto& to, int begin, int end) {
    resize_kernels::filter_columns(
        {.rows = from.data(),
         .out = to.data(),
         .offsets = offsets_.data() + begin,
         .weights = x_.weights.data() + static_cast<std::ptrdiff_t>(begin) * x_.taps,
         .taps = x_.taps,
         .count = end - begin});
  };
  // From left to right: vectors write a little too far.
  if (tail_begin_ == 0) filter(tails, tail_out, tail_begin_, tail_end_);
  if (main_begin < main_end) filter(whole, out, main_begin, main_end);
  if (tail_begin_ > 0) filter(tails, tail_out, tail_begin_, tail_end_);
  pushed_ += static_cast<int>(rows.size());
}

void Resizer::finish_rows() {
  const int height = options_.y.size;
  const int elements = 3 * options_.x.size;
  window_.resize(static_cast<std::size_t>(y_.taps));
  for (; finished_ < height; ++finished_) {
    const int first = y_.first[static_cast<std::size_t>(finished_)];
    const std::int16_t* weights = y_.weights.data() + static_cast<std::ptrdiff_t>(finished_) * y_.taps;
    int needed = y_.taps;
    while (needed > 1 && weights[needed - 1] == 0) --needed;
    if (first + needed > pushed_) return;
    for (int k = 0; k < y_.taps; ++k) window_[static_cast<std::size_t>(k)] = ring_row(first + k);
    const int to = options_.y.flip ? height - 1 - finished_ : finished_;
    resize_kernels::filter_row({.rows = window_.data(),
                                .weights = weights,
                                .out = out_.data() + static_cast<std::ptrdiff_t>(to) * elements,
                                .taps = y_.taps,
                                .elements = elements});
  }
}

void resize(std::span<const std::uint8_t> rgb, const ResizeOptions& options, std::span<std::uint8_t> out) {
  Resizer resizer;
  resizer.start(options, out);
  const std::size_t row_bytes = 3 * static_cast<std::size_t>(options.x.length);
  assert(rgb.size() == row_bytes * static_cast<std::size_t>(options.y.length));
  for (std::size_t at = 0; at < rgb.size(); at += row_bytes) {
    const std::uint8_t* row = rgb.data() + at;
    resizer.push({&row, 1});
  }
}

}  // namespace ssd
