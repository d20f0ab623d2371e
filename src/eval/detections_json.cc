#include "eval/detections_json.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/encoding.h"
#include "base/error.h"
#include "base/json_number.h"
#include "base/json_syntax.h"
#include "base/json_text.h"
#include "base/text_file.h"
#include "base/text_id.h"
#include "base/utf8.h"

namespace ssd {
namespace {

namespace sj = simdjson::ondemand;

// Reads one text; knows where it is for error messages.
class Reader {
  // One entry is broken, not the text.
  class Entry : public Error {
    using Error::Error;
  };

 public:
  Reader(const std::string& text, const std::string& name, DetectionFaults* faults, IdTexts* texts = nullptr)
      : text_(text), name_(name), faults_(faults), texts_(texts) {}

  std::vector<DetectedBox> read() {
    if (const auto other = other_than_json(text_); !other.empty()) throw Error("{}: {}", name_, other);
    const std::size_t mark = byte_order_mark(text_);
    const simdjson::padded_string_view view(text_.data() + mark, text_.size() - mark,
                                            text_.capacity() - mark);
    check(parser_.iterate(view).get(document_));
    started_ = true;
    sj::json_type type{};
    check(document_.type().get(type));
    if (type == sj::json_type::object) {
      read_object();
    } else if (type == sj::json_type::array) {
      sj::array list;
      check(document_.get_array().get(list));
      read_list(list);
    } else {
      fail("got neither a list nor an object, expected a list of detections");
    }
    if (document_.current_location().error() == simdjson::SUCCESS)
      fail("got more text, expected the end of the file");
    if (faults_ && faults_->count > 0 && detections_.empty())
      throw Error("{}: {}{}", name_, faults_->first.front(),
                  faults_->count > 1 ? fmt::format("; so it is with all {} entries", faults_->count) : "");
    return std::move(detections_);
  }

 private:
  void read_object() {
    sj::object object;
    check(document_.get_object().get(object));
    bool found = false;
    for (simdjson::simdjson_result<sj::field> entry : object) {
      sj::field field;
      check(std::move(entry).get(field));
      if (!(field.key() == "annotations")) continue;
      read_list(list_of(field.value()));
      found = true;
    }
    if (!found) fail("got an object without \"annotations\", expected a list of detections");
  }

  void read_list(sj::array list) {
    detections_.clear();                     // of two lists the last one counts, as in annotation files
    detections_.reserve(text_.size() / 64);  // hardly any is shorter
    if (faults_) *faults_ = {};
    in_list_ = true;
    index_ = 0;
    for (simdjson::simdjson_result<sj::value> entry : list) {
      sj::value element;
      check(std::move(entry).get(element));
      try {
        sj::object object;
        if (element.get_object().get(object)) mistyped(element.raw_json_token(), "an object");
        detections_.push_back(read_detection(object));
      } catch (const Entry& broken) {
        // The list goes on behind the entry, wherever in it the reading stopped.
        if (!faults_) throw;
        leave_out(broken.what());
      }
      ++index_;
    }
    in_list_ = false;
  }

  void leave_out(std::string reason) {
    constexpr std::size_t named = 3;
    if (++faults_->count > named) return;
    faults_->first.push_back(reason.erase(0, name_.size() + 2));  // the file's name
  }

  DetectedBox read_detection(sj::object object) {
    DetectedBox detection;
    unsigned seen = 0;
    for (simdjson::simdjson_result<sj::field> entry : object) {
      sj::field field;
      check(std::move(entry).get(field));
      const sj::raw_json_string key = field.key();
      if (key == "image_id") {
        detection.image_id = id_of(field.value(), texts_ ? &texts_->images : nullptr);
        seen |= 1;
      } else if (key == "category_id") {
        detection.category_id = id_of(field.value(), texts_ ? &texts_->categories : nullptr);
        seen |= 2;
      } else if (key == "bbox") {
        detection.box = read_box(field.value());
        seen |= 4;
      } else if (key == "score") {
        detection.score = any_number_of(field.value());
        seen |= 8;
      }
    }
    constexpr std::array<const char*, 4> names{"image_id", "category_id", "bbox", "score"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      if ((seen >> i & 1u) == 0) fail_entry(fmt::format("got no \"{}\"; add it", names[i]));
    }
    return detection;
  }

  // A value that is of another kind than `expected`.
  [[noreturn]] void mistyped(std::string_view token, std::string_view expected) {
    const std::string what = fmt::format("got {}, expected {}", json_value_text(token), expected);
    const auto byte = static_cast<std::size_t>(token.data() - text_.data());
    if (in_list_) throw Entry(message(byte, what));
    fail_at(byte, what);
  }

  sj::array list_of(sj::value value) {
    const std::string_view token = value.raw_json_token();
    sj::array list;
    if (value.get_array().get(list)) mistyped(token, "a list");
    return list;
  }

  double number_of(sj::value value, std::string_view expected = "a number") {
    const std::string_view token = value.raw_json_token();
    double number = 0;
    if (value.get_double().get(number) == simdjson::SUCCESS)
      number = exact_double(token, number);
    else if (!number_of_text(value, number))
      mistyped(token, expected);
    if (!std::isfinite(number)) fail_entry("the number is too large");
    return number;
  }

  // "2.5", as some writers have it.
  static bool number_of_text(sj::value value, double& number) {
    std::string_view text;
    if (value.get_string().get(text)) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }

  // Python writes what JSON has no words for, and takes true for 1.
  double any_number_of(sj::value value) {
    const std::string_view token = value.raw_json_token();
    if (token.starts_with("NaN")) return NAN;
    if (token.starts_with("Infinity")) return INFINITY;
    if (token.starts_with("-Infinity")) return -INFINITY;
    if (bool yes = false; value.get_bool().get(yes) == simdjson::SUCCESS) return yes ? 1 : 0;
    return number_of(value);
  }

  // An integer, or any text.
  std::int64_t id_of(sj::value value, IdTexts::Texts* texts) {
    if (!std::string_view(value.raw_json_token()).starts_with('"')) return read_id(value);
    std::string_view text;
    check(value.get_string().get(text));
    const std::int64_t id = id_of_text(text);
    if (texts) texts->emplace(id, text);
    return id;
  }

  // An integer, also where it is written as 7.0 or "7".
  std::int64_t read_id(sj::value value) {
    std::int64_t whole = 0;
    if (value.get_int64().get(whole) == simdjson::SUCCESS) return whole;
    const double id = number_of(value, "an integer");  // simdjson 3.0's get_number() misreads over 19 digits
    if (id != std::floor(id) || std::abs(id) > 9007199254740992.0) {
      fail_entry(fmt::format("got the id {}, expected an integer", id));
    }
    return static_cast<std::int64_t>(id);
  }

  PixelBox read_box(sj::value value) {
    PixelBox box{};
    std::size_t count = 0;
    for (simdjson::simdjson_result<sj::value> entry : list_of(value)) {
      sj::value element;
      check(std::move(entry).get(element));
      const double parsed = any_number_of(element);
      if (count < box.size()) box[count] = parsed;
      ++count;
    }
    if (count != box.size()) fail_entry(fmt::format("got a bbox of {} numbers, expected 4", count));
    return box;
  }

  void check(simdjson::error_code error) {
    if (error == simdjson::SUCCESS) return;
    // Why, simdjson knows less well.
    const std::size_t mark = byte_order_mark(text_);
    if (const auto fault = find_json_syntax_fault(std::string_view(text_).substr(mark)))
      throw Error("{}: {}: {}", name_, position_text(text_, mark + fault->byte), fault->problem);
    // Of a list or an object that never ends simdjson tells the beginning.
    if (error == simdjson::INCOMPLETE_ARRAY_OR_OBJECT) fail_at(text_.size(), simdjson::error_message(error));
    fail(simdjson::error_message(error));
  }

  // The byte at hand.
  std::size_t place() {
    const char* location = nullptr;
    if (started_ && document_.current_location().get(location) == simdjson::SUCCESS &&
        location >= text_.data() && location <= text_.data() + text_.size())
      return static_cast<std::size_t>(location - text_.data());
    return started_ ? text_.size() : json_fault(text_);
  }

  [[noreturn]] void fail_entry(const std::string& what) { throw Entry(message(place(), what)); }
  [[noreturn]] void fail(const std::string& what) { fail_at(place(), what); }
  [[noreturn]] void fail_at(std::size_t byte, const std::string& what) { throw Error(message(byte, what)); }

  std::string message(std::size_t byte, const std::string& what) const {
    const std::string detection = in_list_ ? fmt::format("detection {}: ", index_) : "";
    return fmt::format("{}: {}: {}{}", name_, position_text(text_, byte), detection, what);
  }

  const std::string& text_;
  const std::string& name_;
  sj::parser parser_;
  sj::document document_;
  bool started_ = false;  // a document has a location only then
  bool in_list_ = false;
  std::size_t index_ = 0;    // in the list
  DetectionFaults* faults_;  // null: there may be none
  IdTexts* texts_;           // takes those of ids; null: nobody asks for them
  std::vector<DetectedBox> detections_;
};

std::string id_json(std::int64_t id, const IdTexts::Texts& texts) {
  const auto text = texts.find(id);
  return text == texts.end() ? std::to_string(id) : nlohmann::json(text->second).dump();
}

void append(std::string& text, double value) {
  if (!std::isfinite(value)) throw Error("detections json: got {}, expected a finite number", value);
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

}  // namespace

std::vector<DetectedBox> read_detections(const std::string& path, DetectionFaults* faults) {
  return parse_detections(decode_wide_text(read_text_file(path), path), path, faults);
}

std::vector<DetectedBox> parse_detections(std::string text, const std::string& name,
                                          DetectionFaults* faults) {
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return Reader(text, name, faults).read();
}

IdTexts id_texts_of(const std::string& path) {
  IdTexts texts;
  if (std::error_code ignored; !std::filesystem::is_regular_file(path, ignored)) return texts;
  try {
    std::string text = decode_wide_text(read_text_file(path), path);
    text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    DetectionFaults faults;
    Reader(text, path, &faults, &texts).read();
  } catch (const Error&) {
    // It was read before: what can be told of its ids stands in `texts`.
  }
  return texts;
}

std::string id_words(std::int64_t id, const IdTexts::Texts& texts) {
  if (const auto text = texts.find(id); text != texts.end()) return "\"" + text->second + "\"";
  return is_id_of_text(id) ? "a text" : std::to_string(id);
}

std::string write_detections(std::span<const DetectedBox> detections, const IdTexts& texts) {
  std::string text = "[";
  text.reserve(detections.size() * 160 + 4);
  for (const DetectedBox& detection : detections) {
    text += text.size() == 1 ? "\n" : ",\n";
    text += R"({"image_id":)" + id_json(detection.image_id, texts.images);
    text += R"(,"category_id":)" + id_json(detection.category_id, texts.categories) + R"(,"bbox":[)";
    for (std::size_t i = 0; i < detection.box.size(); ++i) {
      if (i > 0) text += ',';
      append(text, detection.box[i]);
    }
    text += R"(],"score":)";
    append(text, detection.score);
    text += '}';
  }
  text += "\n]\n";
  return text;
}

}  // namespace ssd
