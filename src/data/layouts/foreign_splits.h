// Which images are for training and which for validation.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "data/layouts/foreign_set.h"
#include "data/layouts/source_files.h"

namespace ssd {

// Sets `split` of every image, by the first of these that the source has:
//  1. lists: train.txt, val.txt (valid, validation), trainval.txt, test.txt, one image a line (name with or
//     without folders and extension), in folders named Main where there are any (VOC: ImageSets/Main), else
//     in folders named ImageSets, else anywhere;
//     Where Main holds only lists of classes (cat_train.txt), all that one of these names are in the split.
//  2. folders of those names on the images' paths (also train2017 and the like);
//  3. a share of the images, drawn by (seed, name): the same image goes the same way in every reading of
//     as many images.
// With a test list whose images have annotations, train is train + val + trainval and val is test, as is
// the custom with VOC 2007; otherwise val is val (with folders: val, else test), train is the rest of train +
// trainval. Lines that name no image are noted; where no line of any list names one, Error is thrown:
// another split than the one written down is nobody's wish. Returns what was done, in words.
std::string assign_splits(std::vector<ForeignImage>& images, const SourceFiles& source,
                          const ForeignOptions& options, ForeignNotes& notes);

// Only the third way.
std::string assign_share(std::vector<ForeignImage>& images, const ForeignOptions& options);

// The lines of a text file without surrounding blanks, empty ones left out. Throws Error if it cannot be
// read or is no text.
std::vector<std::string> read_lines(const std::filesystem::path& file, UnknownEncoding unknown);

}  // namespace ssd
