// How a step changes a weight, element by element: an optimizer's formula, as data.
//
// Backends evaluate any rule, so that a new optimizer is a formula (model/optimizers.cc) and nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ssd::graph {

// A straight-line program over one element of each operand. Every instruction makes one value of those before
// it. A rule must make zeros of zero weight, gradient and slots: backends pad tensors with zeros.
struct UpdateRule {
  enum class Op {
    weight,         // the element of the weight before the step
    gradient,       // of its gradient
    slot,           // of slot `a`, before the step
    learning_rate,  // the step's
    step,           // its number, counted from 1
    squared_norm,   // the sum of the squares of all trained tensors' gradients
    constant,       // `number`
    add,            // of values a and b, as the four that follow
    subtract,
    multiply,
    divide,
    minimum,
    square_root,      // of value a
    one_minus_power,  // 1 - number^a, exact also where the power is near 1
  };
  struct Instruction {
    Op op = Op::constant;
    int a = -1, b = -1;
    double number = 0;

    bool operator==(const Instruction&) const = default;
  };

  std::vector<Instruction> instructions;
  int weight = -1;         // the value that the weight becomes
  std::vector<int> slots;  // the values that the slots become

  bool operator==(const UpdateRule&) const = default;

  bool uses(Op op) const;
  // Of each value: whether it is the same for all elements of a tensor.
  std::vector<bool> scalars() const;
};

// Writes a rule as a formula:
//   UpdateFormula f;
//   const auto next = 0.9 * f.slot(0) + f.gradient();
//   return f.rule(f.weight() - f.learning_rate() * next, {next});
class UpdateFormula {
 public:
  class Term {
   public:
    friend Term operator+(Term x, Term y) { return x.binary(UpdateRule::Op::add, y); }
    friend Term operator-(Term x, Term y) { return x.binary(UpdateRule::Op::subtract, y); }
    friend Term operator*(Term x, Term y) { return x.binary(UpdateRule::Op::multiply, y); }
    friend Term operator/(Term x, Term y) { return x.binary(UpdateRule::Op::divide, y); }
    friend Term operator+(Term x, double y) { return x + x.formula_->constant(y); }
    friend Term operator*(double x, Term y) { return y.formula_->constant(x) * y; }
    friend Term minimum(Term x, double y) {
      return x.binary(UpdateRule::Op::minimum, x.formula_->constant(y));
    }
    friend Term sqrt(Term x) { return x.then({UpdateRule::Op::square_root, x.value_, -1, 0}); }
    // 1 - base^x.
    friend Term one_minus_power(double base, Term x) {
      return x.then({UpdateRule::Op::one_minus_power, x.value_, -1, base});
    }

   private:
    friend class UpdateFormula;
    Term(UpdateFormula* formula, int value) : formula_(formula), value_(value) {}
    Term then(const UpdateRule::Instruction& instruction) const { return formula_->append(instruction); }
    Term binary(UpdateRule::Op op, Term other) const { return then({op, value_, other.value_, 0}); }
    UpdateFormula* formula_;
    int value_;
  };

  Term weight() { return append({UpdateRule::Op::weight}); }
  Term gradient() { return append({UpdateRule::Op::gradient}); }
  Term slot(int number) { return append({UpdateRule::Op::slot, number, -1, 0}); }
  Term learning_rate() { return append({UpdateRule::Op::learning_rate}); }
  Term step() { return append({UpdateRule::Op::step}); }
  Term squared_norm() { return append({UpdateRule::Op::squared_norm}); }
  Term constant(double number) { return append({UpdateRule::Op::constant, -1, -1, number}); }

  // The rule that gives the weight and the slots these values.
  UpdateRule rule(Term weight, const std::vector<Term>& slots) const;

 private:
  Term append(const UpdateRule::Instruction& instruction);
  UpdateRule rule_;
};

// "w' = w - rate * (0.9 * s0 + g), s0' = 0.9 * s0 + g".
std::string to_string(const UpdateRule& rule);

}  // namespace ssd::graph
