#include "prepare/import/import.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/one_line.h"
#include "base/utf8.h"
#include "data/dataset/coco.h"
#include "image/format.h"
#include "storage/atomic_file.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t places_kept = 5;

const char* name_of(ImportSplit split) { return split == ImportSplit::train ? "train2017" : "val2017"; }

fs::path annotation_file(const fs::path& folder, ImportSplit split) {
  return folder / "annotations" / fmt::format("instances_{}.json", name_of(split));
}

// There from before the first annotation file is written until after the last: an import that was ended
// between them can be made again.
fs::path unfinished_mark(const fs::path& folder) { return folder / "annotations" / ".unfinished-import"; }

void make_split_folder(const fs::path& folder, ImportSplit split) {
  fs::create_directories(folder / name_of(split));
  remove_leftovers_in(folder / name_of(split));
}

// JSON holds UTF-8 only; older systems wrote Latin-1.
std::string utf8_name(const std::string& name, ImportReport& report) {
  std::string whole = to_utf8(name);
  if (whole != name) report.note(ImportNote::name_not_utf8, whole);
  return whole;
}

// Names in the COCO folder: the bare file name, or the path with underscores where two images share one.
std::vector<std::string> target_names(const std::vector<ImportedImage>& images, ImportReport& report) {
  std::unordered_map<std::string, int> uses;
  for (const ImportedImage& image : images) ++uses[image.file.filename().string()];
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (const ImportedImage& image : images) {
    std::string name = image.file.filename().string();
    if (uses[name] > 1) {
      name = image.name;
      std::ranges::replace(name, '/', '_');
    }
    name = utf8_name(name, report);
    while (!taken.insert(name).second) name = fmt::format("_{}", name);
    names.push_back(std::move(name));
  }
  return names;
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

// The annotations of both splits while they are put together.
class CocoBuilder {
 public:
  CocoBuilder(const std::vector<std::string>& classes, ImportReport& report) : report_(report) {
    for (const std::string& name : classes) {
      if (!ids_.emplace(name, static_cast<std::int64_t>(categories_.size()) + 1).second)
        throw Error("classes: got \"{}\" twice, expected every name once; rename one of the two", name);
      categories_.push_back({static_cast<std::int64_t>(categories_.size()) + 1, utf8_name(name, report)});
      report_.classes.push_back({categories_.back().name, 0});
    }
    train.categories = val.categories = categories_;
  }

  void add(const ImportedImage& image, const std::string& name, std::int64_t image_id) {
    CocoFile& coco = image.split == ImportSplit::train ? train : val;
    ImportReport::Split& counts = image.split == ImportSplit::train ? report_.train : report_.val;
    coco.images.push_back({image_id, name, image.width, image.height});
    ++counts.images;
    for (const ImportedBox& box : image.boxes) {
      const auto category = ids_.find(box.category);
      if (category == ids_.end()) {
        throw Error("{}: got a box of class \"{}\", expected one of the {} classes given; add it to the list",
                    image.name, box.category, ids_.size());
      }
      CocoAnnotation annotation;
      annotation.image_id = image_id;
      annotation.category_id = category->second;
      annotation.bbox = box.bbox;
      annotation.area = box.bbox[2] * box.bbox[3];
      coco.annotations.push_back(annotation);
      ++counts.boxes;
      ++report_.classes[static_cast<std::size_t>(category->second - 1)].boxes;
    }
  }

  void number_annotations() {
    std::int64_t id = 0;
    for (CocoFile* coco : {&train, &val}) {
      for (CocoAnnotation& annotation : coco->annotations) annotation.id = ++id;
    }
  }

  CocoFile train, val;

 private:
  ImportReport& report_;
  std::vector<CocoCategory> categories_;
  std::unordered_map<std::string, std::int64_t> ids_;
};

}  // namespace

std::string describe(ImportNote note) {
  switch (note) {
    case ImportNote::image_of_other_format:
      return fmt::format("images left out: not {} (convert them to use them)", image_format_names());
    case ImportNote::image_unreadable:
      return "images left out: the header is broken";
    case ImportNote::image_without_annotation:
      return "images without an annotation file";
    case ImportNote::image_in_no_split:
      return "images left out: in none of the lists or folders used";
    case ImportNote::image_in_both_splits:
      return "images named for training and for validation (taken for val2017 only)";
    case ImportNote::image_orientation_ambiguous:
      return "images whose EXIF orientation does not change their size (2 to 4, or square): their boxes "
             "are read on the image as stored (where they are wrong there, rotate the files; for JPEG, "
             "exiftran -ai)";
    case ImportNote::annotation_without_image:
      return "annotations left out: their image is not there";
    case ImportNote::listed_without_image:
      return "lines of lists that name no image";
    case ImportNote::not_an_annotation:
      return "xml files passed over: no VOC annotations";
    case ImportNote::annotation_unreadable:
      return "annotation files left out with their images: mend them or remove them";
    case ImportNote::name_not_utf8:
      return "names of classes or images that are not UTF-8 (taken as Latin-1)";
    case ImportNote::size_differs:
      return "annotations that state another size than their image has (the image's is taken)";
    case ImportNote::box_without_size:
      return "boxes left out: no width or no height";
    case ImportNote::box_difficult:
      return "boxes left out: marked difficult";
    case ImportNote::box_over_edge:
      return "boxes that reach over the image's edge (kept; training clips them)";
    case ImportNote::polygon_boxed:
      return "polygons turned into their bounding boxes";
    case ImportNote::path_unreadable:
      return "folders or links left out: they cannot be followed";
    case ImportNote::split_empty:
      return "splits without any image, so that there is nothing to train on";
  }
  return "";
}

void ImportReport::note(ImportNote what, std::string place) {
  ImportNotes& entry = notes[what];
  ++entry.count;
  if (entry.places.size() < places_kept) entry.places.push_back(std::move(place));
}

std::string ImportReport::to_text() const {
  std::string text = fmt::format("train2017  {} images, {} boxes\nval2017    {} images, {} boxes\n",
                                 train.images, train.boxes, val.images, val.boxes);
  text += fmt::format("splits     {}\nimages     {} linked, {} copied, {} there already\nclasses    {}\n",
                      splits_from, linked, copied, present, classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i) {
    text += fmt::format("  {:>4}  {:<24} {:>9} boxes\n", i + 1, printable(classes[i].name), classes[i].boxes);
  }
  for (const auto& [what, entry] : notes) {
    text += fmt::format("{} {}:", entry.count, describe(what));
    for (const std::string& place : entry.places) text += ' ' + printable(place);
    text += entry.count > entry.places.size() ? " ...\n" : "\n";
  }
  return text;
}

namespace {

const char* key_of(ImportNote note) {
  switch (note) {
    case ImportNote::image_of_other_format:
      return "image_of_other_format";
    case ImportNote::image_unreadable:
      return "image_unreadable";
    case ImportNote::image_without_annotation:
      return "image_without_annotation";
    case ImportNote::image_in_no_split:
      return "image_in_no_split";
    case ImportNote::image_in_both_splits:
      return "image_in_both_splits";
    case ImportNote::image_orientation_ambiguous:
      return "image_orientation_ambiguous";
    case ImportNote::annotation_without_image:
      return "annotation_without_image";
    case ImportNote::listed_without_image:
      return "listed_without_image";
    case ImportNote::not_an_annotation:
      return "not_an_annotation";
    case ImportNote::annotation_unreadable:
      return "annotation_unreadable";
    case ImportNote::name_not_utf8:
      return "name_not_utf8";
    case ImportNote::size_differs:
      return "size_differs";
    case ImportNote::box_without_size:
      return "box_without_size";
    case ImportNote::box_difficult:
      return "box_difficult";
    case ImportNote::box_over_edge:
      return "box_over_edge";
    case ImportNote::polygon_boxed:
      return "polygon_boxed";
    case ImportNote::path_unreadable:
      return "path_unreadable";
    case ImportNote::split_empty:
      return "split_empty";
  }
  return "";
}

}  // namespace

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
  for (const auto& [what, entry] : notes) {
    json["notes"][key_of(what)] = {{"count", entry.count}, {"places", entry.places}};
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void note_boxes_over_edge(const ImportedImage& image, const std::string& place, ImportReport& report) {
  for (const ImportedBox& box : image.boxes) {
    const auto& [left, top, width, height] = box.bbox;
    const bool over =
        left < -1 || top < -1 || left + width > image.width + 1 || top + height > image.height + 1;
    if (over) report.note(ImportNote::box_over_edge, place);
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

void check_import_target(const fs::path& folder, const fs::path& source) {
  if (std::error_code absent; !source.empty() && fs::equivalent(folder, source, absent))
    throw Error("{}: the target is the source, expected another folder; name a new one", folder.string());
  if (fs::exists(unfinished_mark(folder))) return;
  for (const ImportSplit split : {ImportSplit::train, ImportSplit::val}) {
    const fs::path file = annotation_file(folder, split);
    if (fs::exists(file)) {
      throw Error(
          "{}: is there already, expected a folder without annotations; give another folder or remove it",
          file.string());
    }
  }
}

void write_coco_folder(const std::vector<ImportedImage>& images, const std::vector<std::string>& classes,
                       const fs::path& folder, ImportReport& report) {
  check_import_target(folder);
  CocoBuilder builder(classes, report);
  const std::vector<std::string> names = target_names(images, report);
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].split == ImportSplit::none) {
      report.note(ImportNote::image_in_no_split, images[i].name);
      continue;
    }
    builder.add(images[i], names[i], static_cast<std::int64_t>(i) + 1);
  }
  if (report.train.images + report.val.images == 0) {
    std::string reasons;
    for (const auto& [what, entry] : report.notes)
      reasons += fmt::format("; {} {} ({})", entry.count, describe(what), entry.places.front());
    throw Error("{}: got no image to import, expected {} files with annotations{}", folder.string(),
                image_format_names(), reasons);
  }
  if (report.train.images == 0) report.note(ImportNote::split_empty, name_of(ImportSplit::train));
  builder.number_annotations();
  fs::create_directories(folder / "annotations");
  for (const ImportSplit split : {ImportSplit::train, ImportSplit::val}) make_split_folder(folder, split);
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].split != ImportSplit::none) {
      place_image(images[i].file, folder / name_of(images[i].split) / names[i], report);
    }
  }
  write_file_atomically(unfinished_mark(folder), "");
  write_file_atomically(annotation_file(folder, ImportSplit::train), write_coco(builder.train));
  write_file_atomically(annotation_file(folder, ImportSplit::val), write_coco(builder.val));
  fs::remove(unfinished_mark(folder));
}

}  // namespace ssd
