// CVAT for images: one xml file for all images.
#pragma once

#include <filesystem>
#include <optional>

#include "data/layouts/foreign_set.h"

namespace ssd {

// Reads CVAT's "for images" XML (<annotations> with <image name=...> and <box>, <polygon>, ... in each):
// `source` is the file, or a folder with one such file, its images anywhere below. Of polygons, polylines and
// points the bounding box is taken, and noted. Classes are the task's labels in their order; where the file
// lists none, those of its boxes by name. An image's size is that of its header, turned as EXIF says where
// the file states the sides so. Splits by the images' `subset` (train, val, ...), else as by assign_splits. A
// shape that cannot be read is left out and noted, as are images that are not there. Throws Error where there
// is no such file, or several.
ForeignSet read_cvat(const std::filesystem::path& source, const ForeignOptions& options = {});

// Whether the file begins as CVAT's XML does.
bool is_cvat_file(const std::filesystem::path& file);

// The only such file in the folder, or in its folder "annotations". Nothing where there is none; throws Error
// for several.
std::optional<std::filesystem::path> find_cvat_file(const std::filesystem::path& folder);

}  // namespace ssd
