// A rule is evaluated a block of elements at a time, one instruction over the whole block after the other:
// the blocks' values stay in the first-level cache, so a step costs what reading and writing the tensors
// costs.
#include "backend/cpu/update.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/update_rule.h"

namespace ssd::cpu {
namespace {

using graph::UpdateRule;

constexpr std::int64_t block = 256;  // elements; some ten values of 1 KiB
// Tensors of fewer elements are not worth waking the other threads.
constexpr std::int64_t worth_sharing = 1 << 14;

template <typename Operation>
void combine(const float* a, const float* b, float* to, std::int64_t count, Operation operation) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = operation(a[i], b[i]);
}

// Works on the laid-out weight: its padding is zero in weight, gradient and slots, and stays so.
class Update final : public Executor {
 public:
  explicit Update(const Task& task) : rule_(task.node->as<graph::UpdateAttributes>().rule) {
    const Layout& weight = task.out(0);
    count_ = weight.form == Form::dense ? weight.type.shape.elements() : weight.elements();
    scalar_ = rule_.scalars();
    const std::size_t slots = rule_.slots.size();
    learning_rate_ = 2 + slots;
    step_ = learning_rate_ + 1;
    squared_norm_ = task.inputs.size() - 1;
  }

  // Output 0 is the weight, input 0; output 1 + s is slot s, input 2 + s. Every value of a block is read
  // before any of the block is written.
  bool in_place(std::size_t output, std::size_t input) const override {
    return output == 0 ? input == 0 : input == output + 1;
  }

  void run(const Operands& operands) override {
    const std::vector<double> scalars = evaluate_scalars(operands);
#pragma omp parallel if (count_ > worth_sharing)
    {
      // Instruction i has row i of values, which holds copies of a scalar.
      std::vector<float> values(rule_.instructions.size() * block);
      std::vector<const float*> at(rule_.instructions.size());  // where each lies: its row, or an operand
      for (std::size_t i = 0; i < scalars.size(); ++i)
        if (scalar_[i]) std::fill_n(&values[i * block], block, static_cast<float>(scalars[i]));
#pragma omp for schedule(static)
      for (std::int64_t first = 0; first < count_; first += block)
        run_block(operands, values, at, {first, std::min(block, count_ - first)});
    }
  }

 private:
  // Values that all elements share, in double: 1 - 0.999^step has few digits in float.
  std::vector<double> evaluate_scalars(const Operands& operands) const {
    using Op = UpdateRule::Op;
    std::vector<double> values(rule_.instructions.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const UpdateRule::Instruction& one = rule_.instructions[i];
      if (!scalar_[i]) continue;
      switch (one.op) {
        case Op::weight:
        case Op::gradient:
        case Op::slot:
          break;
        case Op::learning_rate:
          values[i] = *operands.in<float>(learning_rate_);
          break;
        case Op::step:
          values[i] = *operands.in<float>(step_);
          break;
        case Op::squared_norm:
          values[i] = *operands.in<float>(squared_norm_);
          break;
        case Op::constant:
          values[i] = one.number;
          break;
        case Op::add:
          values[i] = values[one.a] + values[one.b];
          break;
        case Op::subtract:
          values[i] = values[one.a] - values[one.b];
          break;
        case Op::multiply:
          values[i] = values[one.a] * values[one.b];
          break;
        case Op::divide:
          values[i] = values[one.a] / values[one.b];
          break;
        case Op::minimum:
          values[i] = std::min(values[one.a], values[one.b]);
          break;
        case Op::square_root:
          values[i] = std::sqrt(values[one.a]);
          break;
        case Op::one_minus_power:
          values[i] = -std::expm1(values[one.a] * std::log(one.number));
          break;
      }
    }
    return values;
  }

  struct Part {
    std::int64_t first, count;  // elements
  };

  void run_block(const Operands& operands, std::vector<float>& values, std::vector<const float*>& at,
                 const Part& part) const {
    const auto row = [&](std::size_t value) { return &values[value * block]; };
    for (std::size_t i = 0; i < at.size(); ++i)
      at[i] = scalar_[i] ? row(i) : evaluate(rule_.instructions[i], operands, at.data(), row(i), part);
    // A result that is an operand as it was may be overwritten by another result.
    std::vector<int> results{rule_.weight};
    results.insert(results.end(), rule_.slots.begin(), rule_.slots.end());
    for (const int result : results)
      if (at[result] != row(result))
        at[result] = std::copy_n(at[result], part.count, row(result)) - part.count;
    for (std::size_t r = 0; r < results.size(); ++r)
      std::copy_n(at[results[r]], part.count, operands.out<float>(r) + part.first);
  }

  static const float* evaluate(const UpdateRule::Instruction& one, const Operands& operands,
                               const float* const* at, float* row, const Part& part) {
    using Op = UpdateRule::Op;
    const std::int64_t first = part.first, count = part.count;
    switch (one.op) {
      case Op::weight:
        return operands.in<float>(0) + first;
      case Op::gradient:
        return operands.in<float>(1) + first;
      case Op::slot:
        return operands.in<float>(2 + static_cast<std::size_t>(one.a)) + first;
      case Op::learning_rate:
      case Op::step:
      case Op::squared_norm:
      case Op::constant:
        break;  // scalars
      case Op::add:
        combine(at[one.a], at[one.b], row, count, [](float a, float b) { return a + b; });
        break;
      case Op::subtract:
        combine(at[one.a], at[one.b], row, count, [](float a, float b) { return a - b; });
        break;
      case Op::multiply:
        combine(at[one.a], at[one.b], row, count, [](float a, float b) { return a * b; });
        break;
      case Op::divide:
        combine(at[one.a], at[one.b], row, count, [](float a, float b) { return a / b; });
        break;
      case Op::minimum:
        combine(at[one.a], at[one.b], row, count, [](float a, float b) { return b < a ? b : a; });
        break;
      case Op::square_root:
        combine(at[one.a], at[one.a], row, count, [](float a, float) { return std::sqrt(a); });
        break;
      case Op::one_minus_power: {
        const auto log = static_cast<float>(std::log(one.number));
        combine(at[one.a], at[one.a], row, count, [log](float a, float) { return -std::expm1(a * log); });
        break;
      }
    }
    return row;
  }

  UpdateRule rule_;
  std::vector<bool> scalar_;
  std::int64_t count_ = 0;
  std::size_t learning_rate_ = 0, step_ = 0, squared_norm_ = 0;  // inputs
};

}  // namespace

std::unique_ptr<Executor> make_update(const Task& task) { return std::make_unique<Update>(task); }

}  // namespace ssd::cpu
