// Finding a data set's image files where the names in its annotations do not lead to them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"

namespace ssd {

// The files below a folder by name. Made when it is asked for the first time.
class ImageIndex {
 public:
  explicit ImageIndex(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The file of a name whose folders, slashes ('/' or '\') or capitals are another system's: the one file
  // with its last component, in this spelling or else in any capitals; of several the one that shares most of
  // the folders before it. Nothing where there is none, or several as good.
  std::optional<std::filesystem::path> find(std::string_view name);

 private:
  std::filesystem::path folder_;
  bool made_ = false;
  std::multimap<std::string, std::filesystem::path> files_;  // by last component in small letters
};

struct LocatedImages {
  std::size_t helped = 0;  // samples whose file was found by its last components
  std::string example;     // "images\a.jpg is a.jpg": the first of them
  std::size_t missing = 0;
  std::string first_missing;  // path
};

// Looks for every sample's file, not into it, and corrects the paths of those that lie elsewhere below
// `folder`. Images in a record cache are there.
LocatedImages locate_images(Dataset& dataset, const std::filesystem::path& folder);

}  // namespace ssd
