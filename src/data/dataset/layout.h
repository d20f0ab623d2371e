// Finding the splits of a data set of COCO annotations in a folder, however its maker laid it out.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"

namespace ssd {

// What lies in a folder: COCO's own instances_train2017.json and instances_val2017.json with images in
// train2017/ and val2017/; instances_default.json (CVAT), train.json and val.json (mmdetection),
// _annotations.coco.json beside the images of a split (Roboflow), labels.json with data/ (FiftyOne),
// result.json with images/ (Label Studio); and the likes of these.
struct CocoLayout {
  struct Split {
    std::string name;  // "train2017", "test"
    CocoPaths paths;
  };
  std::optional<Split> train, val;  // a test split serves as val where there is no other
  std::vector<Split> unused;        // other annotation files
  bool ambiguous = false;           // several files that name no split: none was taken

  // All of them: train, val, the others.
  std::vector<Split> splits() const;
  // The split of a name ("train2014", "test"), or the one that train or val stands for.
  std::optional<Split> find(std::string_view name) const;

  // For people, a line: what was taken, and what lies there unused. `folder` is cut off in front of paths.
  std::string to_text(const std::filesystem::path& folder) const;
};

// Files in the folder and in those in it, or where there are none in those one or two further down, are taken
// for annotations by what they begin with, splits by words in the names of files and of their
// folders, image folders by where the images lie that a file names first. Nothing is thrown for a folder
// without annotations.
CocoLayout find_coco_layout(const std::filesystem::path& folder);

}  // namespace ssd
