#include "backend/stablehlo/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace ssd::stablehlo {
namespace {

// A number as MLIR reads it: floats need a point, infinities and NaN their bits.
std::string literal(double value, Element element) {
  if (element == Element::pred) return value != 0 ? "true" : "false";
  if (element == Element::i32 || element == Element::u8)
    return std::to_string(static_cast<std::int64_t>(value));
  const float narrow = static_cast<float>(value);
  if (!std::isfinite(narrow)) {
    const auto bits = std::bit_cast<std::uint32_t>(narrow);
    return element == Element::bf16 ? fmt::format("0x{:04X}", bits >> 16) : fmt::format("0x{:08X}", bits);
  }
  std::string text = fmt::format("{}", narrow);
  if (text.find('.') != std::string::npos) return text;
  const std::size_t exponent = text.find('e');
  return exponent == std::string::npos ? text + ".0" : text.insert(exponent, ".0");
}

std::string list(const Axes& axes) { return fmt::format("[{}]", fmt::join(axes, ", ")); }

std::string_view name_of(Direction direction) {
  switch (direction) {
    case Direction::equal:
      return "EQ";
    case Direction::less:
      return "LT";
    case Direction::less_equal:
      return "LE";
    case Direction::greater:
      return "GT";
    case Direction::greater_equal:
      return "GE";
  }
  return "";
}

bool is_float(Element element) { return element == Element::f32 || element == Element::bf16; }

std::string types_of(const std::vector<Term>& terms) {
  std::vector<std::string> types;
  for (const Term& term : terms) types.push_back(type_of(term));
  return fmt::format("{}", fmt::join(types, ", "));
}

std::string names_of(const std::vector<Term>& terms) {
  std::vector<std::string_view> names;
  for (const Term& term : terms) names.push_back(term.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// Results of an operation with several: "%7:2" is one name, "%7#0" and "%7#1" its parts.
std::vector<Term> parts_of(const std::string& name, const std::vector<Term>& like) {
  std::vector<Term> parts = like;
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i].name = like.size() == 1 ? name : fmt::format("{}#{}", name, i);
  return parts;
}

// Without asking for the highest precision a TPU computes f32 products in bf16, and a GPU in TF32.
std::string_view precision_of(Element element) { return element == Element::f32 ? "HIGHEST" : "DEFAULT"; }

}  // namespace

std::string_view name_of(Element element) {
  switch (element) {
    case Element::pred:
      return "i1";
    case Element::u8:
      return "ui8";
    case Element::i32:
      return "i32";
    case Element::bf16:
      return "bf16";
    case Element::f32:
      return "f32";
  }
  return "";
}

Element element_of(DType type) {
  switch (type) {
    case DType::f32:
      return Element::f32;
    case DType::bf16:
      return Element::bf16;
    case DType::u8:
      return Element::u8;
    case DType::i32:
      return Element::i32;
    case DType::f64:
    case DType::f16:
    case DType::i64:
      break;
  }
  throw Error("device program: got a tensor of {}, expected f32, bf16, u8 or i32", ssd::name_of(type));
}

std::string type_of(Element element, const Shape& shape) {
  std::string text = "tensor<";
  for (const std::int64_t extent : shape.extents()) text += std::to_string(extent) + "x";
  return text.append(name_of(element)).append(">");
}

std::string type_of(const Term& term) { return type_of(term.element, term.shape); }

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string Body::next() { return fmt::format("%{}", count_++); }

std::string Body::location() const {
  return location_.empty() ? std::string() : fmt::format(" loc({})", quoted(location_));
}

Term Body::append(Element element, Shape shape, const std::string& operation) {
  Term term{next(), element, std::move(shape)};
  text_ += fmt::format("    {} = stablehlo.{}{}\n", term.name, operation, location());
  return term;
}

Term Body::argument(std::size_t index, Element element, Shape shape) const {
  return {fmt::format("%arg{}", index), element, std::move(shape)};
}

Term Body::constant(double value, Element element, const Shape& shape) {
  const std::string key = fmt::format("dense<{}> : {}", literal(value, element), type_of(element, shape));
  const auto known = constants_.find(key);
  if (known != constants_.end()) return known->second;
  return constants_[key] = append(element, shape, "constant " + key);
}

Term Body::vector(const std::vector<double>& values) {
  std::vector<std::string> literals;
  for (const double value : values) literals.push_back(literal(value, Element::f32));
  const Shape shape{static_cast<std::int64_t>(values.size())};
  return append(
      Element::f32, shape,
      fmt::format("constant dense<[{}]> : {}", fmt::join(literals, ", "), type_of(Element::f32, shape)));
}

Term Body::iota(const Shape& shape, std::int64_t axis) {
  return append(Element::i32, shape, fmt::format("iota dim = {} : {}", axis, type_of(Element::i32, shape)));
}

Term Body::convert(const Term& x, Element element) {
  if (x.element == element) return x;
  return append(element, x.shape,
                fmt::format("convert {} : ({}) -> {}", x.name, type_of(x), type_of(element, x.shape)));
}

Term Body::bits(const Term& x) {
  assert(x.element == Element::f32);
  return append(
      Element::i32, x.shape,
      fmt::format("bitcast_convert {} : ({}) -> {}", x.name, type_of(x), type_of(Element::i32, x.shape)));
}

Term Body::broadcast(const Term& x, const Shape& shape, const Axes& axes) {
  assert(axes.size() == x.shape.rank());
  return append(x.element, shape,
                fmt::format("broadcast_in_dim {}, dims = {} : ({}) -> {}", x.name, list(axes), type_of(x),
                            type_of(x.element, shape)));
}

Term Body::reshape(const Term& x, const Shape& shape) {
  assert(x.shape.elements() == shape.elements());
  if (x.shape == shape) return x;
  return append(x.element, shape,
                fmt::format("reshape {} : ({}) -> {}", x.name, type_of(x), type_of(x.element, shape)));
}

Term Body::transpose(const Term& x, const Axes& order) {
  Shape shape = x.shape;
  for (std::size_t i = 0; i < order.size(); ++i) shape[i] = x.shape[order[i]];
  return append(x.element, shape,
                fmt::format("transpose {}, dims = {} : ({}) -> {}", x.name, list(order), type_of(x),
                            type_of(x.element, shape)));
}

Term Body::reverse(const Term& x, const Axes& axes) {
  return append(x.element, x.shape,
                fmt::format("reverse {}, dims = {} : {}", x.name, list(axes), type_of(x)));
}

Term Body::slice(const Term& x, std::int64_t axis, std::int64_t from, std::int64_t to) {
  std::vector<std::string> ranges;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.shape.rank()); ++i)
    ranges.push_back(i == axis ? fmt::format("{}:{}", from, to) : fmt::format("0:{}", x.shape[i]));
  Shape shape = x.shape;
  shape[axis] = to - from;
  return append(x.element, shape,
                fmt::format("slice {} [{}] : ({}) -> {}", x.name, fmt::join(ranges, ", "), type_of(x),
                            type_of(x.element, shape)));
}

Term Body::concatenate(const std::vector<Term>& terms, std::int64_t axis) {
  if (terms.size() == 1) return terms[0];
  Shape shape = terms[0].shape;
  for (std::size_t i = 1; i < terms.size(); ++i) shape[axis] += terms[i].shape[axis];
  return append(terms[0].element, shape,
                fmt::format("concatenate {}, dim = {} : ({}) -> {}", names_of(terms), axis, types_of(terms),
                            type_of(terms[0].element, shape)));
}

Term Body::pad(const Term& x, const Cell& before, const Cell& after, std::int64_t between, double value) {
  const Term filling = constant(value, x.element);
  Shape shape = x.shape;
  shape[1] += before.row + after.row + (x.shape[1] - 1) * between;
  shape[2] += before.column + after.column + (x.shape[2] - 1) * between;
  return append(
      x.element, shape,
      fmt::format("pad {}, {}, low = [0, {}, {}, 0], high = [0, {}, {}, 0], interior = [0, {}, {}, 0] : "
                  "({}, {}) -> {}",
                  x.name, filling.name, before.row, before.column, after.row, after.column, between, between,
                  type_of(x), type_of(filling), type_of(x.element, shape)));
}

Term Body::gather(const Term& x, const Cell& cell, std::int64_t stride, const Shape& windows,
                  double outside) {
  const Cell before{-cell.row, -cell.column};
  const Cell after{(windows[1] - 1) * stride + 1 - x.shape[1] + cell.row,
                   (windows[2] - 1) * stride + 1 - x.shape[2] + cell.column};
  const Term met = pad(x, before, after, 0, outside);
  return append(
      x.element, windows,
      fmt::format("slice {} [0:{}, 0:{}:{}, 0:{}:{}, 0:{}] : ({}) -> {}", met.name, x.shape[0], met.shape[1],
                  stride, met.shape[2], stride, x.shape[3], type_of(met), type_of(x.element, windows)));
}

Term Body::spread(const Term& windows, const Cell& cell, std::int64_t stride, const Shape& shape) {
  const Cell after{shape[1] - cell.row - (windows.shape[1] - 1) * stride - 1,
                   shape[2] - cell.column - (windows.shape[2] - 1) * stride - 1};
  return pad(windows, cell, after, stride - 1, 0);
}

Term Body::unary(std::string_view operation, const Term& x) {
  return append(x.element, x.shape, fmt::format("{} {} : {}", operation, x.name, type_of(x)));
}

Term Body::binary(std::string_view operation, const Term& a, const Term& b) {
  assert(a.element == b.element && a.shape == b.shape);
  return append(a.element, a.shape, fmt::format("{} {}, {} : {}", operation, a.name, b.name, type_of(a)));
}

Term Body::compare(Direction direction, const Term& a, const Term& b) {
  assert(a.element == b.element && a.shape == b.shape);
  const std::string_view order = is_float(a.element)         ? "FLOAT"
                                 : a.element == Element::i32 ? "SIGNED"
                                                             : "UNSIGNED";
  return append(Element::pred, a.shape,
                fmt::format("compare {}, {}, {}, {} : ({}, {}) -> {}", name_of(direction), a.name, b.name,
                            order, type_of(a), type_of(b), type_of(Element::pred, a.shape)));
}

Term Body::select(const Term& condition, const Term& yes, const Term& no) {
  assert(yes.element == no.element && yes.shape == no.shape && condition.shape == yes.shape);
  return append(yes.element, yes.shape,
                fmt::format("select {}, {}, {} : {}, {}", condition.name, yes.name, no.name,
                            type_of(condition), type_of(yes)));
}

Term Body::reduce(std::string_view operation, double initial, const Term& x, const Axes& axes) {
  const Term zero = constant(initial, x.element);
  std::vector<bool> gone(x.shape.rank());
  for (const std::int64_t axis : axes) gone[axis] = true;
  std::vector<std::int64_t> left;
  for (std::size_t i = 0; i < gone.size(); ++i)
    if (!gone[i]) left.push_back(x.shape[i]);
  const Shape shape(std::move(left));
  return append(
      x.element, shape,
      fmt::format("reduce({} init: {}) applies stablehlo.{} across dimensions = {} : ({}, {}) -> {}", x.name,
                  zero.name, operation, list(axes), type_of(x), type_of(zero), type_of(x.element, shape)));
}

Term Body::sum(const Term& x, const Axes& axes) { return reduce("add", 0, x, axes); }

Term Body::max(const Term& x, const Axes& axes) {
  return reduce("maximum", -std::numeric_limits<double>::infinity(), x, axes);
}

Term Body::convolution(const Term& x, const Term& kernel, const ConvolutionWindow& window, Element element,
                       const Shape& shape) {
  const std::string_view precision = precision_of(x.element);
  return append(
      element, shape,
      fmt::format(
          "convolution({}, {}) dim_numbers = {}, window = {{stride = [{s}, {s}], pad = [[{}, {}], [{}, {}]], "
          "lhs_dilate = [{l}, {l}], rhs_dilate = [{r}, {r}]}} {{batch_group_count = 1 : i64, "
          "feature_group_count = 1 : i64, precision_config = [#stablehlo<precision {p}>, "
          "#stablehlo<precision {p}>]}} : ({}, {}) -> {}",
          x.name, kernel.name, window.dimensions, window.low[0], window.high[0], window.low[1],
          window.high[1], type_of(x), type_of(kernel), type_of(element, shape), fmt::arg("s", window.stride),
          fmt::arg("l", window.input_dilation), fmt::arg("r", window.kernel_dilation),
          fmt::arg("p", precision)));
}

Term Body::product(const Term& a, const Term& b) {
  assert(a.element == b.element && a.shape[1] == b.shape[0]);
  const std::string_view precision = precision_of(a.element);
  const Shape shape{a.shape[0], b.shape[1]};
  return append(
      Element::f32, shape,
      fmt::format("dot_general {}, {}, contracting_dims = [1] x [0], precision = [{}, {}] : ({}, {}) -> {}",
                  a.name, b.name, precision, precision, type_of(a), type_of(b),
                  type_of(Element::f32, shape)));
}

Term Body::rounded_to_bf16(const Term& x) {
  assert(x.element == Element::f32);
  return append(x.element, x.shape,
                fmt::format("reduce_precision {}, format = e8m7 : {}", x.name, type_of(x)));
}

Term Body::max_pool(const Term& x, const graph::PoolAttributes& pool, const Shape& shape) {
  const Term lowest = constant(-std::numeric_limits<double>::infinity(), x.element);
  const std::string scalar = type_of(lowest);
  const Term y{next(), x.element, shape};
  text_ += fmt::format(
      "    {0} = \"stablehlo.reduce_window\"({1}, {2}) ({{\n"
      "    ^bb0(%a: {3}, %b: {3}):\n"
      "      %m = stablehlo.maximum %a, %b : {3}\n"
      "      stablehlo.return %m : {3}\n"
      "    }}) {{window_dimensions = array<i64: 1, {4}, {4}, 1>, window_strides = array<i64: 1, {5}, {5}, "
      "1>, "
      "padding = dense<[[0, 0], [{6}, {6}], [{6}, {6}], [0, 0]]> : tensor<4x2xi64>}} : ({7}, {3}) -> "
      "{8}{9}\n",
      y.name, x.name, lowest.name, scalar, pool.window, pool.stride, pool.padding, type_of(x), type_of(y),
      location());
  return y;
}

Term Body::scatter_to_maxima(const Term& x, const Term& dy, const graph::PoolAttributes& pool) {
  const Term zero = constant(0, x.element);
  const std::string scalar = type_of(zero);
  const Term dx{next(), x.element, x.shape};
  text_ += fmt::format(
      "    {0} = \"stablehlo.select_and_scatter\"({1}, {2}, {3}) ({{\n"
      "    ^bb0(%a: {4}, %b: {4}):\n"
      "      %s = stablehlo.compare GE, %a, %b, FLOAT : ({4}, {4}) -> tensor<i1>\n"
      "      stablehlo.return %s : tensor<i1>\n"
      "    }}, {{\n"
      "    ^bb0(%a: {4}, %b: {4}):\n"
      "      %s = stablehlo.add %a, %b : {4}\n"
      "      stablehlo.return %s : {4}\n"
      "    }}) {{window_dimensions = array<i64: 1, {5}, {5}, 1>, window_strides = array<i64: 1, {6}, {6}, "
      "1>, "
      "padding = dense<[[0, 0], [{7}, {7}], [{7}, {7}], [0, 0]]> : tensor<4x2xi64>}} : ({8}, {9}, {4}) -> "
      "{8}{10}\n",
      dx.name, x.name, dy.name, zero.name, scalar, pool.window, pool.stride, pool.padding, type_of(x),
      type_of(dy), location());
  return dx;
}

std::vector<Term> Body::all_reduce(const std::vector<Term>& terms, int replicas, int group) {
  assert(!terms.empty() && replicas % group == 0);
  std::vector<std::string> groups;
  for (int start = 0; start < replicas; start += group) {
    std::vector<int> members;
    for (int i = 0; i < group; ++i) members.push_back(start + i);
    groups.push_back(fmt::format("[{}]", fmt::join(members, ", ")));
  }
  const std::string name = next();
  text_ += fmt::format(
      "    {0}{1} = \"stablehlo.all_reduce\"({2}) ({{\n"
      "    ^bb0(%a: {3}, %b: {3}):\n"
      "      %s = stablehlo.add %a, %b : {3}\n"
      "      stablehlo.return %s : {3}\n"
      "    }}) {{replica_groups = dense<[{4}]> : tensor<{5}x{6}xi64>}} : ({7}) -> ({7}){8}\n",
      name, terms.size() > 1 ? fmt::format(":{}", terms.size()) : "", names_of(terms),
      type_of(terms[0].element, {}), fmt::join(groups, ", "), replicas / group, group, types_of(terms),
      location());
  return parts_of(name, terms);
}

void Body::finish(const std::vector<Term>& results) {
  text_ += fmt::format("    return {} : {}\n", names_of(results), types_of(results));
}

}  // namespace ssd::stablehlo
