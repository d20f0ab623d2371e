#include "data/dataset/coco_settle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ssd {
namespace {

const std::string& name_of(const CocoImage& image) { return image.file_name; }
const std::string& name_of(const CocoCategory& category) { return category.name; }

struct Kind {
  std::string_view name, boxes;
  CocoLeftOut::What left_out;
  CocoMended::What mended;
};

template <typename Item>
void keep_one_of_each(std::vector<Item>& items, const Kind& kind, CocoFile& coco) {
  std::unordered_map<std::int64_t, std::size_t> places;
  places.reserve(items.size());
  std::vector<Item> kept;
  kept.reserve(items.size());
  for (Item& item : items) {
    const auto [place, fresh] = places.emplace(item.id, kept.size());
    if (fresh) {
      kept.push_back(std::move(item));
      continue;
    }
    Item& before = kept[place->second];
    if (name_of(before) == name_of(item))
      coco.mended.push_back({kind.mended, fmt::format("{} {} ({}) is listed again", kind.name,
                                                      written_id(item), name_of(item))});
    else
      coco.left_out.push_back(
          {kind.left_out,
           fmt::format("{} {} ({}): its id occurs again further on ({}), which is taken, as by "
                       "pycocotools, with {}",
                       kind.name, written_id(before), name_of(before), name_of(item), kind.boxes)});
    before = std::move(item);
  }
  items = std::move(kept);
}

}  // namespace

void forget_listed_ids(CocoFile& coco) {
  if (coco.unlisted_ids.empty()) return;
  for (const CocoImage& image : coco.images) coco.unlisted_ids.erase(image.id);
  for (const CocoCategory& category : coco.categories) coco.unlisted_ids.erase(category.id);
}

void number_annotations(CocoFile& coco) {
  const auto is_unnumbered = [](const CocoAnnotation& one) { return one.id == unnumbered; };
  if (std::ranges::none_of(coco.annotations, is_unnumbered)) return;
  std::unordered_set<std::int64_t> used;
  for (const CocoAnnotation& one : coco.annotations) used.insert(one.id);
  std::int64_t next = 1;
  for (CocoAnnotation& one : coco.annotations) {
    if (one.id != unnumbered) continue;
    while (used.contains(next)) ++next;
    one.id = next++;
  }
}

void leave_out_root(std::span<const std::string> supercategories, CocoFile& coco) {
  std::vector<CocoCategory>& categories = coco.categories;
  if (categories.size() < 2) return;
  for (std::size_t root = 0; root < categories.size(); ++root) {
    const auto is_below = [&](std::size_t i) {
      return i == root || supercategories[i] == categories[root].name;
    };
    const auto is_used = [&](const CocoAnnotation& one) { return one.category_id == categories[root].id; };
    bool is_root = true;
    for (std::size_t i = 0; i < categories.size(); ++i) is_root = is_root && is_below(i);
    if (!is_root || std::ranges::any_of(coco.annotations, is_used)) continue;
    coco.left_out.push_back({CocoLeftOut::What::root_category,
                             fmt::format("category {} ({}) is the supercategory of all others and has no "
                                         "boxes: it is no class",
                                         written_id(categories[root]), categories[root].name)});
    categories.erase(categories.begin() + static_cast<std::ptrdiff_t>(root));
    return;
  }
}

void settle_ids(CocoFile& coco) {
  keep_one_of_each(
      coco.images,
      {"image", "the boxes of both", CocoLeftOut::What::image_of_same_id, CocoMended::What::image_repeated},
      coco);
  keep_one_of_each(coco.categories,
                   {"category", "the boxes of both", CocoLeftOut::What::category_of_same_id,
                    CocoMended::What::category_repeated},
                   coco);
}

}  // namespace ssd
