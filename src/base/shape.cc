#include "base/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ssd {

std::string to_string(const Shape& shape) { return fmt::format("({})", fmt::join(shape.extents(), ", ")); }

}  // namespace ssd
