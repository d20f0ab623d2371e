#include "cli/data_options.h"

#include "base/error.h"
#include "data/cache.h"

namespace ssd::cli {
namespace {

// The usual places of a split, each replaced where the user says so.
CocoPaths paths_of(const DataOptions& options, const char* split, const std::string& annotations,
                   const std::string& images) {
  if (options.data.empty() && (annotations.empty() || images.empty()))
    throw UsageError(
        "--data: expected a COCO folder or a record cache (or both the annotation file and the picture "
        "folder of {})",
        split);
  CocoPaths paths = coco_paths(options.data, split);
  if (!annotations.empty()) paths.annotations = annotations;
  if (!images.empty()) paths.images = images;
  return paths;
}

}  // namespace

void add_train_data_options(CLI::App& command, DataOptions& options) {
  command.add_option("--train-annotations", options.train_annotations,
                     "Annotation file [DATA/annotations/instances_train2017.json]");
  command.add_option("--train-images", options.train_images, "Picture folder [DATA/train2017]");
}

void add_val_data_options(CLI::App& command, DataOptions& options) {
  command.add_option("--data,-d", options.data,
                     "COCO folder (annotations/, train2017/, val2017/) or record cache");
  command.add_option("--val-data", options.val_data,
                     "Record cache of the validation split, where --data is one of the training split");
  command.add_option("--val-annotations", options.val_annotations,
                     "Annotation file [DATA/annotations/instances_val2017.json]");
  command.add_option("--val-images", options.val_images, "Picture folder [DATA/val2017]");
}

Dataset training_set(const DataOptions& options) {
  if (!options.data.empty() && is_cache_file(options.data)) return open_dataset(options.data, "train2017");
  return read_dataset(paths_of(options, "train2017", options.train_annotations, options.train_images));
}

ValidationSet validation_set(const DataOptions& options) {
  const DatasetOptions all{DatasetOptions::EmptyImages::keep};
  const std::string& cache = options.val_data.empty() ? options.data : options.val_data;
  if (!cache.empty() && is_cache_file(cache)) {
    Dataset dataset = open_dataset(cache, "val2017", all);
    CocoFile truth = dataset.cache->annotations();
    return {std::move(truth), std::move(dataset)};
  }
  const CocoPaths paths = paths_of(options, "val2017", options.val_annotations, options.val_images);
  CocoFile truth = read_coco(paths.annotations);
  Dataset dataset = make_dataset(truth, paths.images, all, paths.annotations.string());
  return {std::move(truth), std::move(dataset)};
}

}  // namespace ssd::cli
