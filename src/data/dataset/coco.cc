#include "data/dataset/coco.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>
#include <type_traits>

#include "base/budgets.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/json_number.h"
#include "base/json_text.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "data/dataset/coco_file.h"
#include "data/dataset/coco_text.h"

namespace ssd {
namespace {

namespace ondemand = simdjson::ondemand;

// Over 12 members: where it stands in the document is four of them.
// Walks the document once. Where it stands (list, index, field) is kept for messages.
class CocoReader {
 public:
  CocoReader(simdjson::padded_string_view text, std::string_view name, const CocoReadOptions& options)
      : text_(text),
        json_(text_.substr(byte_order_mark(text_)), text.capacity() - byte_order_mark(text_)),
        name_(name),
        ids_only_(options.fields == CocoReadOptions::Fields::ids),
        leave_out_(options.faults == CocoReadOptions::Faults::leave_out) {}

  CocoFile read() {
    if (const auto other = other_than_json(text_); !other.empty()) throw Error("{}: {}", name_, other);
    try {
      if (const auto error = parser_.iterate(json_).get(document_))
        fail_at(json_.data() + json_fault(json_), simdjson::error_message(error));
      read_document();
    } catch (const simdjson::simdjson_error& error) {
      const char* location = nullptr;
      // Past the last token there is no location: the text ended too early. Of a list or an object that never
      // ends simdjson tells the beginning.
      if (error.error() == simdjson::INCOMPLETE_ARRAY_OR_OBJECT || document_.current_location().get(location))
        location = json_.data() + json_.size();
      fail_at(location, error.what());
    }
    if (!ids_only_) leave_out_root();
    return std::move(coco_);
  }

  // Of a text that is nothing but a list of annotations. Throws simdjson's errors too.
  std::vector<CocoAnnotation> read_annotations() {
    document_ = parser_.iterate(json_);
    read_list(document_.get_array(), "annotation", coco_.annotations, &CocoReader::read_annotation);
    require_end();
    return std::move(coco_.annotations);
  }

 private:
  void read_document() {
    if (document_.type() != ondemand::json_type::object)
      fail_at(json_.data() + json_.find_first_not_of(" \t\r\n"),
              fmt::format("got {}, expected an object with images, annotations and categories",
                          json_value_text(std::string_view(document_.raw_json_token()))));
    ondemand::object root = document_.get_object();
    bool images = false, annotations = false, categories = false;
    for (auto member : root) {
      const ondemand::raw_json_string key = member.key();
      if (key == "images") {
        images = true;
        read_list(array(member.value()), "image", coco_.images, &CocoReader::read_image);
      } else if (key == "annotations") {
        annotations = true;
        read_list(array(member.value()), "annotation", coco_.annotations, &CocoReader::read_annotation);
      } else if (key == "categories") {
        categories = true;
        read_list(array(member.value()), "category", coco_.categories, &CocoReader::read_category);
        if (coco_.categories.size() > budget::classes)
          throw Error("{}: got {} categories, expected at most {}; give a set with fewer classes", name_,
                      coco_.categories.size(), budget::classes);
      }
    }
    require_end();
    const char* missing = !images        ? "images"
                          : !annotations ? "annotations"
                          : !categories  ? "categories"
                                         : nullptr;
    if (missing)
      throw Error(
          "{}: the list \"{}\" is missing; give a COCO instances file (images, annotations, categories)",
          name_, missing);
  }

  void require_end() {
    const char* rest = nullptr;
    if (document_.current_location().get(rest) != simdjson::OUT_OF_BOUNDS)
      fail_at(rest, "more text after the end of the JSON");
  }

  template <typename Item>
  void read_list(ondemand::array list, const char* what, std::vector<Item>& items,
                 void (CocoReader::*read_item)(ondemand::object, Item&)) {
    what_ = what;
    index_ = 0;
    field_ = {};
    items.clear();
    if (std::is_same_v<Item, CocoCategory>) supercategories_.clear();
    for (ondemand::value element : list) {
      item_ = element.raw_json_token().data();
      Item& item = items.emplace_back();
      try {
        ondemand::object object;
        if (element.get_object().get(object)) mistyped(element.raw_json_token(), "an object");
        (this->*read_item)(object, item);
      } catch (const Error& error) {
        // The list goes on behind the item, wherever in it the reading stopped.
        if (!leave_out_ || std::is_same_v<Item, CocoCategory>) throw;
        leave_out(item, error.what());
        items.pop_back();
      }
      ++index_;
      field_ = {};
    }
    what_ = nullptr;
  }

  template <typename Item>
  void leave_out(const Item& item, std::string reason) {
    reason.erase(0, name_.size() + 2);  // the file's name
    if (item.id != 0) reason += fmt::format(" (its id is {})", item.id);
    using What = CocoLeftOut::What;
    coco_.left_out.push_back(
        {std::is_same_v<Item, CocoImage> ? What::image : What::annotation, std::move(reason)});
  }

  void leave_out_root() {
    std::vector<CocoCategory>& categories = coco_.categories;
    if (categories.size() < 2) return;
    for (std::size_t root = 0; root < categories.size(); ++root) {
      const auto is_below = [&](std::size_t i) {
        return i == root || supercategories_[i] == categories[root].name;
      };
      const auto is_used = [&](const CocoAnnotation& one) { return one.category_id == categories[root].id; };
      bool is_root = true;
      for (std::size_t i = 0; i < categories.size(); ++i) is_root = is_root && is_below(i);
      if (!is_root || std::ranges::any_of(coco_.annotations, is_used)) continue;
      coco_.left_out.push_back({CocoLeftOut::What::root_category,
                                fmt::format("category {} ({}) is the supercategory of all others and has no "
                                            "boxes: it is no class",
                                            categories[root].id, categories[root].name)});
      categories.erase(categories.begin() + static_cast<std::ptrdiff_t>(root));
      return;
    }
  }

  void read_image(ondemand::object object, CocoImage& image) {
    unsigned seen = 0;
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", seen |= 1u, image.id = integer(member.value());
      } else if (ids_only_) {
        continue;
      } else if (key == "file_name") {
        field_ = "file_name", seen |= 2u, image.file_name = string(member.value());
      } else if (key == "coco_url" && !(seen & 2u)) {
        ondemand::value url = member.value();
        if (url.type() == ondemand::json_type::string) image.file_name = name_in_address(string(url));
      } else if (key == "width") {
        field_ = "width", image.width = extent(member.value());
      } else if (key == "height") {
        field_ = "height", image.height = extent(member.value());
      }
    }
    if (!image.file_name.empty()) seen |= 2u;
    if (ids_only_)
      require(seen, {"id"});
    else
      require(seen, {"id", "file_name"});
  }

  void read_annotation(ondemand::object object, CocoAnnotation& annotation) {
    unsigned seen = 0;
    bool has_area = false;
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", seen |= 1u, annotation.id = integer(member.value());
      } else if (key == "image_id") {
        field_ = "image_id", seen |= 2u, annotation.image_id = integer(member.value());
      } else if (key == "category_id") {
        field_ = "category_id", seen |= 4u, annotation.category_id = integer(member.value());
      } else if (key == "bbox") {
        field_ = "bbox", seen |= 8u, read_bbox(member.value(), annotation.bbox);
      } else if (key == "area") {
        field_ = "area", annotation.area = real_or_null(member.value(), has_area);
      } else if (key == "iscrowd") {
        field_ = "iscrowd", annotation.iscrowd = flag(member.value());
      } else if (key == "ignore") {
        field_ = "ignore", annotation.ignore = flag(member.value());
      }
    }
    require(seen, {"id", "image_id", "category_id", "bbox"});
    if (!has_area) annotation.area = annotation.bbox[2] * annotation.bbox[3];
    if (!std::isfinite(annotation.area)) fail_at(item_, "the area of the bbox is too large a number");
  }

  void read_category(ondemand::object object, CocoCategory& category) {
    unsigned seen = 0;
    std::string& supercategory = supercategories_.emplace_back();
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", seen |= 1u, category.id = integer(member.value());
      } else if (key == "supercategory") {
        ondemand::value name = member.value();
        if (name.type() == ondemand::json_type::string) supercategory = string(name);
      } else if (key == "name") {
        ondemand::value name = member.value();
        if (ids_only_ && name.type() != ondemand::json_type::string) continue;
        field_ = "name", seen |= 2u;
        category.name = name.type() == ondemand::json_type::number ? json_value_text(name.raw_json_token())
                                                                   : string(name);
      }
    }
    if (ids_only_ && seen == 1u) {
      category.name = fmt::to_string(category.id);
      seen |= 2u;
    }
    require(seen, {"id", "name"});
  }

  void read_bbox(ondemand::value value, std::array<double, 4>& bbox) {
    std::size_t count = 0;
    for (ondemand::value element : array(value)) {
      const double number = real(element);
      if (count < 4) bbox[count] = number;
      ++count;
    }
    if (count != 4)
      fail_at(item_, fmt::format("got {} numbers, expected 4 (left, top, width, height)", count));
  }

  // A value that is of another kind than `expected`.
  [[noreturn]] void mistyped(std::string_view token, std::string_view expected) const {
    fail_at(token.data(), fmt::format("got {}, expected {}", json_value_text(token), expected));
  }

  ondemand::array array(ondemand::value value) const {
    const std::string_view token = value.raw_json_token();
    ondemand::array list;
    if (value.get_array().get(list)) mistyped(token, "a list");
    return list;
  }

  std::string string(ondemand::value value) const {
    const std::string_view token = value.raw_json_token();
    std::string_view text;
    if (value.get_string().get(text)) mistyped(token, "a text");
    return std::string(text);
  }

  double real(ondemand::value value, std::string_view expected = "a number") const {
    const std::string_view token = value.raw_json_token();
    double number = 0;
    if (value.get_double().get(number) == simdjson::SUCCESS)
      number = exact_double(token, number);
    else if (!number_of_text(value, number))
      mistyped(token, expected);
    if (!std::isfinite(number)) fail_at(token.data(), "the number is too large");
    return number;
  }

  // "2.5", as some writers have it.
  static bool number_of_text(ondemand::value value, double& number) {
    std::string_view text;
    if (value.get_string().get(text)) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }

  std::int64_t integer(ondemand::value value) const {
    std::int64_t whole = 0;
    if (value.get_int64().get(whole) == simdjson::SUCCESS) return whole;
    // simdjson 3.0's get_number() reads 0 of more than 19 digits.
    const double real = this->real(value, "a whole number");
    constexpr double limit = 9007199254740992.0;  // 2^53: beyond it a double is no longer exact
    if (real != std::trunc(real) || std::abs(real) > limit)
      fail_at(item_, fmt::format("got {}, expected a whole number", real));
    return static_cast<std::int64_t>(real);
  }

  int extent(ondemand::value value) const {
    if (value.is_null()) return 0;
    const std::int64_t pixels = integer(value);
    if (pixels < 0 || pixels > std::numeric_limits<int>::max())
      fail_at(item_, fmt::format("got {} pixels, expected 1 or more", pixels));
    return static_cast<int>(pixels);
  }

  double real_or_null(ondemand::value value, bool& present) const {
    present = !value.is_null();
    return present ? real(value) : 0.0;
  }

  bool flag(ondemand::value value) const {
    if (value.is_null()) return false;
    if (value.type() == ondemand::json_type::boolean) return value.get_bool();
    const double number = real(value);
    // pycocotools takes 0.5 half as a crowd: passed over, but not for the overlap.
    if (number != std::trunc(number)) fail_at(item_, fmt::format("got {}, expected 0 or 1", number));
    return number != 0.0;
  }

  void require(unsigned seen, std::initializer_list<const char*> fields) {
    unsigned bit = 1;
    for (const char* field : fields) {
      if (!(seen & bit)) {
        field_ = {};
        fail_at(item_, fmt::format("has no \"{}\"", field));
      }
      bit <<= 1;
    }
  }

  // `location` points into the text.
  [[noreturn]] void fail_at(const char* location, std::string_view problem) const {
    std::string where(name_);
    const char* begin = text_.data();
    if (location >= begin && location <= begin + text_.size())
      where += ": " + position_text(text_, static_cast<std::size_t>(location - begin));
    if (what_) where += fmt::format(": {} {}", what_, index_);
    if (!field_.empty()) where += fmt::format(": {}", field_);
    throw Error("{}{} {}", where, what_ && field_.empty() ? "" : ":", problem);
  }

  std::string_view text_;              // the whole file, which messages count from
  simdjson::padded_string_view json_;  // the same without a byte order mark
  std::string_view name_;
  bool ids_only_;
  bool leave_out_;
  std::vector<std::string> supercategories_;  // of the categories
  ondemand::parser parser_;
  ondemand::document document_;
  CocoFile coco_;
  const char* what_ = nullptr;  // the kind of item being read
  std::size_t index_ = 0;       // its place in its list
  std::string_view field_;      // the field being read
  const char* item_ = nullptr;  // where the item begins
};

}  // namespace

CocoFile read_whole_coco(const std::filesystem::path& file, const CocoReadOptions& options) {
  std::string json = decode_wide_text(read_text_file(file), file.string());
  json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
  const simdjson::padded_string_view view(json.data(), json.size(), json.capacity());
  return CocoReader(view, file.string(), options).read();
}

std::optional<std::vector<CocoAnnotation>> parse_annotations(std::string_view list,
                                                             const CocoReadOptions& options) {
  const simdjson::padded_string json(list);
  try {
    return CocoReader(json, "", {.fields = options.fields, .faults = CocoReadOptions::Faults::refuse})
        .read_annotations();
  } catch (const simdjson::simdjson_error&) {
  } catch (const Error&) {
  }
  return {};
}

CocoFile parse_coco(std::string_view text, std::string_view name, const CocoReadOptions& options) {
  const simdjson::padded_string json(text);
  return CocoReader(json, name, options).read();
}

}  // namespace ssd
