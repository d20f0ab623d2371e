#include "data/dataset/coco_text.h"

#include <cstddef>

#include "data/dataset/coco.h"

namespace ssd {

bool has_text_id(const CocoImage& image) {
  return image.id_text.find_first_not_of("-.0123456789") != std::string::npos;
}

std::string name_in_address(std::string_view address) {
  const std::size_t file = address.rfind('/');
  if (file == std::string_view::npos || file == 0) return std::string(address);
  const std::size_t folder = address.rfind('/', file - 1);
  return std::string(address.substr(folder == std::string_view::npos ? 0 : folder + 1));
}

}  // namespace ssd
