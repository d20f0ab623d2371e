// Data sets from wherever they lie: a COCO folder or a record cache.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "data/cache/cache.h"
#include "data/dataset/dataset.h"

namespace ssd {

// `data` is a COCO folder, of which the split is read, or a record cache, which holds one split only. Throws
// Error as read_dataset and RecordCache do.
Dataset open_dataset(const std::filesystem::path& data, std::string_view split,
                     const DatasetOptions& options = {});

// The data set that a cache holds; its images come from there. Throws Error as make_dataset does.
Dataset cached_dataset(std::shared_ptr<const RecordCache> cache, const DatasetOptions& options = {});

}  // namespace ssd
