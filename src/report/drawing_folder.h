// Drawings of images, in one folder.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>

#include "detect/image_detector.h"
#include "detect/image_list.h"
#include "report/draw.h"

namespace ssd {

// Gives every image a drawing of its own: NAME.jpg, NAME-2.jpg for another image of that name or where
// NAME.jpg is one of the images themselves, and so on. A NAME that would make a longer name than file systems
// take (255 bytes) is cut; of standard input it is "standard-input". The folder must exist; what killed
// writers left in it is removed.
class DrawingFolder {
 public:
  // `images`: the files that no drawing may replace.
  DrawingFolder(std::filesystem::path folder, std::span<const std::string> images, DrawingFormat format);

  // The name, in the folder, of a drawing of `file`. One thread at a time.
  std::string name(const std::string& file);

  // Draws boxes on pixels under a name that name() gave. Any thread. Throws Error as draw_boxes() does.
  void draw(const std::string& name, const RgbImage& pixels, std::span<const DrawnBox> boxes) const;
  // Draws the image's objects, tagged "person 0.93", under the image's name for its drawing.
  void draw(const DetectedImage& image, const Image& pixels) const;

 private:
  std::filesystem::path folder_;
  DrawingFormat format_;
  std::set<std::string> names_;             // taken
  std::set<std::filesystem::path> images_;  // as std::filesystem::weakly_canonical gives them
};

}  // namespace ssd
