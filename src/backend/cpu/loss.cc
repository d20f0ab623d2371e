#include "backend/cpu/loss.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>

#include "backend/cpu/loss_kernels.h"

namespace ssd::cpu {
namespace {

struct Extents {
  std::int64_t images, defaults, classes, boxes;

  // `first` is the index of loc among the inputs.
  Extents(const Task& task, std::size_t first)
      : images(task.in(first).type.shape[0]),
        defaults(task.in(first).type.shape[1]),
        classes(task.in(first + 1).type.shape[2]),
        boxes(task.in(first + 3).type.shape[1]) {}
};

// One image's part of the loss's inputs.
struct Image {
  const float* loc;       // (D,4)
  const float* conf;      // (D,K)
  const int32_t* match;   // (D)
  const float* boxes;     // (G,4) cxcywh
  const int32_t* labels;  // (G)
  const float* defaults;  // (D,4) cxcywh
  const graph::LossAttributes& attributes;

  bool positive(std::int64_t d) const { return match[d] >= 0; }
  std::int32_t label(std::int64_t d) const { return positive(d) ? labels[match[d]] : 0; }

  // What a positive default box's offsets are away from their goal.
  std::array<double, 4> differences(std::int64_t d) const {
    const float *box = boxes + std::int64_t{match[d]} * 4, *own = defaults + d * 4;
    std::array<double, 4> result{};
    for (std::size_t k = 0; k < 4; ++k) {
      const double from = own[k], to = box[k];
      const double goal = k < 2 ? (to - from) / static_cast<double>(own[k + 2]) / attributes.scale_xy
                                : std::log(to / from) / attributes.scale_wh;
      result[k] = static_cast<double>(loc[d * 4 + static_cast<std::int64_t>(k)]) - goal;
    }
    return result;
  }
};

Image image_of(const Operands& operands, const Extents& e, std::size_t first, std::int64_t n,
               const graph::LossAttributes& attributes) {
  return {operands.in<float>(first) + n * e.defaults * 4,
          operands.in<float>(first + 1) + n * e.defaults * e.classes,
          operands.in<std::int32_t>(first + 2) + n * e.defaults,
          operands.in<float>(first + 3) + n * e.boxes * 4,
          operands.in<std::int32_t>(first + 4) + n * e.boxes,
          operands.in<float>(first + 5),
          attributes};
}

double smooth_l1(double difference) {
  const double size = std::abs(difference);
  return size < 1 ? 0.5 * size * size : size - 0.5;
}

class MultiboxLoss final : public Executor {
 public:
  explicit MultiboxLoss(const Task& task)
      : extents_(task, 0), attributes_(task.node->as<graph::LossAttributes>()) {}

  // A cross entropy and a rank key for every default box.
  std::size_t scratch_bytes() const override { return keys_bytes() + keys_bytes() / 2; }

  void run(const Operands& operands) override {
    const Extents& e = extents_;
    auto* entropy = reinterpret_cast<float*>(operands.scratch + keys_bytes());
    const auto* conf = operands.in<float>(1);
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < e.images * e.defaults; ++row) {
      const std::int64_t n = row / e.defaults, d = row % e.defaults;
      const float* logits = conf + row * e.classes;
      entropy[row] = cross_entropy(logits, image(operands, n).label(d));
    }
#pragma omp parallel for schedule(static)
    for (std::int64_t n = 0; n < e.images; ++n) sum_image(operands, n, entropy + n * e.defaults);
    double total = 0;
    for (std::int64_t n = 0; n < e.images; ++n) {
      const std::int32_t positives = operands.out<std::int32_t>(3)[n];
      const double sum = attributes_.loc_weight * static_cast<double>(operands.out<float>(1)[n]) +
                         attributes_.conf_weight * static_cast<double>(operands.out<float>(2)[n]);
      if (positives > 0)
        total += sum / positives;
      else
        total += sum * attributes_.image_weight(0);
    }
    *operands.out<float>(0) = static_cast<float>(total / static_cast<double>(e.images));
  }

 private:
  // Against the label alone, or also against the mean of all logits: sum of target * (log_sum - logit).
  float cross_entropy(const float* logits, std::int32_t label) const {
    const float log_sum = log_sum_exp(logits, extents_.classes);
    const double smoothing = attributes_.label_smoothing;
    if (smoothing == 0) return log_sum - logits[label];
    double sum = 0;
    for (std::int64_t k = 0; k < extents_.classes; ++k) sum += static_cast<double>(log_sum) - logits[k];
    const double own = static_cast<double>(log_sum) - logits[label];
    return static_cast<float>((1 - smoothing) * own +
                              smoothing / static_cast<double>(extents_.classes) * sum);
  }

  std::size_t keys_bytes() const {
    return static_cast<std::size_t>(extents_.images * extents_.defaults) * sizeof(std::uint64_t);
  }
  Image image(const Operands& operands, std::int64_t n) const {
    return image_of(operands, extents_, 0, n, attributes_);
  }

  void sum_image(const Operands& operands, std::int64_t n, const float* entropy) const {
    const std::int64_t defaults = extents_.defaults;
    const Image image = this->image(operands, n);
    auto* chosen = operands.out<std::uint8_t>(4) + n * defaults;
    std::int32_t positives = 0;
    double loc_loss = 0, conf_loss = 0;
    for (std::int64_t d = 0; d < defaults; ++d) {
      chosen[d] = image.positive(d);
      if (!chosen[d]) continue;
      ++positives;
      for (const double difference : image.differences(d)) loc_loss += smooth_l1(difference);
    }
    auto* keys = reinterpret_cast<std::uint64_t*>(operands.scratch) + n * defaults;
    choose_negatives(image, positives, {keys, static_cast<std::size_t>(defaults)}, entropy, chosen);
    for (std::int64_t d = 0; d < defaults; ++d)
      if (chosen[d]) conf_loss += chosen[d] * static_cast<double>(entropy[d]);
    operands.out<float>(1)[n] = static_cast<float>(loc_loss);
    operands.out<float>(2)[n] = static_cast<float>(conf_loss);
    operands.out<std::int32_t>(3)[n] = positives;
  }

  // Counts the hardest default boxes once more. Positives rank as 0; the lower index wins a tie: both in one
  // integer, for a cross entropy is not negative and such floats are ordered as their bits are.
  void choose_negatives(const Image& image, std::int32_t positives, std::span<std::uint64_t> keys,
                        const float* entropy, std::uint8_t* chosen) const {
    const auto count = static_cast<std::int64_t>(keys.size());
    const std::int64_t kept = std::min(count, attributes_.negatives(positives));
    if (kept == 0) return;
    for (std::int64_t d = 0; d < count; ++d) {
      const float rank = image.positive(d) || entropy[d] < 0 ? 0.0f : entropy[d] + 0.0f;
      keys[d] = std::uint64_t{std::bit_cast<std::uint32_t>(rank)} << 32 | ~static_cast<std::uint32_t>(d);
    }
    if (kept < count) std::nth_element(keys.begin(), keys.begin() + kept, keys.end(), std::greater<>());
    for (std::int64_t k = 0; k < kept; ++k) ++chosen[~static_cast<std::uint32_t>(keys[k])];
  }

  Extents extents_;
  graph::LossAttributes attributes_;
};

class MultiboxLossGrad final : public Executor {
 public:
  explicit MultiboxLossGrad(const Task& task)
      : extents_(task, 1), attributes_(task.node->as<graph::LossAttributes>()) {}

  void run(const Operands& operands) override {
    const Extents& e = extents_;
    const auto* positives = operands.in<std::int32_t>(7);
    const auto* chosen = operands.in<std::uint8_t>(8);
    const double dloss = *operands.in<float>(0);
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < e.images * e.defaults; ++row) {
      const std::int64_t n = row / e.defaults, d = row % e.defaults;
      auto* dloc = operands.out<float>(0) + row * 4;
      auto* dconf = operands.out<float>(1) + row * e.classes;
      const double share = positives[n] == 0 ? dloss * attributes_.image_weight(0) : dloss / positives[n];
      const double factor = share / static_cast<double>(e.images);
      const Image image = image_of(operands, e, 1, n, attributes_);
      std::fill_n(dloc, 4, 0.0f);
      if (image.positive(d)) {
        const std::array<double, 4> differences = image.differences(d);
        for (std::size_t k = 0; k < 4; ++k)
          dloc[k] =
              static_cast<float>(attributes_.loc_weight * factor * std::clamp(differences[k], -1.0, 1.0));
      }
      if (chosen[row] == 0) {
        std::fill_n(dconf, e.classes, 0.0f);
        continue;
      }
      const float* logits = image.conf + d * e.classes;
      const auto weight = static_cast<float>(attributes_.conf_weight * factor * chosen[row]);
      const float log_sum = log_sum_exp(logits, e.classes);
      scaled_softmax({.row = logits, .log_sum = log_sum, .factor = weight, .classes = e.classes}, dconf);
      if (attributes_.label_smoothing == 0)
        dconf[image.label(d)] -= weight;
      else
        subtract_target(weight, image.label(d), dconf);
    }
  }

 private:
  void subtract_target(float weight, std::int32_t label, float* dconf) const {
    const double smoothing = attributes_.label_smoothing;
    const auto share = static_cast<float>(weight * smoothing / static_cast<double>(extents_.classes));
    for (std::int64_t k = 0; k < extents_.classes; ++k) dconf[k] -= share;
    dconf[label] -= static_cast<float>(weight * (1 - smoothing));
  }

  Extents extents_;
  graph::LossAttributes attributes_;
};

}  // namespace

std::unique_ptr<Executor> make_multibox_loss(const Task& task) {
  return std::make_unique<MultiboxLoss>(task);
}
std::unique_ptr<Executor> make_multibox_loss_grad(const Task& task) {
  return std::make_unique<MultiboxLossGrad>(task);
}

}  // namespace ssd::cpu
