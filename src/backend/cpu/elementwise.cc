#include "backend/cpu/elementwise.h"

namespace ssd::cpu {
namespace {

// Loops over less than this many elements are not worth waking the other threads.
constexpr std::int64_t worth_sharing = 1 << 14;

class Add final : public Executor {
 public:
  explicit Add(const Task& task) : count_(task.out(0).elements()), bf16_(task.out(0).bf16) {}

  bool in_place(std::size_t, std::size_t) const override { return true; }
  void run(const Operands& operands) override {
    if (bf16_)
      add<std::uint16_t>(operands, [](std::uint16_t a, std::uint16_t b) {
        return float_to_bf16(bf16_to_float(a) + bf16_to_float(b));
      });
    else
      add<float>(operands, [](float a, float b) { return a + b; });
  }

 private:
  template <typename T, typename Sum>
  void add(const Operands& operands, const Sum& sum_of) const {
    const auto *a = operands.in<T>(0), *b = operands.in<T>(1);
    auto* sum = operands.out<T>(0);
#pragma omp parallel for simd schedule(static) if (count_ > worth_sharing)
    for (std::int64_t i = 0; i < count_; ++i) sum[i] = sum_of(a[i], b[i]);
  }

  std::int64_t count_;
  bool bf16_;
};

class RunningStatistics final : public Executor {
 public:
  explicit RunningStatistics(const Task& task)
      : channels_(task.out(0).type.shape[0]), attributes_(task.node->as<graph::RunningAttributes>()) {}

  bool in_place(std::size_t output, std::size_t input) const override { return output == input; }
  void run(const Operands& operands) override {
    const auto *mean = operands.in<float>(0), *variance = operands.in<float>(1);
    const auto *batch_mean = operands.in<float>(2), *batch_variance = operands.in<float>(3);
    const double count = static_cast<double>(attributes_.count), share = attributes_.momentum;
    const double unbiased = share * (count > 1 ? count / (count - 1) : 1);  // one value has no spread
    for (std::int64_t c = 0; c < channels_; ++c) {
      operands.out<float>(0)[c] = static_cast<float>((1 - share) * mean[c] + share * batch_mean[c]);
      operands.out<float>(1)[c] =
          static_cast<float>((1 - share) * variance[c] + unbiased * batch_variance[c]);
    }
  }

 private:
  std::int64_t channels_;
  graph::RunningAttributes attributes_;
};

}  // namespace

std::unique_ptr<Executor> make_add(const Task& task) { return std::make_unique<Add>(task); }
std::unique_ptr<Executor> make_running_statistics(const Task& task) {
  return std::make_unique<RunningStatistics>(task);
}

}  // namespace ssd::cpu
