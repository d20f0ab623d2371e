// What was left out, mended or helped while a data set was read, told a line a kind.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "data/layouts/data_folder.h"

namespace ssd::cli {

// How many things are left out, with the first; Error instead where `strict`.
void tell_left_out(const std::string& name, std::size_t count, std::string_view what,
                   const std::string& first, bool strict);

// Of entries of an annotation file; Error instead where some are left out and `strict`.
void tell_entries(const std::string& name, const CocoFile& coco, bool strict);

// Names of classes that may have been meant to be one: they stay apart.
void tell_classes(const std::string& name, const CocoFile& coco);

// What the reader of a set that is no COCO file noted.
void tell_notes(const ForeignSet& set, const std::string& data, bool strict);

// A split that was read, with its images. `advice`: what to check where not one of them is there, which is an
// Error.
void tell_split(const DataSplit& read, std::string_view advice, bool strict);

}  // namespace ssd::cli
