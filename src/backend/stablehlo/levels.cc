#include "backend/stablehlo/levels.h"

#include <cassert>

namespace ssd::stablehlo {
namespace {

constexpr std::int64_t offsets = 4;

// Parts of a row: the fewest, of 1, 2 and 4, that make the row's channels a multiple of a tile's; four where
// none does. Offsets are whole rows either way.
std::int64_t parts_of_row(std::int64_t boxes) {
  constexpr std::int64_t tile = 8;
  std::int64_t parts = 1;
  while (parts < offsets && parts * boxes % tile != 0) parts *= 2;
  return parts;
}

}  // namespace

std::int64_t head_channels(std::int64_t boxes, std::int64_t classes) {
  const std::int64_t parts = parts_of_row(boxes);
  return (offsets + classes + parts - 1) / parts * parts * boxes;
}

Level level_of(Body& body, const Term& map, std::int64_t boxes, std::int64_t classes) {
  const std::int64_t parts = parts_of_row(boxes), channels = head_channels(boxes, classes);
  const Shape& s = map.shape;
  const Shape rows{s[0], s[1], s[2], channels / (parts * boxes), parts * boxes};
  return {body.reshape(pad(body, map, 3, channels), rows), boxes, offsets / parts};
}

Term join_levels(Body& body, const std::vector<Term>& levels) {
  std::vector<Term> parts;
  for (const Term& level : levels) {
    const Shape& s = level.shape;
    parts.push_back(body.reshape(body.transpose(level, {0, 4, 1, 2, 3}), {s[0], s[4] * s[1] * s[2], s[3]}));
  }
  return body.concatenate(parts, 1);
}

std::vector<Term> split_levels(Body& body, const Term& whole, const std::vector<graph::HeadLevel>& levels) {
  const std::int64_t images = whole.shape[0], parts = whole.shape[2];
  std::vector<Term> result;
  std::int64_t from = 0;
  for (const graph::HeadLevel& level : levels) {
    const std::int64_t to = from + level.boxes * level.height * level.width;
    const Term slice = levels.size() == 1 ? whole : body.slice(whole, 1, from, to);
    const Term split = body.reshape(slice, {images, level.boxes, level.height, level.width, parts});
    result.push_back(body.transpose(split, {0, 2, 3, 4, 1}));
    from = to;
  }
  return result;
}

Term parts_of(Body& body, const Level& level, std::int64_t from, std::int64_t number) {
  const std::int64_t parts = level.parts_of_row();
  assert(from % parts == 0);
  const Shape& s = level.rows.shape;
  const std::int64_t first = from / parts, last = (from + number + parts - 1) / parts;
  const Term rows = last - first == s[3] ? level.rows : body.slice(level.rows, 3, first, last);
  const Term all = body.reshape(rows, {s[0], s[1], s[2], (last - first) * parts, level.boxes});
  return all.shape[3] == number ? all : body.slice(all, 3, 0, number);
}

Term join_classes(Body& body, const std::vector<Level>& levels, std::int64_t classes) {
  std::vector<Term> parts;
  for (const Level& level : levels)
    parts.push_back(parts_of(body, level, level.first * level.parts_of_row(), classes));
  return join_levels(body, parts);
}

Term pad(Body& body, const Term& x, std::int64_t axis, std::int64_t extent) {
  if (x.shape[axis] == extent) return x;
  Shape rest = x.shape;
  rest[axis] = extent - x.shape[axis];
  return body.concatenate({x, body.constant(0, x.element, rest)}, axis);
}

}  // namespace ssd::stablehlo
