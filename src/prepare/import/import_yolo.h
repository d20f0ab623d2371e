// YOLO: one text file a picture, one line a box.
#pragma once

#include <filesystem>

#include "prepare/import/import.h"

namespace ssd {

// Makes the COCO folder `target` from a YOLO data set: `source` is a data file (data.yaml with names, train,
// val) or a folder that holds one, or a folder with a classes file (classes.txt, obj.names: a class a line).
// A picture's boxes are in the file of its name ending in .txt, in the folder where "images" is replaced
// by "labels", else beside the picture, else anywhere below the folder where it is no other picture's; each
// line is `class cx cy w h` (or a confidence behind it) with classes from 0 and the rest as shares of the
// picture as it is looked at (turned as EXIF says), or `class x1 y1 x2 y2 x3 y3 ...`, of which the bounding
// box is taken. A picture without such a file, or with an empty one, has no boxes. Splits: train and val of
// the data file (folders, lists or several of them); where every picture of train is one of val as well, a
// share as where val is missing; without a data file as by assign_splits. Pictures of no split (those of test
// among them) and label files without a picture are noted. Class ids are 1, 2, ...
// in the order of the names. A label file with a line that cannot be read (file and line) or an unknown class
// is left out with its picture and noted. Throws Error for a data file that does not fit, and as
// write_coco_folder does.
ImportReport import_yolo(const std::filesystem::path& source, const std::filesystem::path& target,
                         const ImportOptions& options = {});

}  // namespace ssd
