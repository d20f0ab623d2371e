#include <fmt/format.h>

#include <span>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "data/dataset/class_names.h"
#include "data/layouts/data_folder.h"
#include "data/layouts/foreign_splits.h"
#include "prepare/import/import.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// What was wrong with a split.
void note(const DataSplit& read, ForeignNotes& notes) {
  for (const CocoLeftOut& one : read.split.coco.left_out) {
    using What = CocoLeftOut::What;
    if (one.what == What::root_category) continue;
    const bool repeated = one.what == What::image_of_same_id || one.what == What::category_of_same_id;
    notes.add(repeated ? ForeignNote::id_repeated : ForeignNote::object_unreadable,
              fmt::format("{}: {}", read.name, one.reason));
  }
  for (const CocoMended& one : read.split.coco.mended)
    if (one.what == CocoMended::What::box_of_segmentation)
      notes.add(ForeignNote::polygon_boxed, fmt::format("{}: {}", read.name, one.text));
  for (const std::string& pair : names_alike(read.split.coco.categories))
    notes.add(ForeignNote::classes_alike, fmt::format("{}: {}", read.name, pair));
  for (const std::string& file : read.split.located.missing)
    notes.add(ForeignNote::annotation_without_image, file);
}

// The images that are there, of both lists.
void take_images(DataSplit& read, ForeignSplit split, ForeignSet& set) {
  std::erase_if(read.split.coco.images, [&](const CocoImage& image) {
    const fs::path file = read.images / image.file_name;
    if (std::error_code missing; !fs::is_regular_file(file, missing)) return true;
    set.images.push_back({.file = file,
                          .name = image.file_name,
                          .width = image.width,
                          .height = image.height,
                          .split = split,
                          .boxes = {}});
    return false;
  });
}

// A file's images, which are `images`, and their annotations to the files of their splits.
void distribute(CocoFile& file, std::span<const ForeignImage> images, ForeignCoco& coco) {
  std::unordered_map<std::int64_t, CocoFile*> home;
  for (std::size_t i = 0; i < images.size(); ++i) {
    CocoFile& to = images[i].split == ForeignSplit::train ? coco.train : coco.val;
    if (to.images.empty()) to.categories = file.categories;
    home.emplace(file.images[i].id, &to);
    to.images.push_back(std::move(file.images[i]));
  }
  for (CocoAnnotation& one : file.annotations)
    if (const auto to = home.find(one.image_id); to != home.end()) to->second->annotations.push_back(one);
}

}  // namespace

ImportReport import_coco(const fs::path& source, const fs::path& target, const ForeignOptions& options) {
  check_import_target(target, source);
  if (!options.classes.empty())
    throw Error("--classes: got {} names, expected none: COCO annotations name their classes; leave it out",
                options.classes.size());
  DataFolder folder(source);
  if (folder.kind() != DataKind::coco)
    throw Error("{}: got no COCO annotations, expected a folder of images with some; {}", source.string(),
                folder.seen());
  ForeignSet set{.root = source, .images = {}, .classes = {}, .splits_from = folder.to_text(), .notes = {}};
  std::vector<std::pair<DataSplit, std::size_t>> splits;  // with how many images come before
  for (const DataPart part : {DataPart::train, DataPart::val}) {
    if (!folder.has(part)) continue;
    DataSplit& read = splits.emplace_back(folder.read(part), set.images.size()).first;
    note(read, set.notes);
    take_images(read, part == DataPart::train ? ForeignSplit::train : ForeignSplit::val, set);
  }
  if (splits.empty())
    throw Error("{}: {}; give a folder with one of them", source.string(), folder.to_text());
  refuse_faults(set.notes, options, source);
  if (!folder.has(DataPart::val)) set.splits_from += "; " + assign_share(set.images, options);
  ForeignCoco coco;
  for (auto& [read, first] : splits)
    distribute(read.split.coco, std::span(set.images).subspan(first, read.split.coco.images.size()), coco);
  if (coco.train.categories.empty()) coco.train.categories = coco.val.categories;
  if (coco.val.categories.empty()) coco.val.categories = coco.train.categories;
  return write_coco_folder(std::move(set), std::move(coco), target);
}

}  // namespace ssd
