#include "cli/data_options.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cli/help.h"
#include "cli/output.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/coco_split.h"
#include "data/dataset/layout.h"

namespace ssd::cli {
namespace {

// What the user says about one split.
struct SplitOptions {
  bool is_training;
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

// The files of a split: explicit paths, and for what they leave open what is found in the folder.
CocoPaths paths_of(const SplitOptions& options) {
  CocoPaths paths{options.annotations, options.images};
  if (!paths.annotations.empty() && !paths.images.empty()) return paths;
  if (options.data.empty() || is_cache(options.data))
    throw UsageError("{}: its annotations and images are not known, {}", options.split, options.advice);
  if (!std::filesystem::is_directory(options.data))
    throw Error("{}: no such folder or record cache; check the path", options.data);
  const CocoLayout layout = find_coco_layout(options.data);
  const auto& found = options.is_training ? layout.train : layout.val;
  if (paths.annotations.empty() && !found) {
    const std::string seen = layout.to_text(options.data);
    throw UsageError("{}: no annotations of the {} split are there, {}{}", options.data, options.split,
                     options.advice, seen.empty() ? "" : "; seen: " + seen);
  }
  if (paths.annotations.empty()) paths.annotations = found->paths.annotations;
  if (paths.images.empty())
    paths.images = found ? found->paths.images : coco_paths(options.data, options.split).images;
  return paths;
}

// Once for a folder: what it was taken for, unless it is as COCO is published.
void tell_layout(const std::string& data) {
  static std::set<std::string> told;
  if (data.empty() || !std::filesystem::is_directory(data) || !told.insert(data).second) return;
  const CocoLayout layout = find_coco_layout(data);
  const bool plain = layout.train && layout.train->name == "train2017" && layout.val &&
                     layout.val->name == "val2017" && layout.unused.empty();
  if (!plain) tell("{}: {}\n", data, layout.to_text(data));
}

// What was helped or left out while the split was read, a line a kind.
void tell_split(const CocoSplit& split, const std::string& name, const char* advice) {
  const auto say = [&](std::size_t count, std::string_view what, const std::string& first) {
    tell("{}: {} {}: {}{}\n", name, count, what, first, count > 1 ? ", ..." : "");
  };
  const auto& [helped, missing] = split.located;
  const std::size_t images = split.coco.images.size();
  if (images > 0 && missing.size() == images)
    throw Error("{}: none of its {} images is there, the first is {}; {}", name, images, missing.front(),
                advice);
  if (!helped.empty())
    say(helped.size(), "images were found by the last part of their names", helped.front());
  if (!missing.empty())
    say(missing.size(), fmt::format("of {} images are not there", images), missing.front());
  if (!split.measured.empty())
    say(split.measured.size(), "images have no size here, it was taken from their files",
        split.measured.front());
  using What = CocoLeftOut::What;
  for (const auto& [what, text] :
       {std::pair{What::image, "images were left out"}, std::pair{What::annotation, "boxes were left out"},
        std::pair{What::root_category, "category was left out"}}) {
    const auto is_one = [what = what](const CocoLeftOut& one) { return one.what == what; };
    const auto& all = split.coco.left_out;
    const auto count = static_cast<std::size_t>(std::ranges::count_if(all, is_one));
    if (count > 0) say(count, text, std::ranges::find_if(all, is_one)->reason);
  }
}

SplitOptions train_split(const DataOptions& options) {
  return {true, "train2017", train_advice, options.data, options.train_annotations, options.train_images};
}

// A record cache as --data holds training images: they do not tell how good a network is.
SplitOptions val_split(const DataOptions& options) {
  SplitOptions split{
      false, "val2017", val_advice, options.val_data, options.val_annotations, options.val_images};
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
                  "Folder with COCO annotations and images, as it is, or record cache")
      ->type_name("PATH");
  command
      .add_option("--val-data", options.val_data,
                  "The same for the validation split [--data, where it is a folder]")
      ->type_name("PATH");
  command.add_option("--val-annotations", options.val_annotations, "Annotation file [found in DATA]")
      ->type_name("FILE");
  command.add_option("--val-images", options.val_images, "Image folder [found in DATA]")->type_name("FOLDER");
}

Dataset training_set(const DataOptions& options) {
  const SplitOptions split = train_split(options);
  using EmptyImages = DatasetOptions::EmptyImages;
  const DatasetOptions which{options.background_images == "use" ? EmptyImages::keep : EmptyImages::skip};
  if (const std::string cache = cache_of(split); !cache.empty())
    return open_dataset(cache, split.split, which);
  const CocoPaths paths = paths_of(split);
  tell_layout(split.data);
  const std::string name = paths.annotations.string();
  const CocoSplit read = read_coco_split(paths);
  tell_split(read, name, "check --data or --train-images");
  return make_dataset(read.coco, paths.images, which, name);
}

ValidationSet validation_set(const DataOptions& options) {
  const DatasetOptions all{DatasetOptions::EmptyImages::keep};
  const SplitOptions split = val_split(options);
  if (const std::string cache = cache_of(split); !cache.empty()) {
    const auto records = std::make_shared<const RecordCache>(cache);
    return {records->annotations(), cached_dataset(records, all)};
  }
  const CocoPaths paths = paths_of(split);
  tell_layout(split.data);
  const std::string name = paths.annotations.string();
  CocoSplit read = read_coco_split(paths);
  tell_split(read, name, "check --val-data or --val-images");
  Dataset dataset = make_dataset(read.coco, paths.images, all, name);
  return {std::move(read.coco), std::move(dataset)};
}

std::string validation_name(const DataOptions& options) {
  const SplitOptions split = val_split(options);
  const std::string cache = cache_of(split);
  return cache.empty() ? paths_of(split).annotations.string() : cache;
}

}  // namespace ssd::cli
