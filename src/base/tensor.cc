#include "base/tensor.h"

#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace ssd {

namespace {

std::byte* allocate(std::size_t bytes, const Shape& shape) {
  try {
    return static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{64}));
  } catch (const std::bad_alloc&) {
    fail_for_memory(bytes, "a tensor of " + to_string(shape));
  }
}

}  // namespace

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), data_(allocate(bytes(), shape_)) {
  std::memset(data_.get(), 0, bytes());
}

Tensor Tensor::clone() const { return copy_of(*this); }

Tensor Tensor::copy_of(const TensorView& view) {
  Tensor copy(view.dtype, view.shape);
  if (copy.bytes() != 0) std::memcpy(copy.data(), view.data, copy.bytes());
  return copy;
}

Tensor to_f32(const TensorView& view) {
  Tensor result(DType::f32, view.shape);
  const std::span<float> out = result.as<float>();
  switch (view.dtype) {
    case DType::f32:
      return Tensor::copy_of(view);
    case DType::f64:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(view.as<double>()[i]);
      return result;
    case DType::f16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = f16_to_float(view.as<std::uint16_t>()[i]);
      return result;
    case DType::bf16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_float(view.as<std::uint16_t>()[i]);
      return result;
    case DType::u8:
    case DType::i32:
    case DType::i64:
      break;
  }
  throw Error("conversion to f32: got {}, expected a floating-point tensor", name_of(view.dtype));
}

TensorMap clone(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy.emplace(name, tensor.clone());
  return copy;
}

}  // namespace ssd
