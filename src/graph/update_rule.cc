#include "graph/update_rule.h"

#include <fmt/format.h>

#include <algorithm>

namespace ssd::graph {

bool UpdateRule::uses(Op op) const {
  return std::ranges::any_of(instructions, [op](const Instruction& one) { return one.op == op; });
}

std::vector<bool> UpdateRule::scalars() const {
  std::vector<bool> scalar;
  for (const Instruction& one : instructions) {
    switch (one.op) {
      case Op::weight:
      case Op::gradient:
      case Op::slot:
        scalar.push_back(false);
        break;
      case Op::learning_rate:
      case Op::step:
      case Op::weight_norm:
      case Op::gradient_norm:
      case Op::squared_norm:
      case Op::constant:
        scalar.push_back(true);
        break;
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::divide:
      case Op::minimum:
        scalar.push_back(scalar[one.a] && scalar[one.b]);
        break;
      case Op::square_root:
      case Op::positive:
      case Op::one_minus_power:
        scalar.push_back(scalar[one.a]);
        break;
    }
  }
  return scalar;
}

UpdateRule UpdateFormula::rule(Term weight, const std::vector<Term>& slots) const {
  UpdateRule rule = rule_;
  rule.weight = weight.value_;
  for (const Term& slot : slots) rule.slots.push_back(slot.value_);
  return rule;
}

UpdateFormula::Term UpdateFormula::append(const UpdateRule::Instruction& instruction) {
  rule_.instructions.push_back(instruction);
  return {this, static_cast<int>(rule_.instructions.size()) - 1};
}

// Over 60 lines: a switch with a case for every instruction.
std::string to_string(const UpdateRule& rule) {
  using Op = UpdateRule::Op;
  std::vector<std::string> text;
  for (const UpdateRule::Instruction& one : rule.instructions) {
    const auto both = [&](const char* sign) {
      return fmt::format("({} {} {})", text[one.a], sign, text[one.b]);
    };
    switch (one.op) {
      case Op::weight:
        text.push_back("w");
        break;
      case Op::gradient:
        text.push_back("g");
        break;
      case Op::slot:
        text.push_back(fmt::format("s{}", one.a));
        break;
      case Op::learning_rate:
        text.push_back("rate");
        break;
      case Op::step:
        text.push_back("step");
        break;
      case Op::weight_norm:
        text.push_back("|w|");
        break;
      case Op::gradient_norm:
        text.push_back("|g|");
        break;
      case Op::squared_norm:
        text.push_back("|all g|^2");
        break;
      case Op::constant:
        text.push_back(fmt::format("{}", one.number));
        break;
      case Op::add:
        text.push_back(both("+"));
        break;
      case Op::subtract:
        text.push_back(both("-"));
        break;
      case Op::multiply:
        text.push_back(both("*"));
        break;
      case Op::divide:
        text.push_back(both("/"));
        break;
      case Op::minimum:
        text.push_back(fmt::format("min({}, {})", text[one.a], text[one.b]));
        break;
      case Op::square_root:
        text.push_back(fmt::format("sqrt({})", text[one.a]));
        break;
      case Op::positive:
        text.push_back(fmt::format("({} > 0)", text[one.a]));
        break;
      case Op::one_minus_power:
        text.push_back(fmt::format("(1 - {}^{})", one.number, text[one.a]));
        break;
    }
  }
  std::string result = "w' = " + text[rule.weight];
  for (std::size_t i = 0; i < rule.slots.size(); ++i)
    result += fmt::format(", s{}' = {}", i, text[rule.slots[i]]);
  return result;
}

}  // namespace ssd::graph
