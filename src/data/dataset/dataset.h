// What there is to train on or to evaluate: images, their boxes, the classes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "boxes/box.h"
#include "boxes/labeled_box.h"
#include "data/dataset/coco.h"
#include "data/dataset/image_store.h"

namespace ssd {

struct Sample {
  std::int64_t image_id = 0;  // COCO's
  std::string file;           // path of the image; its name alone where the images are in a record cache
  int width = 0;              // pixels; the image as it was annotated
  int height = 0;
  std::uint32_t record = 0;       // place in the annotation file's list of images, and in a record cache
  std::vector<LabeledBox> boxes;  // within 0..1 of the annotated image
};

// Annotations and images that the samples do not contain, and why.
struct LeftOut {
  std::size_t images_without_boxes = 0;
  std::size_t boxes_without_area = 0;   // width or height zero (or nothing of the box inside the image)
  std::size_t boxes_without_image = 0;  // of an image id that is not in the list
  std::size_t boxes_without_category = 0;
  std::size_t boxes_clipped = 0;  // not left out: reached over the image's edge by more than half a pixel

  bool operator==(const LeftOut&) const = default;
};

struct Dataset {
  std::vector<Sample> samples;           // in the annotation file's order
  std::vector<CocoCategory> categories;  // label 1 is categories[0], and so on; ids as in the file
  int max_boxes = 0;                     // of any sample
  LeftOut left_out;
  std::shared_ptr<const ImageStore> images = file_store();  // where the samples' images come from; never null
};

struct DatasetOptions {
  // Images without boxes teach nothing and are skipped in training, and by the recipe's habit in evaluation
  // as well (4,952 of COCO's 5,000 remain). `keep` is the other way of counting in evaluation.
  enum class EmptyImages { skip, keep };
  EmptyImages empty_images = EmptyImages::skip;
};

// Where the two parts of a COCO data set lie.
struct CocoPaths {
  std::filesystem::path annotations;  // the instances file
  std::filesystem::path images;       // the folder that its file names are relative to
};

// The usual places: FOLDER/annotations/instances_SPLIT.json, with images in FOLDER/SPLIT, as in
// "train2017", or where that is no folder in the first of FOLDER/images/SPLIT, images and JPEGImages that is
// one.
CocoPaths coco_paths(const std::filesystem::path& folder, std::string_view split);

// A COCO box (left, top, width, height in pixels) in normalized coordinates, clipped to its image. Boxes of
// which nothing remains (left is not below right, or top not below bottom) are left out of data sets.
Box normalized_box(const std::array<double, 4>& bbox, int width, int height);

// Boxes get normalized coordinates, clipped to the image; crowd boxes are boxes like others; category ids,
// gaps or not, become labels 1..K in the order of `categories`. Throws Error where an image or category id
// occurs twice and where nothing remains; `name` stands for the annotation file in messages.
Dataset make_dataset(const CocoFile& coco, const std::filesystem::path& images, const DatasetOptions& options,
                     std::string_view name);

// Reads the annotations as read_coco_split() does. Throws Error as that and make_dataset do.
Dataset read_dataset(const CocoPaths& paths, const DatasetOptions& options = {});

}  // namespace ssd
