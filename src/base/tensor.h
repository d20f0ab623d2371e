// Tensors in host memory.
#pragma once

#include <cassert>
#include <cstddef>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>

#include "base/dtype.h"
#include "base/shape.h"

namespace ssd {

// A read-only look at somebody else's elements, row-major and dense. The owner must outlive it.
struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }

  // `count` slices along dimension 0 from `first` on.
  TensorView slices(std::int64_t first, std::int64_t count) const {
    TensorView part = *this;
    part.shape[0] = count;
    if (shape[0] > 0)
      part.data += static_cast<std::size_t>(first) * (bytes() / static_cast<std::size_t>(shape[0]));
    return part;
  }

  template <typename T>
  std::span<const T> as() const {
    assert(size_of(dtype_of<T>::value) == size_of(dtype));
    return {reinterpret_cast<const T*>(data), static_cast<std::size_t>(shape.elements())};
  }
};

// Owns its elements: row-major, dense, aligned to 64 bytes, zero at first. Moves are cheap; a copy is asked
// for by name (`clone`).
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, Shape shape);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }

  // The elements as T, which must have the dtype's size (f16 and bf16 are read as std::uint16_t).
  template <typename T>
  std::span<T> as() {
    assert(size_of(dtype_of<T>::value) == size_of(dtype_));
    return {reinterpret_cast<T*>(data_.get()), static_cast<std::size_t>(elements())};
  }
  template <typename T>
  std::span<const T> as() const {
    assert(size_of(dtype_of<T>::value) == size_of(dtype_));
    return {reinterpret_cast<const T*>(data_.get()), static_cast<std::size_t>(elements())};
  }

  Tensor clone() const;

  operator TensorView() const { return {dtype_, shape_, data_.get()}; }

  static Tensor copy_of(const TensorView& view);

 private:
  struct AlignedDelete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  DType dtype_ = DType::f32;
  Shape shape_{0};
  std::unique_ptr<std::byte[], AlignedDelete> data_;
};

// Tensors by name, in name order.
using TensorMap = std::map<std::string, Tensor>;
TensorMap clone(const TensorMap& tensors);

// The same values as f32 (from f64, f32, f16, bf16). Throws Error for integer tensors.
Tensor to_f32(const TensorView& view);

}  // namespace ssd
