#include "cli/data_options.h"

#include <filesystem>

#include "base/error.h"
#include "cli/help.h"
#include "data/cache/open_dataset.h"

namespace ssd::cli {
namespace {

// What the user says about one split.
struct SplitOptions {
  const char* split;
  const char* advice;  // what to pass
  std::string data;    // COCO folder or record cache
  std::string annotations, images;
};

constexpr const char* train_advice =
    "expected a COCO folder or a record cache as --data, or both --train-annotations and --train-images";
constexpr const char* val_advice =
    "expected --val-data with a COCO folder or a record cache of the validation split, or both "
    "--val-annotations and --val-images";

// A file stands for a record cache; one that is none is refused when it is opened.
bool is_cache(const std::string& data) { return std::filesystem::is_regular_file(data); }

// The record cache to read; empty where the split lies in files. Explicit paths go before it.
std::string cache_of(const SplitOptions& options) {
  return options.annotations.empty() && options.images.empty() && is_cache(options.data) ? options.data : "";
}

// The usual places of a split, each replaced where the user says so.
CocoPaths paths_of(const SplitOptions& options) {
  const bool complete = !options.annotations.empty() && !options.images.empty();
  if (!complete && (options.data.empty() || is_cache(options.data)))
    throw UsageError("{}: its annotations and images are not known, {}", options.split, options.advice);
  CocoPaths paths = coco_paths(options.data, options.split);
  if (!options.annotations.empty()) paths.annotations = options.annotations;
  if (!options.images.empty()) paths.images = options.images;
  return paths;
}

SplitOptions train_split(const DataOptions& options) {
  return {"train2017", train_advice, options.data, options.train_annotations, options.train_images};
}

// A record cache as --data holds training images: they do not tell how good a network is.
SplitOptions val_split(const DataOptions& options) {
  SplitOptions split{"val2017", val_advice, options.val_data, options.val_annotations, options.val_images};
  if (split.data.empty() && !is_cache(options.data)) split.data = options.data;
  return split;
}

}  // namespace

void add_train_data_options(CLI::App& command, DataOptions& options) {
  begin_group(command, group::input);
  command
      .add_option("--train-annotations", options.train_annotations,
                  "Annotation file [DATA/annotations/instances_train2017.json]")
      ->type_name("FILE");
  command.add_option("--train-images", options.train_images, "Image folder [DATA/train2017]")
      ->type_name("FOLDER");
}

void add_val_data_options(CLI::App& command, DataOptions& options) {
  begin_group(command, group::input);
  command
      .add_option("-d,--data", options.data,
                  "COCO folder (annotations/, train2017/, val2017/) or record cache")
      ->type_name("PATH");
  command
      .add_option("--val-data", options.val_data,
                  "The same for the validation split [--data, where it is a folder]")
      ->type_name("PATH");
  command
      .add_option("--val-annotations", options.val_annotations,
                  "Annotation file [DATA/annotations/instances_val2017.json]")
      ->type_name("FILE");
  command.add_option("--val-images", options.val_images, "Image folder [DATA/val2017]")->type_name("FOLDER");
}

Dataset training_set(const DataOptions& options) {
  const SplitOptions split = train_split(options);
  const std::string cache = cache_of(split);
  return cache.empty() ? read_dataset(paths_of(split)) : open_dataset(cache, split.split);
}

ValidationSet validation_set(const DataOptions& options) {
  const DatasetOptions all{DatasetOptions::EmptyImages::keep};
  const SplitOptions split = val_split(options);
  if (const std::string cache = cache_of(split); !cache.empty()) {
    const auto records = std::make_shared<const RecordCache>(cache);
    return {records->annotations(), cached_dataset(records, all)};
  }
  const CocoPaths paths = paths_of(split);
  CocoFile truth = read_coco(paths.annotations);
  Dataset dataset = make_dataset(truth, paths.images, all, paths.annotations.string());
  return {std::move(truth), std::move(dataset)};
}

std::string validation_name(const DataOptions& options) {
  const SplitOptions split = val_split(options);
  const std::string cache = cache_of(split);
  return cache.empty() ? paths_of(split).annotations.string() : cache;
}

}  // namespace ssd::cli
