// What a node's result is bound to while its users are lowered.
#pragma once

#include <memory>
#include <vector>

#include "backend/stablehlo/levels.h"
#include "backend/stablehlo/text.h"

namespace ssd::stablehlo {

struct Pointwise;
struct PointwiseGradient;

// A term, or what it would be made of: those users that can do with the parts spare the program the whole.
struct Bound {
  Bound() = default;
  Bound(Term term) : whole(std::move(term)) {}
  Bound(Term type, std::vector<Level> parts) : whole(std::move(type)), levels(std::move(parts)) {}
  Bound(Term type, std::shared_ptr<const PointwiseGradient> parts)
      : whole(std::move(type)), gradient(std::move(parts)) {}

  bool joined() const { return !whole.name.empty(); }

  Term whole;                                  // without a name, only a type, as long as it is not joined
  std::vector<Level> levels;                   // of values of default boxes (N,D,P)
  std::shared_ptr<const Pointwise> pointwise;  // of a convolution's result: how it was made
  std::shared_ptr<const PointwiseGradient> gradient;  // of a batch norm's input
  Term shift;  // of a batch norm's result, where its gradient is to compute that again; else without a name
};

}  // namespace ssd::stablehlo
