// The optimizer's update of a weight, an operation an instruction of its rule.
#include <cmath>

#include "backend/stablehlo/node.h"
#include "graph/update_rule.h"

namespace ssd::stablehlo {
namespace {

using graph::UpdateRule;

// The values of a rule so far. Those that all elements share stay scalars until they meet others.
class Values {
 public:
  explicit Values(const NodeSite& site, const UpdateRule& rule) : site_(site), body_(site.body), rule_(rule) {
    for (const UpdateRule::Instruction& one : rule.instructions) terms_.push_back(evaluate(one));
  }

  Term whole(int value) { return spread(terms_[value]); }

 private:
  Term evaluate(const UpdateRule::Instruction& one) {
    using Op = UpdateRule::Op;
    const std::size_t slots = rule_.slots.size();
    switch (one.op) {
      case Op::weight:
        return site_.inputs[0];
      case Op::gradient:
        return site_.inputs[1];
      case Op::slot:
        return site_.inputs[2 + static_cast<std::size_t>(one.a)];
      case Op::learning_rate:
        return site_.inputs[2 + slots];
      case Op::step:
        return site_.inputs[3 + slots];
      case Op::squared_norm:
        return site_.inputs.back();
      case Op::constant:
        return body_.constant(one.number, Element::f32);
      case Op::add:
        return both("add", one);
      case Op::subtract:
        return both("subtract", one);
      case Op::multiply:
        return both("multiply", one);
      case Op::divide:
        return both("divide", one);
      case Op::minimum:
        return both("minimum", one);
      case Op::square_root:
        return body_.unary("sqrt", terms_[one.a]);
      case Op::one_minus_power:
        return body_.unary("negate", body_.unary("exponential_minus_one",
                                                 body_.multiply(terms_[one.a], std::log(one.number))));
    }
    return {};
  }

  Term both(std::string_view operation, const UpdateRule::Instruction& one) {
    const Term &a = terms_[one.a], &b = terms_[one.b];
    if (a.shape == b.shape) return body_.binary(operation, a, b);
    return body_.binary(operation, spread(a), spread(b));
  }

  Term spread(const Term& term) {
    const Shape& shape = site_.inputs[0].shape;
    return term.shape == shape ? term : body_.broadcast(term, shape, {});
  }

  const NodeSite& site_;
  Body& body_;
  const UpdateRule& rule_;
  std::vector<Term> terms_;
};

}  // namespace

std::vector<Term> update(const NodeSite& site) {
  const UpdateRule& rule = site.node.as<graph::UpdateAttributes>().rule;
  Values values(site, rule);
  std::vector<Term> results{values.whole(rule.weight)};
  for (const int slot : rule.slots) results.push_back(values.whole(slot));
  return results;
}

}  // namespace ssd::stablehlo
