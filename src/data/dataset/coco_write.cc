#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <string>
#include <unordered_map>

#include "base/encoding.h"
#include "base/utf8.h"
#include "data/dataset/coco.h"

namespace ssd {
namespace {

// A name that is no UTF-8 would make the whole file unreadable.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : to_utf8(text)) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out += '"';
}

// As Python writes and reads them where JSON has no words.
std::string json_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return fmt::to_string(number);
}

// Ids of images or categories as their file writes them.
class Ids {
 public:
  template <typename Item>
  Ids(const std::vector<Item>& items, const CocoFile& coco) {
    for (const Item& item : items)
      if (!item.id_text.empty()) texts_.emplace(item.id, json_string(item.id_text));
    for (const auto& one : coco.unlisted_ids) texts_.emplace(one.first, json_string(one.second));
  }

  std::string json_of(std::int64_t id) const {
    const auto text = texts_.find(id);
    return text == texts_.end() ? fmt::to_string(id) : text->second;
  }

 private:
  std::unordered_map<std::int64_t, std::string> texts_;
};

}  // namespace

std::string write_coco(const CocoFile& coco) {
  const Ids images(coco.images, coco), categories(coco.categories, coco);
  std::string out = "{\"images\":[";
  const auto separate = [&out](std::size_t index) {
    if (index) out += ',';
  };
  for (std::size_t i = 0; i < coco.images.size(); ++i) {
    const CocoImage& image = coco.images[i];
    separate(i);
    fmt::format_to(std::back_inserter(out), "{{\"id\":{},\"file_name\":{},\"width\":{},\"height\":{}}}",
                   images.json_of(image.id), json_string(image.file_name), image.width, image.height);
  }
  out += "],\"annotations\":[";
  for (std::size_t i = 0; i < coco.annotations.size(); ++i) {
    const CocoAnnotation& a = coco.annotations[i];
    separate(i);
    fmt::format_to(
        std::back_inserter(out),
        "{{\"id\":{},\"image_id\":{},\"category_id\":{},\"bbox\":[{},{},{},{}],\"area\":{},\"iscrowd\":{},"
        "\"ignore\":{}}}",
        a.id, images.json_of(a.image_id), categories.json_of(a.category_id), a.bbox[0], a.bbox[1], a.bbox[2],
        a.bbox[3], json_number(a.area), static_cast<int>(a.iscrowd), static_cast<int>(a.ignore));
  }
  out += "],\"categories\":[";
  for (std::size_t i = 0; i < coco.categories.size(); ++i) {
    separate(i);
    fmt::format_to(std::back_inserter(out), "{{\"id\":{},\"name\":{}}}",
                   categories.json_of(coco.categories[i].id), json_string(coco.categories[i].name));
  }
  return out += "]}";
}

}  // namespace ssd
