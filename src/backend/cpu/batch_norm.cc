#include "backend/cpu/batch_norm.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/batch_norm_kernels.h"

namespace ssd::cpu {
namespace {

// Parts of the cells, with the channels last: enough for many threads, and of a length that hides their
// start.
constexpr std::int64_t fewest_parts = 16, longest_part = 1024;

// The planes of an activation and the scratch that holds two sums a channel of each. Blocked, a plane is a
// block of B channels of an image; with the channels last, a part of the cells of all images.
struct Planes {
  std::int64_t cells = 0;     // of all images
  std::int64_t channels = 0;  // blocked: with padding
  std::int64_t block = 0;     // channels of a plane
  std::int64_t blocks = 0;    // planes beside each other
  std::int64_t part = 0;      // cells of a plane; the last part may have fewer
  std::int64_t parts = 0;

  explicit Planes(const Layout& x)
      : cells(x.type.shape[0] * x.type.shape[1] * x.type.shape[2]), channels(x.type.shape[3]) {
    if (x.form == Form::blocked) {
      block = x.block;
      channels = x.blocks(channels) * block;
      part = x.type.shape[1] * x.type.shape[2];
    } else {
      block = channels;
      part = std::clamp<std::int64_t>(cells / fewest_parts, 1, longest_part);
    }
    blocks = channels / block;
    parts = (cells + part - 1) / part;
  }

  std::size_t bytes_of_sums() const {
    return static_cast<std::size_t>(2 * block) * (sizeof(double) + sizeof(float));
  }
  PlaneShape shape(std::int64_t i) const { return {std::min(part, cells - i * part), block}; }
  std::int64_t offset(std::int64_t i, std::int64_t b) const { return (i * blocks + b) * part * block; }
  std::size_t sums_bytes() const { return static_cast<std::size_t>(parts * blocks) * bytes_of_sums(); }
  PlaneSums sums(std::byte* scratch, std::int64_t i, std::int64_t b) const {
    std::byte* at = scratch + static_cast<std::size_t>(b * parts + i) * bytes_of_sums();
    auto* sums = reinterpret_cast<double*>(at);
    return {sums, sums + block, reinterpret_cast<float*>(sums + 2 * block)};
  }
  // The sums over all parts, in their order: the same bits for any number of threads.
  PlaneSums total(std::byte* scratch, std::int64_t b) const {
    const PlaneSums all = sums(scratch, 0, b);
    for (std::int64_t i = 1; i < parts; ++i) {
      const PlaneSums one = sums(scratch, i, b);
      for (std::int64_t c = 0; c < block; ++c) {
        all.first[c] += one.first[c];
        all.second[c] += one.second[c];
      }
    }
    return all;
  }
  double count() const { return static_cast<double>(cells); }

  // Runs measure(i, b) for all planes, then combine(b) for all blocks, then apply(i, b) for all planes. Where
  // there are blocks enough, a thread does all three for one block while it is in the cache.
  template <typename Measure, typename Combine, typename Apply>
  void run(const Measure& measure, const Combine& combine, const Apply& apply) const {
    if (blocks >= omp_get_max_threads()) {
#pragma omp parallel for schedule(static)
      for (std::int64_t b = 0; b < blocks; ++b) {
        for (std::int64_t i = 0; i < parts; ++i) measure(i, b);
        combine(b);
        for (std::int64_t i = 0; i < parts; ++i) apply(i, b);
      }
      return;
    }
    run_together(
        measure, [] {}, combine, apply);
  }

  // The same for processes that share their totals: share() once all planes are measured.
  template <typename Measure, typename Share, typename Combine, typename Apply>
  void run_together(const Measure& measure, const Share& share, const Combine& combine,
                    const Apply& apply) const {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < parts * blocks; ++i) measure(i % parts, i / parts);
    share();
    for (std::int64_t b = 0; b < blocks; ++b) combine(b);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < parts * blocks; ++i) apply(i % parts, i / parts);
  }
};

float to_float(float value) { return value; }
float to_float(std::uint16_t bits) { return bf16_to_float(bits); }

// Processes of which each adds two numbers a channel.
class Sharers {
 public:
  Sharers(Communicator& communicator, int group) : communicator_(communicator), group_(group) {}

  int count() const { return group_; }
  bool alone() const { return group_ == 1; }

  // Two numbers of each channel: first[0..), then second[0..).
  void gather(const std::vector<double>& mine) {
    channels_ = mine.size() / 2;
    all_ = communicator_.gather_in_group(mine, group_);
  }
  // Of one process of the group, by rank.
  double first(int process, std::int64_t channel) const { return all_[at(process, channel)]; }
  double second(int process, std::int64_t channel) const { return all_[at(process, channel) + channels_]; }
  // Over all, in the order of their ranks.
  double sum_of_first(std::int64_t channel) const {
    double sum = 0;
    for (int process = 0; process < group_; ++process) sum += first(process, channel);
    return sum;
  }
  double sum_of_second(std::int64_t channel) const {
    double sum = 0;
    for (int process = 0; process < group_; ++process) sum += second(process, channel);
    return sum;
  }

 private:
  std::size_t at(int process, std::int64_t channel) const {
    return static_cast<std::size_t>(process) * 2 * channels_ + static_cast<std::size_t>(channel);
  }

  Communicator& communicator_;
  int group_;
  std::size_t channels_ = 0;
  std::vector<double> all_;
};

template <typename T>
class BatchNorm final : public Executor {
 public:
  BatchNorm(const Task& task, Communicator& communicator)
      : planes_(task.in(0)),
        attributes_(task.node->as<graph::BatchNormAttributes>()),
        sharers_(communicator, attributes_.group) {}

  std::size_t scratch_bytes() const override {
    return planes_.sums_bytes() + static_cast<std::size_t>(planes_.channels) * sizeof(float);
  }
  bool in_place(std::size_t output, std::size_t input) const override {
    return output == 0 && (input == 0 || input == 3);
  }

  void run(const Operands& operands) override {
    const auto* x = operands.in<T>(0);
    const auto* scale = operands.in<float>(1);
    const auto* shift = operands.in<float>(2);
    const T* residual = attributes_.residual ? operands.in<T>(3) : nullptr;
    auto* y = operands.out<T>(0);
    auto* mean = operands.out<float>(1);
    auto* variance = operands.out<float>(2);
    std::byte* sums = operands.scratch;
    auto* factor = reinterpret_cast<float*>(operands.scratch + planes_.sums_bytes());
    const Planes& p = planes_;

    // The origin of the sums is the first cell: near enough to the mean, and known before the pass.
    const auto measure = [&](std::int64_t i, std::int64_t b) {
      sum_statistics(
          StatisticsPlane<T>{.shape = p.shape(i), .x = x + p.offset(i, b), .origin = x + p.offset(0, b)},
          p.sums(sums, i, b));
    };
    const auto keep = [&](std::int64_t channel, Moments moments) {
      mean[channel] = static_cast<float>(moments.mean);
      variance[channel] = static_cast<float>(moments.variance);
      factor[channel] =
          static_cast<float>(scale[channel] / std::sqrt(moments.variance + attributes_.epsilon));
    };
    const auto combine = [&](std::int64_t b) {
      const PlaneSums total = p.total(sums, b);
      for (std::int64_t c = b * p.block; c < (b + 1) * p.block; ++c) keep(c, moments_of(x, total, b, c));
    };
    const auto apply = [&](std::int64_t i, std::int64_t b) {
      const std::int64_t offset = p.offset(i, b), channel = b * p.block;
      normalize_plane(NormalizePlane<T>{.shape = p.shape(i),
                                        .x = x + offset,
                                        .residual = residual == nullptr ? nullptr : residual + offset,
                                        .y = y + offset,
                                        .mean = mean + channel,
                                        .factor = factor + channel,
                                        .shift = shift + channel,
                                        .relu = attributes_.relu});
    };
    if (sharers_.alone()) return p.run(measure, combine, apply);
    const auto share = [&] { sharers_.gather(moments_of_all(x, sums)); };
    const auto combine_shared = [&](std::int64_t b) {
      for (std::int64_t c = b * p.block; c < (b + 1) * p.block; ++c) keep(c, shared_moments(c));
    };
    p.run_together(measure, share, combine_shared, apply);
  }

 private:
  struct Moments {
    double mean = 0, variance = 0;
  };

  Moments moments_of(const T* x, PlaneSums total, std::int64_t b, std::int64_t channel) const {
    const std::int64_t c = channel - b * planes_.block;
    const double difference = total.first[c] / planes_.count();
    const double spread = std::fmax(total.second[c] / planes_.count() - difference * difference, 0.0);
    // fmax would hide what is not a number.
    return {static_cast<double>(to_float(x[planes_.offset(0, b) + c])) + difference,
            std::isnan(difference) ? difference : spread};
  }
  std::vector<double> moments_of_all(const T* x, std::byte* sums) const {
    std::vector<double> all(static_cast<std::size_t>(2 * planes_.channels));
    for (std::int64_t b = 0; b < planes_.blocks; ++b) {
      const PlaneSums total = planes_.total(sums, b);
      for (std::int64_t c = b * planes_.block; c < (b + 1) * planes_.block; ++c) {
        const Moments moments = moments_of(x, total, b, c);
        all[static_cast<std::size_t>(c)] = moments.mean;
        all[static_cast<std::size_t>(c + planes_.channels)] = moments.variance;
      }
    }
    return all;
  }
  // Each process has as many cells: the whole's variance is the mean of theirs and of their means' spread.
  Moments shared_moments(std::int64_t channel) const {
    const double mean = sharers_.sum_of_first(channel) / sharers_.count();
    double sum = 0;
    for (int process = 0; process < sharers_.count(); ++process) {
      const double apart = sharers_.first(process, channel) - mean;
      sum += sharers_.second(process, channel) + apart * apart;
    }
    return {mean, sum / sharers_.count()};
  }

  Planes planes_;
  graph::BatchNormAttributes attributes_;
  Sharers sharers_;
};

template <typename T>
class BatchNormGrad final : public Executor {
 public:
  BatchNormGrad(const Task& task, Communicator& communicator)
      : planes_(task.in(0)),
        attributes_(task.node->as<graph::BatchNormAttributes>()),
        summed_(task.summed_gradient),
        sharers_(communicator, attributes_.group) {}

  std::size_t scratch_bytes() const override { return planes_.sums_bytes() + 3 * vector_bytes(); }
  // dx from any of dy, x and the second dy; the residual's gradient from either dy.
  bool in_place(std::size_t output, std::size_t input) const override {
    if (output == 0) return input == 0 || input == 1 || input == 6;
    return output == 3 && (input == 0 || input == 6);
  }

  void run(const Operands& operands) override {
    const auto* scale = operands.in<float>(3);
    const auto* variance = operands.in<float>(5);
    auto* dx = operands.out<T>(0);
    auto* dscale = operands.out<float>(1);
    auto* dshift = operands.out<float>(2);
    std::byte* sums = operands.scratch;
    auto* factor = reinterpret_cast<float*>(sums + planes_.sums_bytes());
    auto* g_mean = factor + planes_.channels;
    auto* slope = g_mean + planes_.channels;
    const Planes& p = planes_;

    const auto measure = [&](std::int64_t i, std::int64_t b) {
      sum_gradients(plane(operands, i, b), p.sums(sums, i, b));
    };
    const auto inverse_of = [&](std::int64_t channel) {
      return 1 / std::sqrt(static_cast<double>(variance[channel]) + attributes_.epsilon);
    };
    // The parameters' gradients are of this process's images alone.
    const auto keep_own = [&](std::int64_t channel, double first, double second) {
      dshift[channel] = static_cast<float>(first);
      dscale[channel] = static_cast<float>(second * inverse_of(channel));
    };
    const auto keep = [&](std::int64_t channel, double g_sum, double product_sum, double count) {
      const double inverse = inverse_of(channel);
      factor[channel] = static_cast<float>(scale[channel] * inverse);
      g_mean[channel] = static_cast<float>(g_sum / count);
      slope[channel] = static_cast<float>(product_sum / count * inverse * inverse);
    };
    const auto combine = [&](std::int64_t b) {
      const PlaneSums total = p.total(sums, b);
      for (std::int64_t c = 0; c < p.block; ++c) {
        keep_own(b * p.block + c, total.first[c], total.second[c]);
        keep(b * p.block + c, total.first[c], total.second[c], p.count());
      }
    };
    const auto apply = [&](std::int64_t i, std::int64_t b) {
      GradientPlane<T> from = plane(operands, i, b);
      if (from.g != nullptr) from = {.shape = from.shape, .dy = from.g, .x = from.x, .mean = from.mean};
      const std::int64_t channel = b * p.block;
      input_gradient_plane(from,
                           {.factor = factor + channel, .g_mean = g_mean + channel, .slope = slope + channel},
                           dx + p.offset(i, b));
    };
    if (sharers_.alone()) return p.run(measure, combine, apply);
    const auto share = [&] {
      const std::vector<double> own = totals(sums);
      for (std::int64_t c = 0; c < p.channels; ++c)
        keep_own(c, own[static_cast<std::size_t>(c)], own[static_cast<std::size_t>(c + p.channels)]);
      sharers_.gather(own);
    };
    const auto combine_shared = [&](std::int64_t b) {
      for (std::int64_t c = b * p.block; c < (b + 1) * p.block; ++c)
        keep(c, sharers_.sum_of_first(c), sharers_.sum_of_second(c), p.count() * sharers_.count());
    };
    p.run_together(measure, share, combine_shared, apply);
  }

 private:
  std::size_t vector_bytes() const { return static_cast<std::size_t>(planes_.channels) * sizeof(float); }

  std::vector<double> totals(std::byte* sums) const {
    std::vector<double> all(static_cast<std::size_t>(2 * planes_.channels));
    for (std::int64_t b = 0; b < planes_.blocks; ++b) {
      const PlaneSums total = planes_.total(sums, b);
      const std::int64_t first = b * planes_.block, count = planes_.block;
      std::copy_n(total.first, count, all.begin() + first);
      std::copy_n(total.second, count, all.begin() + planes_.channels + first);
    }
    return all;
  }

  // The residual's gradient is g itself, which the second pass then reads.
  GradientPlane<T> plane(const Operands& operands, std::int64_t i, std::int64_t b) const {
    const std::int64_t offset = planes_.offset(i, b);
    return {.shape = planes_.shape(i),
            .dy = operands.in<T>(0) + offset,
            .more_dy = summed_ ? operands.in<T>(6) + offset : nullptr,
            .x = operands.in<T>(1) + offset,
            .y = attributes_.relu ? operands.in<T>(2) + offset : nullptr,
            .g = attributes_.residual ? operands.out<T>(3) + offset : nullptr,
            .mean = operands.in<float>(4) + b * planes_.block};
  }

  Planes planes_;
  graph::BatchNormAttributes attributes_;
  bool summed_;
  Sharers sharers_;
};

}  // namespace

std::unique_ptr<Executor> make_batch_norm(const Task& task, Communicator& communicator) {
  if (task.in(0).bf16) return std::make_unique<BatchNorm<std::uint16_t>>(task, communicator);
  return std::make_unique<BatchNorm<float>>(task, communicator);
}
std::unique_ptr<Executor> make_batch_norm_grad(const Task& task, Communicator& communicator) {
  if (task.in(0).bf16) return std::make_unique<BatchNormGrad<std::uint16_t>>(task, communicator);
  return std::make_unique<BatchNormGrad<float>>(task, communicator);
}

}  // namespace ssd::cpu
