#include "prepare/check/check.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "base/counted.h"
#include "base/error.h"
#include "data/cache/cache.h"
#include "data/cache/cache_folder.h"
#include "data/dataset/coco_split.h"
#include "data/dataset/split_name.h"
#include "data/layouts/data_folder.h"
#include "data/layouts/folder_contents.h"
#include "data/layouts/other_annotations.h"
#include "image/exif.h"
#include "image/format.h"
#include "prepare/check/check_annotations.h"
#include "prepare/check/check_entries.h"
#include "prepare/check/check_foreign.h"
#include "prepare/check/check_images.h"
#include "prepare/check/check_overlap.h"
#include "storage/folder_walk.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view annotation_prefix = "instances_";

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Packed annotation files, for which there is no plain one.
std::vector<fs::path> packed_annotations(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder / "annotations", error), end; !error && at != end;
       at.increment(error)) {
    const fs::path plain = at->path().parent_path() / at->path().stem();
    if (std::error_code ignored; at->path().extension() == ".gz" && plain.extension() == ".json" &&
                                 plain.stem().string().starts_with(annotation_prefix) &&
                                 !fs::exists(plain, ignored))
      files.push_back(at->path());
  }
  std::ranges::sort(files);
  return files;
}

void add_image_findings(const CheckedImage& image, const std::string& place, CheckReport& report) {
  switch (image.state) {
    case CheckedImage::State::good:
      break;
    case CheckedImage::State::missing:
      report.findings.push_back({CheckProblem::image_missing, place, image.reason});
      break;
    case CheckedImage::State::broken:
      report.findings.push_back({CheckProblem::image_broken, place, image.reason});
      break;
  }
}

// The boxes may have been drawn on the stored image or on the one that its EXIF orientation makes of it.
bool fits(const CheckedImage& checked, const CocoImage& image) {
  const bool stored = checked.width == image.width && checked.height == image.height;
  return stored ||
         (checked.orientation.transpose && checked.width == image.height && checked.height == image.width);
}

// A training split has to have something to train on.
void check_for_training(const CocoFile& coco, const CocoPaths& paths, const std::string& split,
                        CheckReport& report) {
  const std::size_t usable = usable_boxes(coco);
  if (!split.starts_with("train") || usable > 0) return;
  report.findings.push_back(
      {CheckProblem::no_boxes, paths.annotations.string(),
       fmt::format("got {} and {}, of which none can be trained on", counted(coco.images.size(), "image[s]"),
                   counted(coco.annotations.size(), "box[es]"))});
}

// Notes images whose boxes may have been drawn in the stored or in the EXIF orientation.
void note_ambiguous_orientation(const CocoFile& coco, const std::vector<CheckedImage>& checked,
                                const std::vector<std::string>& places, CheckReport& report) {
  std::set<std::int64_t> with_boxes;
  for (const CocoAnnotation& annotation : coco.annotations) with_boxes.insert(annotation.image_id);
  for (std::size_t i = 0; i < checked.size(); ++i) {
    const CheckedImage& image = checked[i];
    if (!with_boxes.contains(coco.images[i].id) ||
        !is_ambiguous(image.orientation, image.width, image.height))
      continue;
    report.findings.push_back(
        {CheckProblem::orientation_ambiguous, places[i],
         fmt::format("EXIF orientation {}, {}x{}; if its boxes are wrong, rotate the file "
                     "(for JPEG, exiftran -ai)",
                     image.orientation_tag, image.width, image.height)});
  }
}

// The images' files.
std::vector<fs::path> check_split(const CocoSplit& split, const CocoPaths& paths, const std::string& name,
                                  const CheckOptions& options, CheckReport& report) {
  const CocoFile& coco = split.coco;
  CheckSummary& summary = report.summaries.emplace_back();
  summary.name = name;
  add_split_findings(split, paths.annotations.string(), report.findings);
  find_annotation_problems(coco, paths.annotations.string(), report.findings);
  summarize_annotations(coco, summary);
  check_for_training(coco, paths, name, report);
  std::vector<fs::path> files;
  std::vector<std::string> places;
  for (const CocoImage& image : coco.images) {
    files.push_back(paths.images / image.file_name);
    places.push_back(files.back().string());
  }
  const std::vector<CheckedImage> checked = check_images(files, options);
  summarize_images(checked, summary);
  for (std::size_t i = 0; i < checked.size(); ++i) {
    add_image_findings(checked[i], places[i], report);
    const CocoImage& image = coco.images[i];
    if (checked[i].state == CheckedImage::State::good && !fits(checked[i], image)) {
      report.findings.push_back({CheckProblem::size_differs, places[i],
                                 fmt::format("got {}x{}, expected {}x{} as annotated", checked[i].width,
                                             checked[i].height, image.width, image.height)});
    }
  }
  note_ambiguous_orientation(coco, checked, places, report);
  return files;
}

std::string without_prefix(std::string text, const std::string& prefix) {
  if (text.starts_with(prefix)) text.erase(0, prefix.size());
  return text;
}

std::optional<CocoSplit> read_split(const CocoPaths& paths, CheckReport& report) {
  const fs::path& file = paths.annotations;
  try {
    return read_coco_split(paths);
  } catch (const Error& error) {
    report.findings.push_back({CheckProblem::annotations_unreadable, file.string(),
                               without_prefix(error.what(), file.string() + ": ")});
    return std::nullopt;
  }
}

void check_files(const std::vector<fs::path>& files, const std::string& name, const CheckOptions& options,
                 CheckReport& report) {
  CheckSummary& summary = report.summaries.emplace_back();
  summary.name = name;
  summary.images = files.size();
  const std::vector<CheckedImage> checked = check_images(files, options);
  summarize_images(checked, summary);
  std::vector<double> widths, heights;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    add_image_findings(checked[i], files[i].string(), report);
    if (checked[i].state != CheckedImage::State::good) continue;
    widths.push_back(checked[i].width);
    heights.push_back(checked[i].height);
  }
  summary.width = spread_of(std::move(widths));
  summary.height = spread_of(std::move(heights));
}

void check_cache(const fs::path& file, const CheckOptions& options, CheckReport& report) {
  std::unique_ptr<const RecordCache> cache;
  try {
    cache = std::make_unique<const RecordCache>(file);
  } catch (const Error& error) {
    report.findings.push_back(
        {CheckProblem::cache_damaged, file.string(), without_prefix(error.what(), file.string() + ": ")});
    return;
  }
  const CocoFile& coco = cache->annotations();
  CheckSummary& summary = report.summaries.emplace_back();
  summary.name = fmt::format("{} (record cache, {})", file.string(),
                             cache->encoding() == RecordEncoding::raw ? "raw" : "files");
  find_annotation_problems(coco, file.string(), report.findings);
  summarize_annotations(coco, summary);
  const std::vector<CheckedImage> checked = check_records(*cache, options);
  summarize_images(checked, summary);
  std::vector<std::string> places;
  for (const CocoImage& image : coco.images)
    places.push_back(fmt::format("{}: {}", file.string(), image.file_name));
  for (std::size_t i = 0; i < checked.size(); ++i) add_image_findings(checked[i], places[i], report);
  note_ambiguous_orientation(coco, checked, places, report);
}

// Says how training is given an annotation file that it leaves aside.
void note_unused(const CocoLayout::Split& split, const CocoLayout& layout, CheckReport& report) {
  const SplitRole role = split_role(split.name);
  const bool trains = role == SplitRole::train || (role == SplitRole::none && !layout.train);
  const char* part = trains ? "train" : "val";
  report.findings.push_back({CheckProblem::split_of_other_name, split.paths.annotations.string(),
                             fmt::format("give it to train as --{0}-annotations, with --{0}-images {1}", part,
                                         split.paths.images.string())});
}

// What else lies in the folder, given all annotation files with their images.
std::string unused_beside(const fs::path& folder, const CocoLayout& layout,
                          const std::map<fs::path, std::vector<fs::path>>& images) {
  UsedFiles used;
  for (const auto& [file, some] : images) used.images.insert(used.images.end(), some.begin(), some.end());
  for (const CocoLayout::Split& one : layout.splits()) used.annotations.push_back(one.paths.annotations);
  return unused_text(folder, used);
}

void check_coco_folder(const fs::path& folder, const CocoLayout& layout, const CheckOptions& options,
                       CheckReport& report) {
  for (const fs::path& file : packed_annotations(folder)) read_split({file, folder}, report);
  std::map<fs::path, std::vector<fs::path>> images;  // by annotation file
  for (const CocoLayout::Split& split : layout.splits())
    if (const auto read = read_split(split.paths, report))
      images[split.paths.annotations] = check_split(*read, split.paths, split.name, options, report);
  for (const CocoLayout::Split& split : layout.unused) note_unused(split, layout, report);
  report.unused = unused_beside(folder, layout, images);
  if (layout.train && layout.val)
    find_overlap(images[layout.train->paths.annotations], images[layout.val->paths.annotations],
                 report.findings);
}

// YOLO or VOC. What cannot be read at all is the report's only finding.
void check_foreign_folder(DataFolder& folder, const CheckOptions& options, CheckReport& report) {
  std::map<DataPart, std::vector<fs::path>> images;
  try {
    report.layout = folder.to_text();
    note_foreign(*folder.foreign(), report);
    for (const DataPart part : {DataPart::train, DataPart::val}) {
      if (!folder.has(part)) continue;
      const DataSplit read = folder.read(part);
      images[part] = check_split(read.split, {read.name, read.images},
                                 part == DataPart::train ? "train" : "val", options, report);
    }
    report.unused = folder.unused();
  } catch (const Error& error) {
    report.findings.push_back({CheckProblem::annotations_unreadable, folder.path().string(),
                               without_prefix(error.what(), folder.path().string() + ": ")});
  }
  find_overlap(images[DataPart::train], images[DataPart::val], report.findings);
}

void check_image_folder(const fs::path& folder, const CheckOptions& options, CheckReport& report) {
  FolderWalk walk;
  walk.add(folder);
  for (const FolderWalk::Unreadable& one : walk.unreadable())
    report.findings.push_back({CheckProblem::path_unreadable, one.path.string(), one.reason});
  std::vector<fs::path> files;
  std::ranges::copy_if(walk.files(), std::back_inserter(files), is_image_name);
  if (files.empty() && report.findings.empty()) {
    throw Error(
        "{}: got neither annotations (COCO, YOLO, VOC) nor a {} file, expected some of these; check the "
        "path; "
        "{}",
        folder.string(), image_format_names(), seen_text(folder));
  }
  std::ranges::sort(files);
  report.layout = "images without annotations";
  for (const OtherAnnotations& one : find_other_annotations(folder))
    report.findings.push_back({CheckProblem::annotations_unreadable, one.file.string(), one.text});
  report.unused = unused_text(folder, {.images = files, .annotations = {}, .not_looked_into = {}});
  check_files(files, folder.string(), options, report);
}

// A folder of any kind, or YOLO's data file.
void check_folder(const fs::path& path, const CheckOptions& options, CheckReport& report) {
  DataFolder folder(path);
  switch (folder.kind()) {
    case DataKind::coco:
      report.layout = folder.to_text();
      return check_coco_folder(path, folder.layout(), options, report);
    case DataKind::yolo:
    case DataKind::voc:
    case DataKind::cvat:
      return check_foreign_folder(folder, options, report);
    case DataKind::none:
      break;
  }
  const CacheFolder caches = find_caches(path);
  if (!packed_annotations(path).empty()) return check_coco_folder(path, {}, options, report);
  if (caches.empty()) return check_image_folder(path, options, report);
  report.layout = caches.to_text();
  for (const fs::path& file : caches.all()) check_cache(file, options, report);
  report.unused = unused_text(path, {.images = {}, .annotations = caches.all(), .not_looked_into = {}});
}

}  // namespace

CheckReport check_path(const fs::path& path, const CheckOptions& options) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error("{}: {}, expected an image file or a folder; check the path", path.string(),
                error ? error.message() : "is not there");
  }
  const Stopwatch stopwatch;
  CheckReport report;
  report.path = path.string();
  if (fs::is_regular_file(path) && is_cache_file(path)) {
    check_cache(path, options, report);
  } else if (!fs::is_directory(path) && !is_data_file(path)) {
    check_files({path}, path.string(), options, report);
  } else {
    check_folder(path, options, report);
  }
  report.seconds = stopwatch.seconds();
  return report;
}

CheckReport check_coco(const CocoPaths& paths, const std::string& name, const CheckOptions& options) {
  const Stopwatch stopwatch;
  CheckReport report;
  report.path = paths.annotations.string();
  if (const auto split = read_split(paths, report)) check_split(*split, paths, name, options, report);
  report.seconds = stopwatch.seconds();
  return report;
}

std::size_t CheckReport::problems() const {
  return static_cast<std::size_t>(std::ranges::count(
      findings, false, [](const CheckFinding& finding) { return is_note(finding.problem); }));
}

std::size_t CheckReport::count(CheckProblem problem) const {
  return static_cast<std::size_t>(std::ranges::count(findings, problem, &CheckFinding::problem));
}

}  // namespace ssd
