// Images whose ids are texts, in the order in which COCO's evaluation takes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

// pycocotools goes through images by rising id, through texts letter by letter: of detections with equal
// scores those of the earlier image count first. A rank is a number that sorts as the id does in the file.
class ImageRanks {
 public:
  explicit ImageRanks(const std::vector<CocoImage>& images);

  bool needed() const { return !ranks_.empty(); }  // false where all ids are numbers, which are ranks
  // -1 of an image that is not listed.
  std::int64_t of(std::int64_t id) const;

 private:
  std::unordered_map<std::int64_t, std::int64_t> ranks_;
};

}  // namespace ssd
