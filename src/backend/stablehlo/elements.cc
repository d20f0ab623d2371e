// Constants by their bytes: MLIR reads a tensor's elements as one hexadecimal string.
#include <fmt/format.h>

#include <cstddef>

#include "backend/stablehlo/text.h"

namespace ssd::stablehlo {

Term Body::elements(const TensorView& tensor) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string hexadecimal;
  hexadecimal.reserve(2 * tensor.bytes());
  for (std::size_t i = 0; i < tensor.bytes(); ++i) {
    const auto byte = std::to_integer<unsigned>(tensor.data[i]);
    hexadecimal += {digits[byte >> 4], digits[byte & 15]};
  }
  const Element element = element_of(tensor.dtype);
  return append(element, tensor.shape,
                fmt::format("constant dense<\"0x{}\"> : {}", hexadecimal, type_of(element, tensor.shape)));
}

}  // namespace ssd::stablehlo
