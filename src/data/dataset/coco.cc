#include "data/dataset/coco.h"

#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

#include "base/budgets.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/json_syntax.h"
#include "base/json_text.h"
#include "base/text_file.h"
#include "base/text_id.h"
#include "base/utf8.h"
#include "data/dataset/coco_file.h"
#include "data/dataset/coco_segmentation.h"
#include "data/dataset/coco_settle.h"
#include "data/dataset/coco_text.h"
#include "data/dataset/coco_values.h"

namespace ssd {
namespace {

namespace ondemand = simdjson::ondemand;

// Walks the document once.
class CocoReader : private CocoValues {
 public:
  CocoReader(simdjson::padded_string_view text, std::string_view name, const CocoReadOptions& options)
      : CocoValues(text, name),
        json_(text_.substr(byte_order_mark(text_)), text.capacity() - byte_order_mark(text_)),
        ids_only_(options.fields == CocoReadOptions::Fields::ids),
        leave_out_(options.faults == CocoReadOptions::Faults::leave_out) {}

  CocoFile read() {
    if (const auto other = other_than_json(text_); !other.empty()) throw Error("{}: {}", name_, other);
    try {
      if (const auto error = parser_.iterate(json_).get(document_))
        refuse_json(json_.data() + json_fault(json_), simdjson::error_message(error));
      read_document();
    } catch (const simdjson::simdjson_error& error) {
      const char* location = nullptr;
      // Past the last token there is no location: the text ended too early. Of a list or an object that never
      // ends simdjson tells the beginning.
      if (error.error() == simdjson::INCOMPLETE_ARRAY_OR_OBJECT || document_.current_location().get(location))
        location = json_.data() + json_.size();
      refuse_json(location, error.what());
    }
    forget_listed_ids(coco_);
    number_annotations(coco_);
    if (!ids_only_) leave_out_root(supercategories_, coco_);
    return std::move(coco_);
  }

  // Of a text that is nothing but a list of annotations. Throws simdjson's errors too.
  std::vector<CocoAnnotation> read_annotations() {
    document_ = parser_.iterate(json_);
    read_list(document_.get_array(), "annotation", coco_.annotations, &CocoReader::read_annotation);
    require_end();
    if (!coco_.mended.empty())
      throw Error("{}: one was mended, which is told by its place in the file", name_);
    return std::move(coco_.annotations);
  }

 private:
  // The text is no JSON: simdjson knows less well why.
  [[noreturn]] void refuse_json(const char* location, const char* problem) {
    const auto fault = find_json_syntax_fault(json_);
    if (!fault) fail_at(location, problem);
    what_ = nullptr, field_ = {};
    fail_at(json_.data() + fault->byte, fault->problem);
  }

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
        images = true, field_ = "images";
        read_list(array(member.value()), "image", coco_.images, &CocoReader::read_image);
      } else if (key == "annotations") {
        annotations = true, field_ = "annotations";
        read_list(array(member.value()), "annotation", coco_.annotations, &CocoReader::read_annotation);
      } else if (key == "categories") {
        categories = true, field_ = "categories";
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
    forget<Item>();  // of two lists the last one counts
    items.clear();
    if (std::is_same_v<Item, CocoCategory>) supercategories_.clear();
    for (ondemand::value element : list) {
      item_ = element.raw_json_token().data();
      id_ = {};
      Item& item = items.emplace_back();
      const std::size_t mended = coco_.mended.size();
      try {
        ondemand::object object;
        if (element.get_object().get(object)) mistyped(element.raw_json_token(), "an object");
        (this->*read_item)(object, item);
      } catch (const Error& error) {
        // The list goes on behind the item, wherever in it the reading stopped.
        if (!leave_out_) throw;
        leave_out<Item>(error.what());
        items.pop_back();
        coco_.mended.resize(mended);
        if (std::is_same_v<Item, CocoCategory>) supercategories_.resize(items.size());
      }
      ++index_;
      field_ = {};
    }
    what_ = nullptr;
  }

  template <typename Item>
  static constexpr CocoLeftOut::What kind() {
    return std::is_same_v<Item, CocoImage>      ? CocoLeftOut::What::image
           : std::is_same_v<Item, CocoCategory> ? CocoLeftOut::What::category
                                                : CocoLeftOut::What::annotation;
  }

  // What was told of a list of such items.
  template <typename Item>
  void forget() {
    std::erase_if(coco_.left_out, [](const CocoLeftOut& one) { return one.what == kind<Item>(); });
    std::erase_if(coco_.mended, [](const CocoMended& one) {
      const bool of_category = one.what == CocoMended::What::category_named;
      return of_category ? kind<Item>() == CocoLeftOut::What::category
                         : kind<Item>() == CocoLeftOut::What::annotation;
    });
  }

  template <typename Item>
  void leave_out(std::string reason) {
    reason.erase(0, name_.size() + 2);  // the file's name
    if (!id_.empty()) reason += fmt::format(" (its id is {})", json_value_text(id_));
    coco_.left_out.push_back({kind<Item>(), std::move(reason)});
  }

  void read_image(ondemand::object object, CocoImage& image) {
    unsigned seen = 0;
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", seen |= 1u, image.id = identifier(keep_id(member.value()), &image.id_text);
      } else if (ids_only_) {
        continue;
      } else if (key == "file_name") {
        field_ = "file_name", seen |= 2u, image.file_name = string(member.value());
      } else if (key == "coco_url" && !(seen & 2u)) {
        ondemand::value url = member.value();
        if (url.type() == ondemand::json_type::string) image.file_name = name_in_address(string(url));
      } else if (key == "width") {
        field_ = "width", image.width = extent_or_none(member.value());
      } else if (key == "height") {
        field_ = "height", image.height = extent_or_none(member.value());
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
    bool has_id = false;
    std::optional<double> own_area;
    std::string_view no_bbox, segmentation;  // null or an empty list; the text of the field
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", annotation.id = identifier_or_null(keep_id(member.value()), has_id);
      } else if (key == "image_id") {
        field_ = "image_id", seen |= 1u, annotation.image_id = reference(member.value());
      } else if (key == "category_id") {
        field_ = "category_id", seen |= 2u, annotation.category_id = reference(member.value());
      } else if (key == "bbox") {
        field_ = "bbox", seen |= 4u, no_bbox = read_bbox(member.value(), annotation.bbox);
      } else if (key == "segmentation") {
        segmentation = text_of(member.value());
      } else if (key == "area") {
        field_ = "area", own_area = area_or_none(member.value());
      } else if (key == "iscrowd") {
        field_ = "iscrowd", annotation.iscrowd = flag(member.value());
      } else if (key == "ignore") {
        field_ = "ignore", annotation.ignore = flag(member.value());
      }
    }
    if (!(seen & 4u) || !no_bbox.empty()) seen |= settle_bbox(annotation, no_bbox, segmentation) ? 4u : 0u;
    require(seen, {"image_id", "category_id", "bbox"});
    if (!has_id) {
      annotation.id = unnumbered;
      note(CocoMended::What::annotation_numbered, "has no id: it gets one");
    }
    annotation.area = own_area.value_or(annotation.bbox[2] * annotation.bbox[3]);
    if (!own_area && !std::isfinite(annotation.area))
      fail_at(item_, "the area of the bbox is too large a number");
  }

  // The bbox of an annotation that has none, or one that is empty; false where there is nothing to take it
  // of.
  bool settle_bbox(CocoAnnotation& annotation, std::string_view no_bbox, std::string_view segmentation) {
    if (const auto box = box_of_segmentation(segmentation)) {
      annotation.bbox = *box;
      note(CocoMended::What::box_of_segmentation,
           fmt::format("has no bbox: [{}] of its segmentation is taken", fmt::join(*box, ", ")));
      return true;
    }
    if (no_bbox.empty()) return false;
    field_ = "bbox";
    if (!no_bbox.starts_with('[')) mistyped(no_bbox, "a list");
    fail_at(item_, "got 0 numbers, expected 4 (left, top, width, height)");
  }

  void read_category(ondemand::object object, CocoCategory& category) {
    unsigned seen = 0;
    std::string& supercategory = supercategories_.emplace_back();
    for (auto member : object) {
      const ondemand::raw_json_string key = member.key();
      if (key == "id") {
        field_ = "id", seen |= 1u, category.id = identifier(keep_id(member.value()), &category.id_text);
      } else if (key == "supercategory") {
        ondemand::value name = member.value();
        if (name.type() == ondemand::json_type::string) supercategory = string(name);
      } else if (key == "name") {
        ondemand::value name = member.value();
        if (name.type() == ondemand::json_type::number)
          seen |= 2u, category.name = json_value_text(name.raw_json_token());
        else if (name.type() == ondemand::json_type::string)
          seen |= 2u, category.name = string(name);
      }
    }
    require(seen, {"id"});
    if ((seen & 2u) && (ids_only_ || !category.name.empty())) return;
    category.name = written_id(category);
    if (!ids_only_)
      note(CocoMended::What::category_named, fmt::format("has no name: it is called \"{}\"", category.name));
  }

  // Empty, or the text of a value that stands for no box: null, [].
  std::string_view read_bbox(ondemand::value value, std::array<double, 4>& bbox) {
    const std::string_view token = value.raw_json_token();
    if (value.is_null()) return token;
    std::size_t count = 0;
    for (ondemand::value element : array(value)) {
      const double number = real(element);
      if (count < 4) bbox[count] = number;
      ++count;
    }
    if (count == 0) return token;
    if (count != 4)
      fail_at(item_, fmt::format("got {} numbers, expected 4 (left, top, width, height)", count));
    return {};
  }

  // To an image or a category.
  std::int64_t reference(ondemand::value value) {
    std::string text;
    const std::int64_t id = identifier(value, &text);
    if (is_id_of_text(id)) coco_.unlisted_ids.emplace(id, std::move(text));
    return id;
  }

  ondemand::value keep_id(ondemand::value value) {
    id_ = value.raw_json_token();
    return value;
  }

  // 0 where it makes no sense: the image's file says it as well.
  int extent_or_none(ondemand::value value) const {
    try {
      return extent(value);
    } catch (const Error&) {
      if (!leave_out_) throw;
      return 0;
    }
  }

  // An area that makes no sense costs no box: the bbox has one.
  std::optional<double> area_or_none(ondemand::value value) {
    try {
      return area(value);
    } catch (const Error& error) {
      if (!leave_out_) throw;
      coco_.mended.push_back(
          {CocoMended::What::area_of_box, std::string(error.what()).substr(name_.size() + 2)});
      return std::nullopt;
    }
  }

  // Of a list or an object, which is passed over; empty for another value.
  static std::string_view text_of(ondemand::value value) {
    const std::string_view token = value.raw_json_token();
    if (token.starts_with('[')) return ondemand::array(value.get_array()).raw_json();
    if (token.starts_with('{')) return ondemand::object(value.get_object()).raw_json();
    return {};
  }

  // Something of the item being read is mended.
  void note(CocoMended::What what, std::string_view text) {
    coco_.mended.push_back(
        {what,
         fmt::format("{}: {} {} {}", position_text(text_, static_cast<std::size_t>(item_ - text_.data())),
                     what_, index_, text)});
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

  simdjson::padded_string_view json_;  // the text without a byte order mark
  bool ids_only_;
  bool leave_out_;
  std::vector<std::string> supercategories_;  // of the categories
  std::string_view id_;                       // of the item being read, as it is written
  ondemand::parser parser_;
  ondemand::document document_;
  CocoFile coco_;
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
