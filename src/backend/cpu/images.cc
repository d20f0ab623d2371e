#include "backend/cpu/images.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "backend/cpu/pool_kernels.h"
#include "backend/cpu/rounding.h"

namespace ssd::cpu {
namespace {

// A byte has 256 values: the result of each is looked up.
class Normalize final : public Executor {
 public:
  explicit Normalize(const Task& task) : out_(task.out(0)) {
    const auto& attributes = task.node->as<graph::NormalizeAttributes>();
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t byte = 0; byte < 256; ++byte)
        table_[c][byte] = static_cast<float>((static_cast<double>(byte) / 255 - attributes.mean[c]) /
                                             attributes.standard_deviation[c]);
    for (std::size_t c = 0; c < 3; ++c) {
      if (out_.rounding) round_to_bytes(out_.rounding, table_[c], rounded_[c].data());
      if (out_.bf16) std::ranges::transform(table_[c], bf16_[c].begin(), float_to_bf16);
    }
  }

  void run(const Operands& operands) override {
    const auto* pixels = operands.in<std::uint8_t>(0);
    if (out_.rounding) return look_up(rounded_, pixels, operands.out<std::byte>(0));
    if (out_.bf16) return look_up(bf16_, pixels, operands.out<std::uint16_t>(0));
    auto* y = operands.out<float>(0);
    const Shape& shape = out_.type.shape;
    const std::int64_t rows = shape[0] * shape[1], columns = shape[2], cells = shape[1] * shape[2];
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t image = row / shape[1], first = row % shape[1] * columns;
      const std::uint8_t* from = pixels + row * columns * 3;
      if (out_.form == Form::planar)
        for (std::int64_t c = 0; c < 3; ++c) {
          float* to = y + (image * 3 + c) * cells + first;
          for (std::int64_t j = 0; j < columns; ++j) to[j] = table_[c][from[j * 3 + c]];
        }
      else
        for (std::int64_t j = 0; j < columns; ++j) {
          float* to = y + (image * cells + first + j) * out_.block;
          std::fill_n(to, out_.block, 0.0f);
          for (std::int64_t c = 0; c < 3; ++c) to[c] = table_[c][from[j * 3 + c]];
        }
    }
  }

 private:
  template <typename T>
  using Table = std::array<std::array<T, 256>, 3>;

  // With the channels last.
  template <typename T>
  void look_up(const Table<T>& table, const std::uint8_t* pixels, T* y) const {
    const std::int64_t cells = out_.type.shape.elements() / 3;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < cells; ++i)
      for (std::int64_t c = 0; c < 3; ++c) y[i * 3 + c] = table[c][pixels[i * 3 + c]];
  }

  Layout out_;
  Table<float> table_;
  Table<std::byte> rounded_;   // of the table, where the output is rounded
  Table<std::uint16_t> bf16_;  // the same, where it is held in bf16
};

PoolPlane plane_of(const Layout& x, const Layout& y, const graph::PoolAttributes& attributes) {
  return {.rows = x.type.shape[1],
          .columns = x.type.shape[2],
          .out_rows = y.type.shape[1],
          .out_columns = y.type.shape[2],
          .window = attributes.window,
          .stride = attributes.stride,
          .padding = attributes.padding,
          .block = x.block};
}

struct Pooling {
  PoolPlane plane;
  std::int64_t planes = 0;
  std::int64_t in_size = 0;   // elements of a plane of x
  std::int64_t out_size = 0;  // and of y

  Pooling(const Layout& x, const Layout& y, const graph::PoolAttributes& attributes)
      : plane(plane_of(x, y, attributes)),
        planes(x.type.shape[0] * x.blocks(x.type.shape[3])),
        in_size(plane.rows * plane.columns * x.block),
        out_size(plane.out_rows * plane.out_columns * x.block) {}
};

class MaxPool final : public Executor {
 public:
  explicit MaxPool(const Task& task)
      : pooling_(task.in(0), task.out(0), task.node->as<graph::PoolAttributes>()) {}

  void run(const Operands& operands) override {
    const Pooling& p = pooling_;
    const auto* x = operands.in<float>(0);
    auto* y = operands.out<float>(0);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < p.planes; ++i) pool_plane(p.plane, x + i * p.in_size, y + i * p.out_size);
  }

 private:
  Pooling pooling_;
};

// The pools of images with the channels last.
struct PoolingOfRows {
  PoolPlane plane;  // of an image, all its channels as one block
  std::int64_t images;
  std::int64_t in_size, out_size;  // elements of an image

  PoolingOfRows(const Layout& x, const Layout& y, const graph::PoolAttributes& attributes)
      : plane(plane_of(x, y, attributes)), images(x.type.shape[0]) {
    plane.block = x.type.shape[3];
    in_size = plane.rows * plane.columns * plane.block;
    out_size = plane.out_rows * plane.out_columns * plane.block;
  }
  // In parallel over the rows of y: pool_row(plane, row, x of the image, y of the image).
  template <typename T, typename PoolRow>
  void run(const T* x, T* y, const PoolRow& pool_row) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < images * plane.out_rows; ++i) {
      const std::int64_t image = i / plane.out_rows;
      pool_row(plane, i % plane.out_rows, x + image * in_size, y + image * out_size);
    }
  }
};

// Of bytes without a sign, whose order rounding keeps, and of bf16.
class MaxPoolOfRows final : public Executor {
 public:
  explicit MaxPoolOfRows(const Task& task)
      : pooling_(task.in(0), task.out(0), task.node->as<graph::PoolAttributes>()), bf16_(task.in(0).bf16) {}

  void run(const Operands& operands) override {
    if (bf16_)
      pooling_.run(operands.in<std::uint16_t>(0), operands.out<std::uint16_t>(0), pool_row_of_bf16);
    else
      pooling_.run(operands.in<std::uint8_t>(0), operands.out<std::uint8_t>(0), pool_row_of_bytes);
  }

 private:
  PoolingOfRows pooling_;
  bool bf16_;
};

class MaxPoolGrad final : public Executor {
 public:
  explicit MaxPoolGrad(const Task& task)
      : pooling_(task.in(1), task.in(0), task.node->as<graph::PoolAttributes>()) {}

  void run(const Operands& operands) override {
    const Pooling& p = pooling_;
    const auto *dy = operands.in<float>(0), *x = operands.in<float>(1), *y = operands.in<float>(2);
    auto* dx = operands.out<float>(0);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < p.planes; ++i)
      pool_gradient_plane(p.plane, x + i * p.in_size, y + i * p.out_size, dy + i * p.out_size,
                          dx + i * p.in_size);
  }

 private:
  Pooling pooling_;
};

class MaxPoolGradBf16 final : public Executor {
 public:
  explicit MaxPoolGradBf16(const Task& task)
      : pooling_(task.in(1), task.in(0), task.node->as<graph::PoolAttributes>()) {}

  void run(const Operands& operands) override {
    const PoolingOfRows& p = pooling_;
    const auto *dy = operands.in<std::uint16_t>(0), *x = operands.in<std::uint16_t>(1);
    const auto* y = operands.in<std::uint16_t>(2);
    auto* dx = operands.out<std::uint16_t>(0);
    constexpr std::int64_t share = 32;  // channels: a cache line
    const std::int64_t parts = (p.plane.block + share - 1) / share;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < p.images * parts; ++i) {
      const std::int64_t image = i / parts, first = i % parts * share;
      pool_gradient_of_bf16(p.plane, {.first = first,
                                      .count = std::min(share, p.plane.block - first),
                                      .x = x + image * p.in_size,
                                      .y = y + image * p.out_size,
                                      .dy = dy + image * p.out_size,
                                      .dx = dx + image * p.in_size});
    }
  }

 private:
  PoolingOfRows pooling_;
};

// Where the values of default boxes lie in the maps: part k (4 coordinates, then K logits) of box b of a cell
// is channel k * boxes + b of the level's map.
class HeadPlaces {
 public:
  HeadPlaces(const graph::HeadAttributes& attributes, const Layout& map)
      : levels_(attributes.levels),
        classes_(attributes.classes),
        images_(map.type.shape[0]),
        block_(map.form == Form::channels_last ? 0 : map.block),
        shift_(block_ == 0 ? 0 : std::countr_zero(static_cast<std::uint64_t>(block_))) {
    for (const graph::HeadLevel& level : levels_) {
      firsts_.push_back(defaults_);
      defaults_ += level.height * level.width * level.boxes;
    }
  }

  std::int64_t levels() const { return static_cast<std::int64_t>(levels_.size()); }

  // Calls body(index in the level's map, index in loc or conf) for one level: parts 0 .. 3 through `loc`, the
  // others through `conf`. In parallel over images and cells.
  template <typename Loc, typename Conf>
  void for_each(std::size_t level, const Loc& loc, const Conf& conf) const {
    if (block_ == 0)
      return for_each_of(level, loc, conf, [](std::int64_t channel, std::int64_t) { return channel; });
    const std::int64_t shift = shift_, within = block_ - 1;
    // From a block of channels to the next lie all cells of this one.
    for_each_of(level, loc, conf, [=](std::int64_t channel, std::int64_t cells) {
      return ((channel >> shift) * cells << shift) + (channel & within);
    });
  }
  // Elements of a level's map, with padding.
  std::int64_t map_elements(std::size_t level) const {
    return images_ * channel_blocks(level) * cells(level) * block(level);
  }
  bool padded(std::size_t level) const { return channels(level) % block(level) != 0; }

 private:
  std::int64_t cells(std::size_t level) const { return levels_[level].height * levels_[level].width; }
  std::int64_t channels(std::size_t level) const { return levels_[level].boxes * (4 + classes_); }
  std::int64_t block(std::size_t level) const { return block_ > 0 ? block_ : channels(level); }
  std::int64_t channel_blocks(std::size_t level) const {
    return (channels(level) + block(level) - 1) / block(level);
  }

  // place(channel, cells): from the first channel of a cell to this one.
  template <typename Loc, typename Conf, typename Place>
  void for_each_of(std::size_t level, const Loc& loc, const Conf& conf, const Place& place) const {
    const std::int64_t cells = this->cells(level), boxes = levels_[level].boxes, block = this->block(level);
    const std::int64_t map = channel_blocks(level) * cells * block;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < images_ * cells; ++i) {
      const std::int64_t image = i / cells, cell = i % cells, origin = image * map + cell * block;
      for (std::int64_t b = 0; b < boxes; ++b) {
        const std::int64_t box = image * defaults_ + firsts_[level] + b * cells + cell;
        for (std::int64_t k = 0; k < 4; ++k) loc(origin + place(k * boxes + b, cells), box * 4 + k);
        for (std::int64_t k = 0; k < classes_; ++k)
          conf(origin + place((4 + k) * boxes + b, cells), box * classes_ + k);
      }
    }
  }

  std::vector<graph::HeadLevel> levels_;
  std::int64_t classes_, images_;
  std::int64_t block_;  // a power of two; 0: all channels are one block
  std::int64_t shift_;  // its logarithm
  std::int64_t defaults_ = 0;
  std::vector<std::int64_t> firsts_;  // first default box of a level
};

class HeadView final : public Executor {
 public:
  explicit HeadView(const Task& task) : places_(task.node->as<graph::HeadAttributes>(), task.in(0)) {}

  void run(const Operands& operands) override {
    auto *loc = operands.out<float>(0), *conf = operands.out<float>(1);
    for (std::size_t level = 0; level < operands.inputs.size(); ++level) {
      const auto* map = operands.in<float>(level);
      places_.for_each(
          level, [=](std::int64_t from, std::int64_t to) { loc[to] = map[from]; },
          [=](std::int64_t from, std::int64_t to) { conf[to] = map[from]; });
    }
  }

 private:
  HeadPlaces places_;
};

class HeadViewGrad final : public Executor {
 public:
  explicit HeadViewGrad(const Task& task)
      : places_(task.node->as<graph::HeadAttributes>(), task.out(0)), bf16_(task.out(0).bf16) {}

  void run(const Operands& operands) override {
    for (std::size_t level = 0; level < operands.outputs.size(); ++level) {
      if (bf16_)
        fill(level, operands, operands.out<std::uint16_t>(level), float_to_bf16);
      else
        fill(level, operands, operands.out<float>(level), [](float value) { return value; });
    }
  }

 private:
  template <typename T, typename Convert>
  void fill(std::size_t level, const Operands& operands, T* map, const Convert& converted) const {
    const auto *loc = operands.in<float>(0), *conf = operands.in<float>(1);
    if (places_.padded(level)) std::fill_n(map, places_.map_elements(level), T{});
    places_.for_each(
        level, [=](std::int64_t to, std::int64_t from) { map[to] = converted(loc[from]); },
        [=](std::int64_t to, std::int64_t from) { map[to] = converted(conf[from]); });
  }

  HeadPlaces places_;
  bool bf16_;
};

}  // namespace

std::unique_ptr<Executor> make_normalize(const Task& task) { return std::make_unique<Normalize>(task); }
std::unique_ptr<Executor> make_max_pool(const Task& task) {
  if (task.in(0).form == Form::channels_last) return std::make_unique<MaxPoolOfRows>(task);
  return std::make_unique<MaxPool>(task);
}
std::unique_ptr<Executor> make_max_pool_grad(const Task& task) {
  if (task.in(1).bf16) return std::make_unique<MaxPoolGradBf16>(task);
  return std::make_unique<MaxPoolGrad>(task);
}
std::unique_ptr<Executor> make_head_view(const Task& task) { return std::make_unique<HeadView>(task); }
std::unique_ptr<Executor> make_head_view_grad(const Task& task) {
  return std::make_unique<HeadViewGrad>(task);
}

}  // namespace ssd::cpu
