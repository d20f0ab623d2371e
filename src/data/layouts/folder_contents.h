// What lies in a data set's folder, in words.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ssd {

// What a reader used of a folder.
struct UsedFiles {
  std::vector<std::filesystem::path> images;
  std::vector<std::filesystem::path> annotations;
  std::vector<std::filesystem::path> not_looked_into;  // folders whose images may be another split's
  bool text = false, xml = false;                      // all files of these kinds are its labels or lists
};

// The files below the folder that are none of these, by kind, each with its number and the first: "3 images
// of no annotation (val/a.jpg, ...), 2 .json files (annotations/captions.json, ...)". Empty where there are
// none.
std::string unused_text(const std::filesystem::path& folder, const UsedFiles& used);

// All files by kind, and what is known of annotations that are not read: "seen: 12 .jpg files (a.jpg, ...),
// ...; a.json: LabelMe's annotations, which are not read; convert them ...".
std::string seen_text(const std::filesystem::path& folder);

}  // namespace ssd
