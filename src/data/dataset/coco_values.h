// Values of a COCO file as its fields need them. Internal to the reader.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ssd {

// Reads values, and knows where in the file it stands (list, index, field) for messages: all throw Error
// `NAME: byte N (line L): image 3: width: got ..., expected ...`.
class CocoValues {
 protected:
  CocoValues(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  simdjson::ondemand::array array(simdjson::ondemand::value value) const;
  std::string string(simdjson::ondemand::value value) const;
  double real(simdjson::ondemand::value value, std::string_view expected = "a number") const;
  std::optional<double> area(simdjson::ondemand::value value) const;  // any double; nothing for null
  std::int64_t integer(simdjson::ondemand::value value) const;
  // Any whole number or text. `text`, where given, is the id as the file writes it where that is a text, or a
  // number beyond 64 bits.
  std::int64_t identifier(simdjson::ondemand::value value, std::string* text = nullptr) const;
  std::int64_t identifier_or_null(simdjson::ondemand::value value, bool& present) const;
  int extent(simdjson::ondemand::value value) const;
  bool flag(simdjson::ondemand::value value) const;

  // A value that is of another kind than `expected`.
  [[noreturn]] void mistyped(std::string_view token, std::string_view expected) const;
  // `location` points into the text.
  [[noreturn]] void fail_at(const char* location, std::string_view problem) const;

  std::string_view text_;  // the whole file, which messages count from
  std::string_view name_;
  const char* what_ = nullptr;  // the kind of item being read
  std::size_t index_ = 0;       // its place in its list
  std::string_view field_;      // the field being read
  const char* item_ = nullptr;  // where the item begins
};

}  // namespace ssd
