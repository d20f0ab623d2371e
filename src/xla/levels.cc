#include "xla/levels.h"

namespace ssd::xla {

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

std::vector<graph::HeadLevel> levels_of(const std::vector<Term>& terms) {
  std::vector<graph::HeadLevel> levels;
  for (const Term& term : terms) levels.push_back({term.shape[1], term.shape[2], term.shape[4]});
  return levels;
}

}  // namespace ssd::xla
