// Values of default boxes, kept level by level as the heads' convolutions make them.
#pragma once

#include <vector>

#include "backend/stablehlo/text.h"
#include "graph/graph.h"

namespace ssd::stablehlo {

// One level of a head's values: (N,H,W,R,m), R rows of m channels. A row holds m / n parts, an offset or a
// class each, of the n boxes of a cell; rows before `first` are the offsets', and parts after the last class
// are padding. TPUs hold channels in tiles of eight: where m is a multiple of eight, taking channels for rows
// moves nothing.
struct Level {
  Term rows;
  std::int64_t boxes = 1;  // of a cell: n
  std::int64_t first = 0;  // row of the first class

  std::int64_t parts_of_row() const { return rows.shape[4] / boxes; }
};

// The channels that head_view wants of a level's map: room for whole rows of offsets and classes.
std::int64_t head_channels(std::int64_t boxes, std::int64_t classes);
// The rows of a level's map (N,H,W,C); its channels are filled up with zeros where they are fewer.
Level level_of(Body& body, const Term& map, std::int64_t boxes, std::int64_t classes);

// (N,H,W,P,n) a level <-> (N,D,P): default boxes run over levels, boxes of a cell, rows, columns.
Term join_levels(Body& body, const std::vector<Term>& levels);
std::vector<Term> split_levels(Body& body, const Term& whole, const std::vector<graph::HeadLevel>& levels);

// (N,H,W,P,n): `number` parts of a level from part `from` on.
Term parts_of(Body& body, const Level& level, std::int64_t from, std::int64_t number);
// (N,D,K): the classes of all levels.
Term join_classes(Body& body, const std::vector<Level>& levels, std::int64_t classes);

// x with zeros after its own extent along an axis; x itself where it has that extent.
Term pad(Body& body, const Term& x, std::int64_t axis, std::int64_t extent);

}  // namespace ssd::stablehlo
