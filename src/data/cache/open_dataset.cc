#include "data/cache/open_dataset.h"

#include <utility>

namespace ssd {

Dataset open_dataset(const std::filesystem::path& data, std::string_view split,
                     const DatasetOptions& options) {
  if (std::filesystem::is_directory(data)) return read_dataset(coco_paths(data, split), options);
  return cached_dataset(std::make_shared<const RecordCache>(data), options);
}

Dataset cached_dataset(std::shared_ptr<const RecordCache> cache, const DatasetOptions& options) {
  Dataset dataset = make_dataset(cache->annotations(), {}, options, cache->file().string());
  dataset.images = std::move(cache);
  return dataset;
}

}  // namespace ssd
