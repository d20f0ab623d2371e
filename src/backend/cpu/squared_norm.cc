#include "backend/cpu/squared_norm.h"

#include <algorithm>
#include <vector>

namespace ssd::cpu {
namespace {

// Elements whose squares one thread adds up. Parts are the same for any number of threads, and their sums
// are added in order: a run repeats exactly.
constexpr std::int64_t part_size = 1 << 14;

// Works on the laid-out tensors, whose padding is zero; only that behind a vector may be anything.
class SquaredNorm final : public Executor {
 public:
  explicit SquaredNorm(const Task& task) {
    for (std::size_t i = 0; i < task.input_layouts.size(); ++i) {
      const Layout& layout = task.in(i);
      const std::int64_t count =
          layout.form == Form::dense ? layout.type.shape.elements() : layout.elements();
      for (std::int64_t first = 0; first < count; first += part_size)
        parts_.push_back({i, first, std::min(part_size, count - first)});
    }
    sums_.resize(parts_.size());
  }

  void run(const Operands& operands) override {
    const auto parts = static_cast<std::int64_t>(parts_.size());
#pragma omp parallel for schedule(static) if (parts > 1)
    for (std::int64_t p = 0; p < parts; ++p) sums_[p] = sum_of(operands, parts_[p]);
    double sum = 0;
    for (const double one : sums_) sum += one;
    *operands.out<float>(0) = static_cast<float>(sum);
  }

 private:
  struct Part {
    std::size_t input;
    std::int64_t first, count;  // elements
  };

  static double sum_of(const Operands& operands, const Part& part) {
    const float* x = operands.in<float>(part.input) + part.first;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < part.count; ++i)
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
  }

  std::vector<Part> parts_;
  std::vector<double> sums_;  // of parts_
};

}  // namespace

std::unique_ptr<Executor> make_squared_norm(const Task& task) { return std::make_unique<SquaredNorm>(task); }

}  // namespace ssd::cpu
