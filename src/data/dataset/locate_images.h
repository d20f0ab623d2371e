// Finding a data set's image files where the names in its annotations do not lead to them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

// The files below a folder by name. Made when it is asked for the first time.
class ImageIndex {
 public:
  explicit ImageIndex(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The file of a name whose folders, slashes ('/' or '\'), capitals or Unicode normal form are another
  // system's: the one file with its last component, in this spelling or else in a comparable one; of several
  // the one that shares most of the folders before it. Nothing where there is none, or several as good. A
  // name that leads nowhere may come from a web server (names_in_url()), or lack its ending, where one image
  // alone has another.
  std::optional<std::filesystem::path> find(std::string_view name);

 private:
  std::optional<std::filesystem::path> find_spelled(std::string_view name);
  std::optional<std::filesystem::path> find_without_ending(std::string_view name) const;

  std::filesystem::path folder_;
  bool made_ = false;
  std::multimap<std::string, std::filesystem::path> files_;  // by the last component, comparable
};

struct LocatedImages {
  std::vector<std::string> helped;   // "images\a.jpg is a.jpg": images found by their last components
  std::vector<std::string> missing;  // paths of those that are nowhere
};

// Looks for every image's file, not into it, and puts the names right of those that lie elsewhere below
// `folder`: they lead from there to the file.
LocatedImages locate_images(CocoFile& coco, const std::filesystem::path& folder);

}  // namespace ssd
