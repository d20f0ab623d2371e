#include "data/dataset/coco_text.h"

#include <fmt/format.h>

#include <cstddef>

#include "data/dataset/coco.h"

namespace ssd {

namespace {

bool is_text(const std::string& id) { return id.find_first_not_of("-.0123456789") != std::string::npos; }

std::string written(std::int64_t id, const std::string& text) {
  return text.empty() ? fmt::to_string(id) : text;
}

}  // namespace

bool has_text_id(const CocoImage& image) { return is_text(image.id_text); }
bool has_text_id(const CocoCategory& category) { return is_text(category.id_text); }
std::string written_id(const CocoImage& image) { return written(image.id, image.id_text); }
std::string written_id(const CocoCategory& category) { return written(category.id, category.id_text); }

std::string unlisted_id(const CocoFile& coco, std::int64_t id) {
  const auto text = coco.unlisted_ids.find(id);
  return text == coco.unlisted_ids.end() ? fmt::to_string(id) : "\"" + text->second + "\"";
}

std::string name_in_address(std::string_view address) {
  const std::size_t file = address.rfind('/');
  if (file == std::string_view::npos || file == 0) return std::string(address);
  const std::size_t folder = address.rfind('/', file - 1);
  return std::string(address.substr(folder == std::string_view::npos ? 0 : folder + 1));
}

}  // namespace ssd
