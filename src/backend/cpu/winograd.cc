#include "backend/cpu/winograd.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "backend/cpu/winograd_products.h"
#include "backend/cpu/winograd_transforms.h"
#include "base/tensor.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Kind;
using winograd::group;
using winograd::points;
using winograd::tile;

// Transformed tiles in flight take about so much memory: a share of the last-level cache.
constexpr std::int64_t chunk_bytes = 12 << 20;
// Added to the distance between points: without it they would compete for the same few cache sets.
constexpr std::int64_t skew = 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// A blocked activation as the kernels see it.
struct Image {
  std::int64_t images, rows, columns, blocks, block;

  explicit Image(const Layout& layout)
      : images(layout.type.shape[0]),
        rows(layout.type.shape[1]),
        columns(layout.type.shape[2]),
        blocks(layout.blocks(layout.type.shape[3])),
        block(layout.block) {}

  std::int64_t channels() const { return blocks * block; }  // with padding
  std::int64_t plane(std::int64_t n, std::int64_t b) const {
    return (n * blocks + b) * rows * columns * block;
  }
};

// Tiles of 4 x 4 outputs over all images, in order of images, rows, columns.
struct Tiling {
  std::int64_t rows, columns, count;

  explicit Tiling(const Image& y)
      : rows(ceil_div(y.rows, tile)), columns(ceil_div(y.columns, tile)), count(y.images * rows * columns) {}

  std::int64_t image(std::int64_t t) const { return t / (rows * columns); }
  // Where tile `t` begins on an image, moved up and left by `padding`.
  winograd::Corner corner(std::int64_t t, const Image& on, std::int64_t padding) const {
    return {.rows = on.rows,
            .columns = on.columns,
            .row = t / columns % rows * tile - padding,
            .column = t % columns * tile - padding,
            .block = on.block};
  }
};

// Chunks of about equal size, as few as keep each at most `most`.
std::int64_t even_chunk(std::int64_t count, std::int64_t most) {
  return ceil_div(count, ceil_div(count, std::clamp<std::int64_t>(most, 1, count)));
}

// Parts that one point's work is cut into, so that there is enough for all threads.
std::int64_t parts_of(std::int64_t units) {
  return std::clamp<std::int64_t>(ceil_div(4 * omp_get_max_threads(), points), 1, units);
}

// convolution, fused_convolution, and convolution_grad_input, which is a convolution of dy with the weights
// rotated by 180 degrees and their channels exchanged.
class WinogradConvolution final : public Executor {
 public:
  explicit WinogradConvolution(const Task& task)
      : x_(task.in(0)),
        y_(task.out(0)),
        tiling_(y_),
        backward_(task.node->kind == Kind::convolution_grad_input),
        constant_(task.constant_weight),
        has_bias_(task.inputs.size() > 2),
        has_residual_(task.inputs.size() > 3),
        panels_(ceil_div(y_.blocks, 2)) {
    const auto& a = task.node->as<ConvolutionAttributes>();
    padding_ = backward_ ? 2 - a.padding : a.padding;
    relu_ = task.node->kind == Kind::fused_convolution && a.relu;
    const std::int64_t floats_a_group = group * points * (x_.channels() + width());
    const auto most = chunk_bytes / (floats_a_group * static_cast<std::int64_t>(sizeof(float)));
    groups_ = even_chunk(ceil_div(tiling_.count, group), most);
  }

  std::string_view method() const override { return "Winograd"; }
  std::size_t scratch_bytes() const override {
    const std::int64_t floats = groups_ * points * (v_point() + m_point()) + (constant_ ? 0 : u_floats());
    return static_cast<std::size_t>(floats) * sizeof(float);
  }
  bool in_place(std::size_t, std::size_t input) const override { return has_residual_ && input == 3; }
  void reload() override { kept_weight_ = {}; }

  void run(const Operands& operands) override {
    auto* v = reinterpret_cast<float*>(operands.scratch);
    float* m = v + groups_ * points * v_point();
    const float* u = weight(operands, m + groups_ * points * m_point());
    for (std::int64_t first = 0; first < tiling_.count; first += groups_ * group) {
      const std::int64_t count = std::min(groups_ * group, tiling_.count - first);
      transform_in(operands.in<float>(0), first, count, v);
      multiply(v, u, m, ceil_div(count, group));
      transform_out(operands, first, count, m);
    }
  }

 private:
  // Row lengths and distances in floats.
  std::int64_t width() const { return panels_ * 2 * y_.block; }  // outputs, in whole panels
  std::int64_t v_point() const { return group * x_.channels() + skew; }
  std::int64_t m_point() const { return group * width() + skew; }
  std::int64_t u_point() const { return width() * x_.channels(); }
  std::int64_t u_floats() const { return points * u_point(); }

  const float* weight(const Operands& operands, float* scratch) {
    const auto* w = operands.in<float>(1);
    if (!constant_) {
      transform_weights(w, scratch);
      return scratch;
    }
    if (kept_weight_.elements() == 0) {
      kept_weight_ = Tensor(DType::f32, {u_floats()});
      transform_weights(w, kept_weight_.as<float>().data());
    }
    return kept_weight_.as<float>().data();
  }

  // The weight is [O blocks][I blocks][9][B of I][B of O]; here "in" and "out" are this convolution's.
  void transform_weights(const float* w, float* u) const {
    const std::int64_t block = x_.block, tap = block * block;
#pragma omp parallel for schedule(static) collapse(2)
    for (std::int64_t out = 0; out < 2 * panels_; ++out)
      for (std::int64_t in = 0; in < x_.blocks; ++in) {
        float* to = u + (out / 2 * x_.channels() + in * block) * 2 * block + out % 2 * block;
        const float* from = w + (backward_ ? in * y_.blocks + out : out * x_.blocks + in) * 9 * tap;
        for (std::int64_t c = 0; c < block; ++c, to += 2 * block) {
          alignas(64) float rotated[9 * 16] = {};
          if (out >= y_.blocks || backward_) {
            if (out < y_.blocks) rotate(from, c, rotated);
            winograd::transform_weight(rotated, block, block, to, u_point());
          } else {
            winograd::transform_weight(from + c * block, tap, block, to, u_point());
          }
        }
      }
  }
  // The 9 taps from output channel `c` back to a block of input channels, in reverse.
  void rotate(const float* from, std::int64_t c, float* rotated) const {
    const std::int64_t block = x_.block;
    for (std::int64_t t = 0; t < 9; ++t)
      for (std::int64_t i = 0; i < block; ++i)
        rotated[t * block + i] = from[((8 - t) * block + i) * block + c];
  }

  void transform_in(const float* x, std::int64_t first, std::int64_t count, float* v) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < ceil_div(count, group) * x_.blocks; ++i) {
      const std::int64_t g = i / x_.blocks, b = i % x_.blocks, channel = b * x_.block;
      const std::int64_t part = channel / winograd::depth * winograd::depth;
      const std::int64_t part_width = std::min(winograd::depth, x_.channels() - part);
      for (std::int64_t r = 0; r < std::min(group, count - g * group); ++r) {
        const std::int64_t t = first + g * group + r;
        float* to = v + g * points * v_point() + part * group + r * part_width + channel - part;
        winograd::transform_patch(tiling_.corner(t, x_, padding_), x + x_.plane(tiling_.image(t), b), to,
                                  v_point());
      }
    }
  }

  void multiply(const float* v, const float* u, float* m, std::int64_t groups) const {
    const std::int64_t parts = parts_of(panels_);
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t i = 0; i < points * parts; ++i) {
      const std::int64_t point = i / parts, part = i % parts;
      winograd::multiply({.v = v + point * v_point(),
                          .u = u + point * u_point(),
                          .m = m + point * m_point(),
                          .v_stride = points * v_point(),
                          .m_stride = points * m_point(),
                          .m_width = width(),
                          .groups = groups,
                          .channels = x_.channels(),
                          .first_panel = panels_ * part / parts,
                          .last_panel = panels_ * (part + 1) / parts,
                          .block = x_.block});
    }
  }

  void transform_out(const Operands& operands, std::int64_t first, std::int64_t count, const float* m) const {
    auto* y = operands.out<float>(0);
    const float* bias = has_bias_ ? operands.in<float>(2) : nullptr;
    const float* residual = has_residual_ ? operands.in<float>(3) : nullptr;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < ceil_div(count, group) * y_.blocks; ++i) {
      const std::int64_t g = i / y_.blocks, b = i % y_.blocks;
      for (std::int64_t r = 0; r < std::min(group, count - g * group); ++r) {
        const std::int64_t t = first + g * group + r, plane = y_.plane(tiling_.image(t), b);
        const winograd::Epilogue epilogue{.bias = bias == nullptr ? nullptr : bias + b * y_.block,
                                          .residual = residual == nullptr ? nullptr : residual + plane,
                                          .relu = relu_};
        winograd::transform_back(tiling_.corner(t, y_, 0),
                                 m + g * points * m_point() + r * width() + b * y_.block, m_point(), epilogue,
                                 y + plane);
      }
    }
  }

  Image x_, y_;
  Tiling tiling_;
  bool backward_, constant_, has_bias_, has_residual_, relu_ = false;
  std::int64_t padding_ = 0;
  std::int64_t panels_;      // pairs of output blocks
  std::int64_t groups_ = 0;  // of 6 tiles in flight
  Tensor kept_weight_;       // transformed, where the weight is constant
};

// convolution_grad_weight.
class WinogradGradWeight final : public Executor {
 public:
  explicit WinogradGradWeight(const Task& task)
      : x_(task.in(0)),
        dy_(task.in(1)),
        tiling_(dy_),
        padding_(task.node->as<ConvolutionAttributes>().padding),
        has_bias_(task.node->as<ConvolutionAttributes>().bias) {
    const std::int64_t floats_a_tile = points * (x_.channels() + dy_.channels());
    tiles_ =
        even_chunk(tiling_.count, chunk_bytes / (floats_a_tile * static_cast<std::int64_t>(sizeof(float))));
  }

  std::string_view method() const override { return "Winograd"; }
  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(points * (v_point() + w_point() + s_point())) * sizeof(float);
  }

  void run(const Operands& operands) override {
    auto* v = reinterpret_cast<float*>(operands.scratch);
    float *w = v + points * v_point(), *s = w + points * w_point();
    for (std::int64_t first = 0; first < tiling_.count; first += tiles_) {
      const std::int64_t count = std::min(tiles_, tiling_.count - first);
      transform_both(operands, first, count, v, w);
      sum_products(v, w, s, count, first > 0);
    }
    transform_out(s, operands.out<float>(0));
    if (has_bias_) sum_bias(operands.in<float>(1), operands.out<float>(1));
  }

 private:
  std::int64_t v_point() const { return x_.channels() * tiles_ + skew; }
  std::int64_t w_point() const { return dy_.channels() * tiles_ + skew; }
  std::int64_t s_point() const { return dy_.channels() * x_.channels() + skew; }

  void transform_both(const Operands& operands, std::int64_t first, std::int64_t count, float* v,
                      float* w) const {
    const auto *x = operands.in<float>(0), *dy = operands.in<float>(1);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < (x_.blocks + dy_.blocks) * count; ++i) {
      const std::int64_t b = i / count, k = i % count, t = first + k;
      if (b < x_.blocks) {
        winograd::transform_patch(tiling_.corner(t, x_, padding_), x + x_.plane(tiling_.image(t), b),
                                  v + (b * tiles_ + k) * x_.block, v_point());
      } else {
        const std::int64_t o = b - x_.blocks;
        winograd::transform_gradient(tiling_.corner(t, dy_, 0), dy + dy_.plane(tiling_.image(t), o),
                                     w + (o * tiles_ + k) * dy_.block, w_point());
      }
    }
  }

  void sum_products(const float* v, const float* w, float* s, std::int64_t count, bool accumulate) const {
    const std::int64_t parts = parts_of(dy_.blocks / 2);  // a part has at least two blocks
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t i = 0; i < points * parts; ++i) {
      const std::int64_t point = i / parts, part = i % parts;
      winograd::sum_products({.v = v + point * v_point(),
                              .w = w + point * w_point(),
                              .s = s + point * s_point(),
                              .tiles = count,
                              .stride = tiles_,
                              .channel_blocks = x_.blocks,
                              .first_block = dy_.blocks * part / parts,
                              .last_block = dy_.blocks * (part + 1) / parts,
                              .block = x_.block,
                              .accumulate = accumulate});
    }
  }

  void transform_out(const float* s, float* dw) const {
    const std::int64_t block = x_.block, tap = block * block;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < dy_.blocks * x_.channels(); ++i) {
      const std::int64_t o = i / x_.channels(), c = i % x_.channels();
      winograd::transform_weight_back(s + i * block, s_point(), block,
                                      dw + ((o * x_.blocks + c / block) * 9 * block + c % block) * block,
                                      tap);
    }
  }

  void sum_bias(const float* dy, float* db) const {
    const std::int64_t cells = dy_.rows * dy_.columns;
#pragma omp parallel for schedule(static)
    for (std::int64_t b = 0; b < dy_.blocks; ++b) {
      std::vector<double> sums(static_cast<std::size_t>(dy_.block));
      for (std::int64_t n = 0; n < dy_.images; ++n)
        for (std::int64_t i = 0; i < cells * dy_.block; ++i)
          sums[static_cast<std::size_t>(i % dy_.block)] += dy[dy_.plane(n, b) + i];
      for (std::int64_t c = 0; c < dy_.block; ++c)
        db[b * dy_.block + c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
    }
  }

  Image x_, dy_;
  Tiling tiling_;
  std::int64_t padding_;
  bool has_bias_;
  std::int64_t tiles_ = 0;  // in flight
};

}  // namespace

bool winograd_pays(const Task& task) {
  const auto& a = task.node->as<ConvolutionAttributes>();
  if (a.kernel != 3 || a.stride != 1 || a.padding > 2) return false;
  const Kind kind = task.node->kind;
  const Layout& weight = kind == Kind::convolution_grad_weight ? task.out(0) : task.in(1);
  const Layout& y = kind == Kind::convolution_grad_weight ? task.in(1) : task.out(0);
  if (weight.form != Form::weight || task.in(0).form != Form::blocked) return false;
  if (weight.blocks(weight.type.shape[0]) < 2 || weight.blocks(weight.type.shape[1]) < 2) return false;
  // The direct gradient of a weight takes its time for every tap, even on maps that most taps miss.
  if (kind == Kind::convolution_grad_weight) return true;
  // A tile's products cost as much as 3.3 cells of a direct convolution, a weight's transform as 110 cells.
  const Image image(y);
  const double cells = static_cast<double>(image.images * image.rows * image.columns);
  return 3.3 * static_cast<double>(Tiling(image).count) + 110 < cells;
}

std::unique_ptr<Executor> make_winograd(const Task& task) {
  if (task.node->kind == Kind::convolution_grad_weight) return std::make_unique<WinogradGradWeight>(task);
  return std::make_unique<WinogradConvolution>(task);
}

}  // namespace ssd::cpu
