// Max pooling and its gradient.
#include <limits>

#include "backend/stablehlo/node.h"

namespace ssd::stablehlo {
namespace {

using graph::PoolAttributes;

constexpr double lowest = -std::numeric_limits<double>::infinity();

// The cells of a window, row by row.
std::vector<Cell> cells_of(const PoolAttributes& pool) {
  std::vector<Cell> cells;
  for (std::int64_t row = 0; row < pool.window; ++row)
    for (std::int64_t column = 0; column < pool.window; ++column)
      cells.push_back({row - pool.padding, column - pool.padding});
  return cells;
}

// The number of each window's first maximum among the cells, (N,Ho,Wo,C) u8. The cells are compared with one
// another, not with the pool's result: a compiler may compute x anew for each, with other roundings.
Term first_maximum(const NodeSite& site, const std::vector<Cell>& cells) {
  Body& body = site.body;
  const std::int64_t stride = site.node.as<PoolAttributes>().stride;
  const Term& x = site.inputs[1];
  const Shape& windows = site.inputs[0].shape;
  Term greatest = body.gather(x, cells[0], stride, windows, lowest);
  Term number = body.constant(0, Element::u8, windows);
  for (std::size_t k = 1; k < cells.size(); ++k) {
    const Term value = body.gather(x, cells[k], stride, windows, lowest);
    const Term here = body.constant(static_cast<double>(k), Element::u8, windows);
    number = body.select(body.compare(Direction::greater, value, greatest), here, number);
    greatest = body.maximum(greatest, value);
  }
  return number;
}

}  // namespace

Term max_pool(const NodeSite& site) {
  return site.body.max_pool(site.inputs[0], site.node.as<PoolAttributes>(), site.shape(0));
}

// Each window adds its dy to its first maximum: for every cell of a window, the dy of those whose maximum is
// there, spread over the input.
Term max_pool_grad(const NodeSite& site) {
  Body& body = site.body;
  const auto& pool = site.node.as<PoolAttributes>();
  const Term &dy = site.inputs[0], &x = site.inputs[1];
  if (site.options.scatter_to_maxima) return body.scatter_to_maxima(x, dy, pool);
  const std::vector<Cell> cells = cells_of(pool);
  const Term first = first_maximum(site, cells), wide = body.convert(dy, Element::f32);
  Term dx;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const Term here = body.compare(Direction::equal, first, static_cast<double>(k));
    const Term part = body.spread(body.select(here, wide, 0.0), cells[k], pool.stride, x.shape);
    dx = k == 0 ? part : body.add(dx, part);
  }
  return body.convert(dx, site.element(0));
}

}  // namespace ssd::stablehlo
