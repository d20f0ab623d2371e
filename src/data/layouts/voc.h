// Pascal VOC: one xml file an image.
#pragma once

#include <filesystem>

#include "data/layouts/foreign_set.h"

namespace ssd {

struct VocOptions {
  // VOC counts pixels from 1 and both ends of a box belong to it; most tools that write such files since do
  // neither. as_written: bbox = (xmin, ymin, xmax - xmin, ymax - ymin). one_based, for the original VOC sets:
  // bbox = (xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1).
  enum class Pixels { as_written, one_based };
  enum class Difficult { keep, leave_out };
  Pixels pixels = Pixels::as_written;
  Difficult difficult = Difficult::keep;
  ForeignOptions common;
};

// Reads every pair of an xml file and an image of its name that is found below
// `source`: VOCdevkit's layout (Annotations, JPEGImages, ImageSets) or any other. Splits as by assign_splits.
// Classes get ids 1, 2, ... in alphabetical order unless the options list them. An image's size is that of
// its header; where the xml gives the sides exchanged and EXIF says that the image is to be rotated,
// the boxes belong to the rotated image and the xml's size is taken. Images without xml, xml without
// image and images of formats that are not read are left out and noted, as are boxes without width or height,
// and xml that cannot be read (file and line) with its image. Throws Error
// where there is no xml file at all, and as assign_splits does.
ForeignSet read_voc(const std::filesystem::path& source, const VocOptions& options = {});

}  // namespace ssd
