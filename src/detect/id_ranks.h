// Images or categories whose ids are texts, in the order in which COCO's evaluation takes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ssd {

// pycocotools goes through images and categories by rising id, through texts letter by letter: of detections
// with equal scores those of the earlier image count first, and sums over categories run in their order. A
// rank is a number that sorts as the id does in the file.
class IdRanks {
 public:
  // Of CocoImage or CocoCategory.
  template <typename Item>
  explicit IdRanks(const std::vector<Item>& items) {
    std::vector<WrittenId> ids;
    ids.reserve(items.size());
    for (const Item& item : items) ids.emplace_back(item.id_text, item.id);
    rank(std::move(ids));
  }

  bool needed() const { return !ranks_.empty(); }  // false where all ids are numbers, which are ranks
  // -1 of one that is not listed; the id itself where no ranks are needed.
  std::int64_t of(std::int64_t id) const;

 private:
  using WrittenId = std::pair<std::string_view, std::int64_t>;
  void rank(std::vector<WrittenId> ids);

  std::unordered_map<std::int64_t, std::int64_t> ranks_;
};

}  // namespace ssd
