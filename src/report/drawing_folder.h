// Drawings of images, in one folder.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "detect/image_detector.h"
#include "detect/image_list.h"
#include "report/draw.h"

namespace ssd {

// Gives every image a drawing of its own: NAME.png, NAME-2.png for another image of that name or where
// NAME.png is one of the images themselves, and so on. A NAME that would make a longer name than file systems
// take (255 bytes) is cut; of standard input it is "standard-input". The folder must exist; what killed
// writers left in it is removed.
class DrawingFolder {
 public:
  // `images`: the files that no drawing may replace.
  DrawingFolder(std::filesystem::path folder, std::span<const std::string> images);

  // Draws the objects, tagged "person 0.93", on the image's pixels; returns the file written. Throws Error as
  // draw_boxes() does; for an image without pixels too.
  std::filesystem::path draw(const DetectedImage& image);
  // The same with boxes of any kind on pixels that were made of `file`.
  std::filesystem::path draw(const std::string& file, const RgbImage& pixels,
                             std::span<const DrawnBox> boxes);

 private:
  std::filesystem::path path_for(const std::string& file);

  std::filesystem::path folder_;
  std::set<std::string> names_;             // taken
  std::set<std::filesystem::path> images_;  // as std::filesystem::weakly_canonical gives them
};

}  // namespace ssd
