// YOLO: one text file an image, one line a box.
#pragma once

#include <filesystem>

#include "data/layouts/foreign_set.h"

namespace ssd {

// Reads a YOLO data set: `source` is a data file (data.yaml with names, train, val) or a folder that holds
// one, or a folder with a classes file (classes.txt, obj.names: a class a line). An image's boxes are in the
// file of its name ending in .txt, in the folder where "images" is replaced by "labels", else beside the
// image, else anywhere below the folder where it is no other image's; each line is `class cx cy w h` with
// classes from 0 and the rest in normalized coordinates of the image as it is looked at (oriented as EXIF
// says), or with a confidence behind it, or with a confidence and the number of a track (are_tracked), or
// `class x1 y1 x2 y2 x3 y3 ...`, of which the bounding box is taken. An image without such a file, or with an
// empty one, has no boxes. Splits: train and val of the data file (folders, lists or several of them); where
// every image of train is one of val as well, a share as where val is missing; without a data file as by
// assign_splits. Images of no split (those of test among them) and label files without an image are noted.
// Class ids are 1, 2, ... in the order of the names. A line that cannot be read (file and line) or of an
// unknown class is left out and noted; a label file that is no text is, with its image. Throws Error for a
// data file that does not fit, and as assign_splits does.
ForeignSet read_yolo(const std::filesystem::path& source, const ForeignOptions& options = {});

// The folder that holds everything: the source itself, or what its data file says.
std::filesystem::path yolo_root(const std::filesystem::path& source);

}  // namespace ssd
