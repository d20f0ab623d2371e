#include "data/layouts/data_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "data/layouts/cvat.h"
#include "data/layouts/folder_contents.h"
#include "data/layouts/foreign_kind.h"
#include "data/layouts/voc.h"
#include "data/layouts/yolo.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

const char* name_of(DataPart part) { return part == DataPart::train ? "training" : "validation"; }

}  // namespace

const char* name_of(DataKind kind) {
  switch (kind) {
    case DataKind::none:
      return "no data set";
    case DataKind::coco:
      return "COCO annotations";
    case DataKind::yolo:
      return "YOLO";
    case DataKind::voc:
      return "Pascal VOC";
    case DataKind::cvat:
      return "CVAT";
  }
  return "";
}

std::optional<DataPart> part_named(std::string_view split) {
  if (split.starts_with("train")) return DataPart::train;
  if (split.starts_with("val")) return DataPart::val;
  return std::nullopt;
}

bool is_data_file(const fs::path& file) {
  const fs::path extension = file.extension();
  return extension == ".yaml" || extension == ".yml";
}

DataFolder::DataFolder(fs::path path, ForeignOptions options)
    : path_(std::move(path)), options_(std::move(options)) {
  std::error_code ignored;
  if (!fs::is_directory(path_, ignored)) {
    if (is_data_file(path_)) kind_ = DataKind::yolo;
    return;
  }
  layout_ = find_coco_layout(path_);
  if (layout_.train || layout_.val) {
    kind_ = DataKind::coco;
    return;
  }
  kind_ = foreign_kind(path_);
  // Of annotation files that name no split the user has to choose, but only where there is nothing else.
  if (kind_ == DataKind::none && !layout_.unused.empty()) kind_ = DataKind::coco;
}

void DataFolder::read_foreign() {
  if (foreign_ || kind_ == DataKind::none || kind_ == DataKind::coco) return;
  ForeignSet set = kind_ == DataKind::yolo   ? read_yolo(path_, options_)
                   : kind_ == DataKind::cvat ? read_cvat(path_, options_)
                                             : read_voc(path_, {.common = options_});
  foreign_coco_ = to_coco(set);
  foreign_ = std::move(set);
}

const ForeignSet* DataFolder::foreign() {
  read_foreign();
  return foreign_ ? &*foreign_ : nullptr;
}

bool DataFolder::has(DataPart part) {
  if (kind_ == DataKind::coco) return (part == DataPart::train ? layout_.train : layout_.val).has_value();
  read_foreign();
  return !(part == DataPart::train ? foreign_coco_.train : foreign_coco_.val).images.empty();
}

DataSplit DataFolder::read(DataPart part) {
  if (!has(part)) throw Error("{}: has no {} split; {}", path_.string(), name_of(part), seen());
  DataSplit split;
  if (kind_ == DataKind::coco) {
    const CocoPaths& paths = (part == DataPart::train ? layout_.train : layout_.val)->paths;
    split = {paths.annotations.string(), paths.images, read_coco_split(paths)};
    read_from_.push_back(paths.annotations);
  } else {
    split.name = fmt::format("{} ({}, {})", path_.string(), ssd::name_of(kind_), name_of(part));
    split.images = foreign_->root;
    split.split.coco = part == DataPart::train ? foreign_coco_.train : foreign_coco_.val;
  }
  for (const CocoImage& image : split.split.coco.images) used_.push_back(split.images / image.file_name);
  return split;
}

std::string DataFolder::to_text() {
  if (kind_ == DataKind::none) return seen();
  if (kind_ == DataKind::coco) {
    const std::string text = layout_.to_text(path_);
    return fmt::format("{}{}", layout_.train || layout_.val ? "COCO annotations: " : "COCO annotations; ",
                       text);
  }
  read_foreign();
  return fmt::format("{}: {} and {} for validation of {}, by {}", ssd::name_of(kind_),
                     counted(foreign_coco_.train.images.size(), "training image[s]"),
                     foreign_coco_.val.images.size(), counted(foreign_->classes.size(), "class[es]"),
                     foreign_->splits_from);
}

std::string DataFolder::unused() {
  if (used_.empty()) return {};
  UsedFiles used{.images = used_,
                 .annotations = {},
                 .not_looked_into = {},
                 .text = kind_ == DataKind::yolo,
                 .xml = kind_ == DataKind::voc || kind_ == DataKind::cvat};
  if (kind_ == DataKind::coco) {
    for (const CocoLayout::Split& one : layout_.splits()) {
      used.annotations.push_back(one.paths.annotations);  // those not used stand in to_text() already
      if (std::ranges::find(read_from_, one.paths.annotations) == read_from_.end())
        used.not_looked_into.push_back(one.paths.images);
    }
  }
  // Both splits were read at once.
  if (foreign_)
    for (const ForeignImage& image : foreign_->images) used.images.push_back(image.file);
  const fs::path folder = foreign_ ? foreign_->root : path_;
  return unused_text(folder, used);
}

std::string DataFolder::seen() const { return seen_text(path_); }

}  // namespace ssd
