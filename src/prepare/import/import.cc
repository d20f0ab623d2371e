#include "prepare/import/import.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "base/one_line.h"
#include "base/utf8.h"
#include "data/dataset/coco.h"
#include "data/layouts/cvat.h"
#include "data/layouts/data_folder.h"
#include "data/layouts/yolo.h"
#include "image/format.h"
#include "storage/atomic_file.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t places_shown = 5;

const char* name_of(ForeignSplit split) { return split == ForeignSplit::train ? "train2017" : "val2017"; }

fs::path annotation_file(const fs::path& folder, ForeignSplit split) {
  return folder / "annotations" / fmt::format("instances_{}.json", name_of(split));
}

// There from before the first annotation file is written until after the last: an import that was ended
// between them can be made again.
fs::path unfinished_mark(const fs::path& folder) { return folder / "annotations" / ".unfinished-import"; }

void make_split_folder(const fs::path& folder, ForeignSplit split) {
  fs::create_directories(folder / name_of(split));
  remove_leftovers_in(folder / name_of(split));
}

// JSON holds UTF-8 only; older systems wrote Latin-1.
std::string utf8_name(const std::string& name, ForeignNotes& notes) {
  std::string whole = to_utf8(name);
  if (whole != name) notes.add(ForeignNote::name_not_utf8, whole);
  return whole;
}

// Names in the COCO folder: the bare file name, or the path with underscores where two images share one.
std::vector<std::string> target_names(const std::vector<ForeignImage>& images, ForeignNotes& notes) {
  std::unordered_map<std::string, int> uses;
  for (const ForeignImage& image : images) ++uses[image.file.filename().string()];
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (const ForeignImage& image : images) {
    std::string name = image.file.filename().string();
    if (uses[name] > 1) {
      name = image.name;
      std::ranges::replace(name, '/', '_');
    }
    name = utf8_name(name, notes);
    while (!taken.insert(name).second) name = fmt::format("_{}", name);
    names.push_back(std::move(name));
  }
  return names;
}

void rename_images(ForeignCoco& coco, const ForeignSet& set, const std::vector<std::string>& names) {
  auto train = coco.train.images.begin(), val = coco.val.images.begin();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (set.images[i].split == ForeignSplit::none) continue;
    (set.images[i].split == ForeignSplit::train ? train++ : val++)->file_name = names[i];
  }
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  if (fs::equivalent(a, b)) return true;
  if (fs::file_size(a) != fs::file_size(b)) return false;
  std::ifstream left(a, std::ios::binary), right(b, std::ios::binary);
  using Bytes = std::istreambuf_iterator<char>;
  return left && right && std::equal(Bytes(left), Bytes(), Bytes(right), Bytes());
}

// A target that is there already is left alone: by an import that did not get to its end, or because the
// images lie there from the start.
void place_image(const fs::path& source, const fs::path& target, ImportReport& report) {
  const fs::path real = fs::canonical(source);
  if (fs::exists(fs::symlink_status(target))) {
    if (!fs::exists(target) || !same_bytes(real, target))
      throw Error("{}: is there already, expected no image but {}; give another folder or remove it",
                  target.string(), source.string());
    ++report.present;
    return;
  }
  std::error_code error;
  fs::create_hard_link(real, target, error);
  if (!error) {
    ++report.linked;
    return;
  }
  copy_file_atomically(real, target);  // the next import must not find half a file
  ++report.copied;
}

void count(const ForeignCoco& coco, ImportReport& report) {
  std::unordered_map<std::int64_t, std::size_t> places;
  for (const CocoCategory& category : coco.train.categories) {
    places.emplace(category.id, report.classes.size());
    report.classes.push_back({category.name, 0});
  }
  for (const auto& [file, split] : {std::pair{&coco.train, &report.train}, {&coco.val, &report.val}}) {
    *split = {file->images.size(), file->annotations.size()};
    for (const CocoAnnotation& one : file->annotations)
      if (const auto place = places.find(one.category_id); place != places.end())
        ++report.classes[place->second].boxes;
  }
}

// The first few places of a note.
std::span<const std::string> shown(const ForeignNotes::Places& places) {
  return std::span(places).first(std::min(places.size(), places_shown));
}

}  // namespace

std::string ImportReport::to_text() const {
  std::string text = fmt::format("train2017  {}, {}\nval2017    {}, {}\n", counted(train.images, "image[s]"),
                                 counted(train.boxes, "box[es]"), counted(val.images, "image[s]"),
                                 counted(val.boxes, "box[es]"));
  text += fmt::format("splits     {}\nimages     {} linked, {} copied, {} there already\nclasses    {}\n",
                      splits_from, linked, copied, present, classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i) {
    text += fmt::format("  {:>4}  {:<24} {:>9} {}\n", i + 1, printable(classes[i].name), classes[i].boxes,
                        in_number(classes[i].boxes, "box[es]"));
  }
  for (const auto& [what, places] : notes) {
    text += counted(places.size(), describe(what)) + ":";
    for (const std::string& place : shown(places)) text += ' ' + printable(place);
    text += places.size() > places_shown ? " ...\n" : "\n";
  }
  return text;
}

std::string ImportReport::to_json() const {
  nlohmann::ordered_json json = {{"train2017", {{"images", train.images}, {"boxes", train.boxes}}},
                                 {"val2017", {{"images", val.images}, {"boxes", val.boxes}}},
                                 {"splits_from", splits_from},
                                 {"linked", linked},
                                 {"present", present},
                                 {"copied", copied},
                                 {"classes", nlohmann::ordered_json::array()},
                                 {"notes", nlohmann::ordered_json::object()}};
  for (const Class& one : classes) json["classes"].push_back({{"name", one.name}, {"boxes", one.boxes}});
  for (const auto& [what, places] : notes)
    json["notes"][name_of(what)] = {{"count", places.size()}, {"places", shown(places)}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void check_import_target(const fs::path& folder, const fs::path& source) {
  if (std::error_code absent; !source.empty() && fs::equivalent(folder, source, absent))
    throw Error("{}: the target is the source, expected another folder; name a new one", folder.string());
  if (fs::exists(unfinished_mark(folder))) return;
  for (const ForeignSplit split : {ForeignSplit::train, ForeignSplit::val}) {
    const fs::path file = annotation_file(folder, split);
    if (fs::exists(file)) {
      throw Error(
          "{}: is there already, expected a folder without annotations; give another folder or remove it",
          file.string());
    }
  }
}

ImportReport write_coco_folder(ForeignSet set, const fs::path& folder) {
  ForeignCoco coco = to_coco(set);
  return write_coco_folder(std::move(set), std::move(coco), folder);
}

ImportReport write_coco_folder(ForeignSet set, ForeignCoco coco, const fs::path& folder) {
  check_import_target(folder);
  ImportReport report;
  report.splits_from = set.splits_from;
  const std::vector<std::string> names = target_names(set.images, set.notes);
  for (const std::string& name : set.classes)
    if (to_utf8(name) != name) set.notes.add(ForeignNote::name_not_utf8, to_utf8(name));
  rename_images(coco, set, names);
  count(coco, report);
  for (const ForeignImage& image : set.images)
    if (image.split == ForeignSplit::none) set.notes.add(ForeignNote::image_in_no_split, image.name);
  if (report.train.images + report.val.images == 0) {
    std::string reasons;
    for (const auto& [what, places] : set.notes)
      reasons += fmt::format("; {} ({})", counted(places.size(), describe(what)), places.front());
    throw Error("{}: got no image to import, expected {} files with annotations{}", folder.string(),
                image_format_names(), reasons);
  }
  if (report.train.images == 0) set.notes.add(ForeignNote::split_empty, name_of(ForeignSplit::train));
  fs::create_directories(folder / "annotations");
  for (const ForeignSplit split : {ForeignSplit::train, ForeignSplit::val}) make_split_folder(folder, split);
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    const ForeignImage& image = set.images[i];
    if (image.split != ForeignSplit::none)
      place_image(image.file, folder / name_of(image.split) / names[i], report);
  }
  write_file_atomically(unfinished_mark(folder), "");
  write_file_atomically(annotation_file(folder, ForeignSplit::train), write_coco(coco.train));
  write_file_atomically(annotation_file(folder, ForeignSplit::val), write_coco(coco.val));
  fs::remove(unfinished_mark(folder));
  report.notes = std::move(set.notes);
  return report;
}

ImportReport import_voc(const fs::path& source, const fs::path& target, VocOptions options) {
  check_import_target(target, source);
  options.common.except = target;
  return write_coco_folder(read_voc(source, options), target);
}

ImportReport import_yolo(const fs::path& source, const fs::path& target, ForeignOptions options) {
  check_import_target(target, source);
  if (fs::exists(source)) check_import_target(target, yolo_root(source));
  options.except = target;
  return write_coco_folder(read_yolo(source, options), target);
}

ImportReport import_cvat(const fs::path& source, const fs::path& target, ForeignOptions options) {
  check_import_target(target, source);
  options.except = target;
  return write_coco_folder(read_cvat(source, options), target);
}

ImportReport import_any(const fs::path& source, const fs::path& target, ForeignOptions options) {
  DataFolder folder(source);
  switch (folder.kind()) {
    case DataKind::yolo:
      return import_yolo(source, target, std::move(options));
    case DataKind::voc:
      return import_voc(source, target, {.pixels = {}, .difficult = {}, .common = std::move(options)});
    case DataKind::cvat:
      return import_cvat(source, target, std::move(options));
    case DataKind::coco:
      return import_coco(source, target, options);
    case DataKind::none:
      break;
  }
  throw Error("{}: holds no data set that is known (COCO, YOLO, Pascal VOC, CVAT); {}", source.string(),
              folder.seen());
}

}  // namespace ssd
