// Tensors over all default boxes, whole or apart by feature level.
//
// Joining the logits of all levels into (N,D,K) and cutting their gradient up again would move them through
// memory several times. The lowering keeps them apart, as (N,H,W,K,boxes of a cell) a level, in which order
// the heads make them, and joins them only where a graph returns them.
#pragma once

#include <vector>

#include "xla/text.h"

namespace ssd::xla {

// A graph value in the program.
struct Bound {
  Bound() = default;
  Bound(Term term) : whole(std::move(term)) {}
  Bound(Term type, std::vector<Term> parts) : whole(std::move(type)), levels(std::move(parts)) {}

  bool joined() const { return !whole.name.empty(); }

  Term whole;                // without a name, only a type, as long as it is not joined
  std::vector<Term> levels;  // (N,H,W,P,n) each; empty for values that are not kept apart
};

// (N,H,W,P,n) a level <-> (N,D,P): default boxes run over levels, boxes of a cell, rows, columns.
Term join_levels(Body& body, const std::vector<Term>& levels);
std::vector<Term> split_levels(Body& body, const Term& whole, const std::vector<graph::HeadLevel>& levels);

// The levels that terms (N,H,W,P,n) belong to.
std::vector<graph::HeadLevel> levels_of(const std::vector<Term>& terms);

}  // namespace ssd::xla
