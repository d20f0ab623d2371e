// Numbers of JSON texts, to the last bit.
#pragma once

#include <string_view>

namespace ssd {

// The double nearest to the number that `token` begins with; infinite where it is too large for one. `parsed`
// is what simdjson's get_double() made of it: right, and by far the fastest, but for 20 digits and more
// behind "0.", which simdjson 3.0 misreads. get_double() has checked that the number is well formed.
double exact_double(std::string_view token, double parsed);

}  // namespace ssd
