#include "data/layouts/foreign_set.h"

#include <unordered_map>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "base/utf8.h"
#include "data/dataset/class_names.h"

namespace ssd {
namespace {

// Category ids by the names that boxes have, and the list of categories.
class Categories {
 public:
  explicit Categories(const std::vector<std::string>& classes) {
    for (const std::string& name : classes) {
      const auto id = static_cast<std::int64_t>(list.size()) + 1;
      if (!ids_.emplace(name, id).second)
        throw Error("classes: got \"{}\" twice, expected every name once; rename one of the two", name);
      list.push_back({id, to_utf8(name)});
    }
  }

  std::int64_t id_of(const std::string& name, const ForeignImage& image) const {
    const auto found = ids_.find(name);
    if (found == ids_.end())
      throw Error("{}: got a box of class \"{}\", expected one of the {} classes given; add it to the list",
                  image.name, name, ids_.size());
    return found->second;
  }

  std::vector<CocoCategory> list;

 private:
  std::unordered_map<std::string, std::int64_t> ids_;
};

}  // namespace

void refuse_faults(const ForeignNotes& notes, const ForeignOptions& options,
                   const std::filesystem::path& source) {
  if (options.faults == ForeignOptions::Faults::leave_out) return;
  for (const auto& [what, places] : notes)
    if (is_fault(what))
      throw Error("{}: --strict stops at {}: {}{}", source.string(), counted(places.size(), describe(what)),
                  places.front(), places.size() > 1 ? ", ..." : "");
}

void note_classes_alike(ForeignSet& set) {
  for (std::string& pair : names_alike(Categories(set.classes).list))
    set.notes.add(ForeignNote::classes_alike, std::move(pair));
}

void note_boxes_over_edge(const ForeignImage& image, const std::string& place, ForeignNotes& notes) {
  for (const ForeignBox& box : image.boxes) {
    const auto& [left, top, width, height] = box.bbox;
    const bool over =
        left < -1 || top < -1 || left + width > image.width + 1 || top + height > image.height + 1;
    if (over) notes.add(ForeignNote::box_over_edge, place);
  }
}

ForeignCoco to_coco(const ForeignSet& set, const std::vector<std::string>& names) {
  const Categories categories(set.classes);
  ForeignCoco both;
  both.train.categories = both.val.categories = categories.list;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    const ForeignImage& image = set.images[i];
    if (image.split == ForeignSplit::none) continue;
    CocoFile& coco = image.split == ForeignSplit::train ? both.train : both.val;
    const auto id = static_cast<std::int64_t>(i) + 1;
    coco.images.push_back({id, names[i], image.width, image.height});
    for (const ForeignBox& box : image.boxes)
      coco.annotations.push_back({.id = 0,
                                  .image_id = id,
                                  .category_id = categories.id_of(box.category, image),
                                  .bbox = box.bbox,
                                  .area = box.bbox[2] * box.bbox[3]});
  }
  std::int64_t id = 0;
  for (CocoFile* coco : {&both.train, &both.val})
    for (CocoAnnotation& annotation : coco->annotations) annotation.id = ++id;
  return both;
}

ForeignCoco to_coco(const ForeignSet& set) {
  std::vector<std::string> names;
  names.reserve(set.images.size());
  for (const ForeignImage& image : set.images) names.push_back(image.name);
  return to_coco(set, names);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace ssd
