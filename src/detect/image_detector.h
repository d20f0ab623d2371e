// Detection on image files that belong to no data set.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "detect/predictor.h"
#include "image/image.h"

namespace ssd {

// An object in pixels of its image: left, top, right, bottom from the left upper corner, clipped to the
// image.
struct DetectedObject {
  float left = 0, top = 0, right = 0, bottom = 0;
  std::int32_t label = 0;  // 1 .. C - 1
  CocoCategory category;   // of the label
  float score = 0;         // 0..1
};

// An image file and what was found in it.
struct DetectedImage {
  std::string file;                     // as it was named, "-" from standard input
  std::string drawing;                  // where it is drawn; empty: nowhere
  int width = 0, height = 0;            // pixels, oriented as its EXIF tag says
  std::vector<DetectedObject> objects;  // by falling score
};

// A reason that names the file once, whether it did before or not. A file without a name has none.
std::string with_name(const std::string& file, const std::string& reason);

// A detection in the pixels of its image, of which the name and the size are looked at. `categories`: of
// labels 1, 2, ... Throws Error for a label without a category.
DetectedObject object_in(const DetectedImage& image, const Detection& detection,
                         std::span<const CocoCategory> categories);

struct DetectFilesOptions {
  int threads = 1;  // that read images and draw, beside the network's
  // Called in the order of the files by the caller's thread. Either on_bad_image, or, where it could not be
  // drawn, on_undrawn, and then on_image.
  std::function<void(DetectedImage)> on_image;
  std::function<void(const std::string&file, const std::string&reason)> on_bad_image, on_undrawn;
  std::function<void(std::uint64_t done, std::uint64_t of)> progress;  // files
  // Where a drawing is wanted: says where it goes (the image's objects are not known yet), in the order of
  // the files by the caller's thread.
  std::function<std::string(const DetectedImage&)> name_drawing;
  // Draws on the image's pixels, which are oriented as its size. Any of the threads, several at a time. An
  // Error ends with the image.
  std::function<void(const DetectedImage&, const Image& pixels)> draw;
};

// Looks at the files in batches of the predictor's size; an image that cannot be read is named and takes no
// place in a batch. Images are read, looked at and drawn at the same time, each by its own threads; as many
// are on their way as keep the network busy, and of their files no more than 256 MiB. `categories`: of labels
// 1, 2, ... Throws what the device and the callbacks throw, and Error for a label without a category and for
// outputs that are not finite; the images before that one have been handed out then.
void detect_files(Predictor& predictor, std::span<const CocoCategory> categories,
                  std::span<const std::string> files, const DetectFilesOptions& options);

// A list of {file, drawing, width, height, detections: [{category_id, category, bbox, score}]}, a bbox as
// COCO's: left, top, width, height in pixels; "drawing" is left out where there is none. Names of files and
// categories need not be UTF-8: what is not is replaced.
std::string to_json(std::span<const DetectedImage> images);

}  // namespace ssd
