// The extents of a tensor.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace ssd {

// Extents from the outermost dimension to the innermost (row-major). A scalar has rank 0 and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {}

  std::size_t rank() const { return extents_.size(); }
  std::int64_t operator[](std::size_t axis) const { return extents_[axis]; }
  std::int64_t& operator[](std::size_t axis) { return extents_[axis]; }
  std::span<const std::int64_t> extents() const { return extents_; }

  // Product of the extents: the number of elements.
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (const std::int64_t extent : extents_) product *= extent;
    return product;
  }

  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> extents_;
};

// "(8, 38, 38, 256)"; "()" for a scalar.
std::string to_string(const Shape& shape);

}  // namespace ssd
