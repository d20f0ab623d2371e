// StableHLO text, one operation a call: the vocabulary that the lowering is written in.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "base/tensor.h"
#include "graph/graph.h"

namespace ssd::stablehlo {

enum class Element { pred, u8, i32, bf16, f32 };
std::string_view name_of(Element element);  // as in StableHLO: "i1", "ui8", "i32", "bf16", "f32"
Element element_of(DType type);             // throws Error for types that no graph holds on a device

// A value of the program: its name ("%12") and tensor type.
struct Term {
  std::string name;
  Element element = Element::f32;
  Shape shape;
};
std::string type_of(const Term& term);  // "tensor<8x38x38x256xbf16>"
std::string type_of(Element element, const Shape& shape);

using Axes = std::vector<std::int64_t>;
enum class Direction { equal, less, less_equal, greater, greater_equal };

// Which dimensions of operands and result mean what, as StableHLO writes it, and the window over rows and
// columns.
struct ConvolutionWindow {
  std::string dimensions;  // "[b, 0, 1, f]x[o, i, 0, 1]->[b, 0, 1, f]"
  std::int64_t stride = 1;
  std::array<std::int64_t, 2> low{};   // padding above and to the left; may be negative
  std::array<std::int64_t, 2> high{};  // below and to the right
  std::int64_t input_dilation = 1;
  std::int64_t kernel_dilation = 1;
};

// A place in a window over rows and columns, from the window's place in the image; may be negative.
struct Cell {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

// The operations of one function, in order. Each member appends one (elementwise members with a number append
// a constant too) and infers its type; operands must fit, which asserts check: a misfit is a bug of the
// lowering.
class Body {
 public:
  // Operations appended from here on carry this location.
  void at(std::string_view location) { location_ = location; }

  Term argument(std::size_t index, Element element, Shape shape) const;
  Term constant(double value, Element element, const Shape& shape = {});
  Term vector(const std::vector<double>& values);    // f32 (values)
  Term elements(const TensorView& tensor);           // a constant of these bytes
  Term iota(const Shape& shape, std::int64_t axis);  // i32

  Term convert(const Term& x, Element element);
  Term bits(const Term& x);  // f32 as the i32 of the same bits
  // Dimension i of x becomes dimension axes[i] of the result.
  Term broadcast(const Term& x, const Shape& shape, const Axes& axes);
  Term reshape(const Term& x, const Shape& shape);
  Term transpose(const Term& x, const Axes& order);
  Term reverse(const Term& x, const Axes& axes);
  Term slice(const Term& x, std::int64_t axis, std::int64_t from, std::int64_t to);
  Term concatenate(const std::vector<Term>& terms, std::int64_t axis);
  // (N,H,W,C) -> (N,Ho,Wo,C): of each window, which stand `stride` apart, the value at its cell; `outside`
  // beyond the image.
  Term gather(const Term& x, const Cell& cell, std::int64_t stride, const Shape& windows, double outside);
  // The transposed operation, (N,Ho,Wo,C) -> (N,H,W,C): each window's value at its cell, zeros elsewhere.
  Term spread(const Term& windows, const Cell& cell, std::int64_t stride, const Shape& shape);

  Term unary(std::string_view operation, const Term& x);  // "exponential", "log", "sqrt", "abs"
  Term binary(std::string_view operation, const Term& a, const Term& b);  // "add", "power"; types are equal
  Term add(const Term& a, const Term& b) { return binary("add", a, b); }
  Term subtract(const Term& a, const Term& b) { return binary("subtract", a, b); }
  Term multiply(const Term& a, const Term& b) { return binary("multiply", a, b); }
  Term divide(const Term& a, const Term& b) { return binary("divide", a, b); }
  Term maximum(const Term& a, const Term& b) { return binary("maximum", a, b); }
  Term minimum(const Term& a, const Term& b) { return binary("minimum", a, b); }
  Term both(const Term& a, const Term& b) { return binary("and", a, b); }
  Term either(const Term& a, const Term& b) { return binary("or", a, b); }
  Term add(const Term& a, double b) { return add(a, constant(b, a.element, a.shape)); }
  Term subtract(const Term& a, double b) { return subtract(a, constant(b, a.element, a.shape)); }
  Term multiply(const Term& a, double b) { return multiply(a, constant(b, a.element, a.shape)); }
  Term divide(const Term& a, double b) { return divide(a, constant(b, a.element, a.shape)); }
  Term maximum(const Term& a, double b) { return maximum(a, constant(b, a.element, a.shape)); }
  Term minimum(const Term& a, double b) { return minimum(a, constant(b, a.element, a.shape)); }

  Term compare(Direction direction, const Term& a, const Term& b);
  Term compare(Direction direction, const Term& a, double b) {
    return compare(direction, a, constant(b, a.element, a.shape));
  }
  Term select(const Term& condition, const Term& yes, const Term& no);
  Term select(const Term& condition, const Term& yes, double no) {
    return select(condition, yes, constant(no, yes.element, yes.shape));
  }

  Term sum(const Term& x, const Axes& axes);
  Term max(const Term& x, const Axes& axes);

  Term convolution(const Term& x, const Term& kernel, const ConvolutionWindow& window, Element element,
                   const Shape& shape);
  // a (M,K) by b (K,N) -> (M,N) f32.
  Term product(const Term& a, const Term& b);
  // f32 with the precision of bf16, which the compiler may not skip.
  Term rounded_to_bf16(const Term& x);
  Term max_pool(const Term& x, const graph::PoolAttributes& pool, const Shape& shape);
  // The gradient of max_pool: each window adds its dy to its first maximum.
  Term scatter_to_maxima(const Term& x, const Term& dy, const graph::PoolAttributes& pool);
  // Sums over the replicas of each group of consecutive `group` ones, in one collective; terms of one element
  // type.
  std::vector<Term> all_reduce(const std::vector<Term>& terms, int replicas, int group);

  void finish(const std::vector<Term>& results);
  const std::string& text() const { return text_; }

 private:
  Term reduce(std::string_view operation, double initial, const Term& x, const Axes& axes);
  // Rows and columns with `between` ones between two, `before` and `after` those; negative numbers take away.
  Term pad(const Term& x, const Cell& before, const Cell& after, std::int64_t between, double value);
  Term append(Element element, Shape shape, const std::string& operation);
  std::string location() const;
  std::string next();

  std::string text_;
  std::string location_;
  int count_ = 0;
  std::map<std::string, Term> constants_;
};

// `text` as an MLIR string or location may hold it.
std::string quoted(std::string_view text);

}  // namespace ssd::stablehlo
