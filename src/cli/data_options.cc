#include "cli/data_options.h"

#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cli/data_notes.h"
#include "cli/help.h"
#include "cli/output.h"
#include "data/cache/cache_folder.h"
#include "data/cache/open_dataset.h"
#include "data/layouts/data_folder.h"

namespace ssd::cli {
namespace {

// What the user says about one split.
struct SplitOptions {
  DataPart part;
  const char* split;
  const char* advice;  // what to pass
  std::string data;    // folder or record cache
  std::string annotations, images;
  bool strict;
};

constexpr const char* train_advice =
    "expected a folder with COCO, YOLO or VOC annotations or a record cache as --data, or both "
    "--train-annotations and --train-images";
constexpr const char* val_advice =
    "expected --val-data with a folder or a record cache of the validation split, or both --val-annotations "
    "and --val-images";

// A file stands for a record cache; one that is none is refused when it is opened.
bool is_cache(const std::string& data) {
  return std::filesystem::is_regular_file(data) && !is_data_file(data);
}

struct LookedAt {
  DataFolder folder;
  bool told = false;  // what it was taken for
};

// Every folder is looked at once a run.
std::map<std::string, LookedAt>& folders() {
  static std::map<std::string, LookedAt> looked_at;
  return looked_at;
}
LookedAt& look_at(const std::string& data) {
  return folders().try_emplace(data, LookedAt{.folder = DataFolder(data)}).first->second;
}

// The split's cache of a folder that holds record caches and no annotations; empty for other folders.
std::string cache_in(const SplitOptions& options) {
  if (!std::filesystem::is_directory(options.data)) return {};
  LookedAt& at = look_at(options.data);
  if (at.folder.kind() != DataKind::none) return {};
  const CacheFolder caches = find_caches(options.data);
  if (caches.empty()) return {};
  if (!std::exchange(at.told, true)) tell("{}: {}\n", options.data, caches.to_text());
  const auto& cache = options.part == DataPart::train ? caches.train : caches.val;
  if (!cache)
    throw UsageError("{}: no cache of the {} split is there, {}; {}", options.data, options.split,
                     options.advice, caches.to_text());
  return cache->string();
}

// The record cache to read; empty where the split lies in files. Explicit paths go before it.
std::string cache_of(const SplitOptions& options) {
  if (!options.annotations.empty() || !options.images.empty()) return {};
  return is_cache(options.data) ? options.data : cache_in(options);
}

// The folder; what it was taken for is told the first time.
DataFolder& folder_of(const SplitOptions& options) {
  if (options.data.empty() || is_cache(options.data))
    throw UsageError("{}: its annotations and images are not known, {}", options.split, options.advice);
  if (!std::filesystem::exists(options.data))
    throw Error("{}: no such folder or record cache; check the path", options.data);
  LookedAt& at = look_at(options.data);
  DataFolder& folder = at.folder;
  if (folder.kind() == DataKind::none || std::exchange(at.told, true)) return folder;
  tell("{}: {}\n", options.data, folder.to_text());
  if (const ForeignSet* set = folder.foreign()) tell_notes(*set, options.data, options.strict);
  return folder;
}

// The files of a split of which one was given: the other is in the folder.
CocoPaths paths_of(const SplitOptions& options) {
  CocoPaths paths{options.annotations, options.images};
  if (!paths.annotations.empty() && !paths.images.empty()) return paths;
  const CocoLayout& layout = folder_of(options).layout();
  const auto& found = options.part == DataPart::train ? layout.train : layout.val;
  if (paths.annotations.empty() && !found)
    throw UsageError("{}: no annotations of the {} split are there, {}; {}", options.data, options.split,
                     options.advice, folder_of(options).seen());
  if (paths.annotations.empty()) paths.annotations = found->paths.annotations;
  if (paths.images.empty())
    paths.images = found ? found->paths.images : coco_paths(options.data, options.split).images;
  return paths;
}

DataSplit read_split(const SplitOptions& options) {
  DataSplit split;
  if (!options.annotations.empty() || !options.images.empty()) {
    const CocoPaths paths = paths_of(options);
    split = {paths.annotations.string(), paths.images, read_coco_split(paths)};
    tell_classes(split.name, split.split.coco);
  } else {
    DataFolder& folder = folder_of(options);
    if (!folder.has(options.part)) {
      const std::string text = folder.kind() == DataKind::none ? folder.seen() : "seen: " + folder.to_text();
      throw UsageError("{}: no annotations of the {} split are there, {}; {}", options.data, options.split,
                       options.advice, text);
    }
    split = folder.read(options.part);
    if (folder.kind() == DataKind::coco) tell_classes(split.name, split.split.coco);
  }
  tell_split(
      split,
      options.part == DataPart::train ? "check --data or --train-images" : "check --val-data or --val-images",
      options.strict);
  return split;
}

SplitOptions train_split(const DataOptions& options) {
  return {DataPart::train,           "train2017",          train_advice,  options.data,
          options.train_annotations, options.train_images, options.strict};
}

// A record cache as --data holds training images: they do not tell how good a network is.
SplitOptions val_split(const DataOptions& options) {
  SplitOptions split{DataPart::val,           "val2017",          val_advice,    options.val_data,
                     options.val_annotations, options.val_images, options.strict};
  if (split.data.empty() && !is_cache(options.data)) split.data = options.data;
  return split;
}

}  // namespace

void add_train_data_options(CLI::App& command, DataOptions& options) {
  begin_group(command, group::input);
  command.add_option("--train-annotations", options.train_annotations, "Annotation file [found in DATA]")
      ->type_name("FILE");
  command.add_option("--train-images", options.train_images, "Image folder [found in DATA]")
      ->type_name("FOLDER");
  command
      .add_option("--background-images", options.background_images,
                  "Training images without objects: skip, or use as examples of background")
      ->check(CLI::IsMember({"use", "skip"}))
      ->capture_default_str();
}

void add_val_data_options(CLI::App& command, DataOptions& options) {
  begin_group(command, group::input);
  command
      .add_option("-d,--data", options.data,
                  "Folder with COCO, YOLO or VOC annotations, as it is, or record cache")
      ->type_name("PATH");
  command
      .add_option("--val-data", options.val_data,
                  "The same for the validation split [--data, where it is a folder]")
      ->type_name("PATH");
  command.add_option("--val-annotations", options.val_annotations, "Annotation file [found in DATA]")
      ->type_name("FILE");
  command.add_option("--val-images", options.val_images, "Image folder [found in DATA]")->type_name("FOLDER");
  add_strict_option(command, options.strict);
}

void add_strict_option(CLI::App& command, bool& strict) {
  begin_group(command, group::input);
  command.add_flag("--strict", strict,
                   "Stop at a broken or missing image, box or line; without, it is left out");
}

Dataset training_set(const DataOptions& options) {
  const SplitOptions split = train_split(options);
  using EmptyImages = DatasetOptions::EmptyImages;
  const DatasetOptions which{options.background_images == "use" ? EmptyImages::keep : EmptyImages::skip};
  if (const std::string cache = cache_of(split); !cache.empty())
    return open_dataset(cache, split.split, which);
  const DataSplit read = read_split(split);
  return make_dataset(read.split.coco, read.images, which, read.name);
}

ValidationSet validation_set(const DataOptions& options) {
  const DatasetOptions all{DatasetOptions::EmptyImages::keep};
  const SplitOptions split = val_split(options);
  if (const std::string cache = cache_of(split); !cache.empty()) {
    const auto records = std::make_shared<const RecordCache>(cache);
    return {records->annotations(), cached_dataset(records, all)};
  }
  DataSplit read = read_split(split);
  Dataset dataset = make_dataset(read.split.coco, read.images, all, read.name);
  return {std::move(read.split.coco), std::move(dataset)};
}

std::string validation_name(const DataOptions& options) {
  const SplitOptions split = val_split(options);
  if (const std::string cache = cache_of(split); !cache.empty()) return cache;
  if (!split.annotations.empty()) return split.annotations;
  const auto& val = folder_of(split).layout().val;
  return val ? val->paths.annotations.string() : split.data;
}

void tell_unused_files() {
  for (auto& [data, at] : folders())
    if (const std::string unused = at.folder.unused(); !unused.empty())
      tell("{}: not used: {}\n", data, unused);
}

}  // namespace ssd::cli
