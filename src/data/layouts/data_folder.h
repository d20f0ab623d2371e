// What a folder given as a data set holds, and its splits as COCO files, whatever it is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/coco_split.h"
#include "data/dataset/layout.h"
#include "data/layouts/foreign_set.h"

namespace ssd {

enum class DataKind { none, coco, yolo, voc, cvat };
enum class DataPart { train, val };

// "COCO annotations", "YOLO", "Pascal VOC", "CVAT".
const char* name_of(DataKind kind);

// One split, read.
struct DataSplit {
  std::string name;              // of its annotations, for messages: a file, or "pets (YOLO)"
  std::filesystem::path images;  // the folder that names of images lead from
  CocoSplit split;
};

// COCO annotations go before the others, YOLO's data file before VOC; of labels in text and xml files those
// with more images count, CVAT's single file where there are neither. Annotations that are no COCO file are
// read at most once, both splits together.
class DataFolder {
 public:
  // `path` is a folder or YOLO's data file. Nothing is thrown for what holds no annotations.
  explicit DataFolder(std::filesystem::path path, ForeignOptions options = {});

  const std::filesystem::path& path() const { return path_; }
  DataKind kind() const { return kind_; }
  const CocoLayout& layout() const { return layout_; }  // empty unless kind() is coco
  // What a reader noted; null for COCO. Throws Error as the readers do.
  const ForeignSet* foreign();

  bool has(DataPart part);
  // Throws Error as read_coco_split and the readers do, and where the split is not there.
  DataSplit read(DataPart part);

  // For people, a line: what the folder was taken for. "YOLO, splits by ...", "COCO annotations: training
  // ...".
  std::string to_text();
  // Another: what else lies there that none of the splits read so far uses. Empty where there is nothing,
  // and before the first is read. Images in folders of splits that were not read are not counted.
  std::string unused();
  // For a folder of no known kind: the files that were seen, and what to do.
  std::string seen() const;

 private:
  void read_foreign();

  std::filesystem::path path_;
  ForeignOptions options_;
  DataKind kind_ = DataKind::none;
  CocoLayout layout_;
  std::optional<ForeignSet> foreign_;
  ForeignCoco foreign_coco_;
  std::vector<std::filesystem::path> used_;       // images of the splits that were read
  std::vector<std::filesystem::path> read_from_;  // annotation files of these
};

// The part that a split's name stands for: "train2017", "valid". Nothing for another.
std::optional<DataPart> part_named(std::string_view split);

// Whether a file of that name is YOLO's data file (YAML), and no record cache.
bool is_data_file(const std::filesystem::path& file);

}  // namespace ssd
