#include "data/check.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "data/cache.h"
#include "data/check_annotations.h"
#include "data/check_pictures.h"
#include "data/coco.h"
#include "data/jpeg.h"

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

// annotations/instances_*.json by split.
std::vector<std::pair<std::string, fs::path>> annotation_files(const fs::path& folder) {
  std::vector<std::pair<std::string, fs::path>> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "annotations", error)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".json" && stem.starts_with(annotation_prefix)) {
      files.emplace_back(stem.substr(annotation_prefix.size()), entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

// Where a split's pictures lie: its own folder, or the first of the usual ones that has its first picture.
fs::path picture_folder(const fs::path& folder, const std::string& split, const CocoFile& coco) {
  const fs::path own = folder / split;
  if (coco.images.empty() || fs::is_directory(own)) return own;
  for (const fs::path& place :
       {folder / "images" / split, folder / "images", folder / "JPEGImages", folder}) {
    if (fs::exists(place / coco.images[0].file_name)) return place;
  }
  return own;
}

void add_picture_findings(const CheckedPicture& picture, const std::string& place, CheckReport& report) {
  switch (picture.state) {
    case CheckedPicture::State::good:
      break;
    case CheckedPicture::State::missing:
      report.findings.push_back({CheckProblem::picture_missing, place, "no such file"});
      break;
    case CheckedPicture::State::broken:
      report.findings.push_back({CheckProblem::picture_broken, place, picture.reason});
      break;
  }
}

// The boxes of a picture that EXIF turns may have been drawn on the turned one or on the stored one.
bool fits(const CheckedPicture& picture, const CocoImage& image) {
  const bool stored = picture.width == image.width && picture.height == image.height;
  return stored || (picture.transposed && picture.width == image.height && picture.height == image.width);
}

void check_split(const CocoFile& coco, const CocoPaths& paths, const std::string& name,
                 const CheckOptions& options, CheckReport& report) {
  CheckSummary& summary = report.summaries.emplace_back();
  summary.name = name;
  find_annotation_problems(coco, paths.annotations.string(), report.findings);
  summarize_annotations(coco, summary);
  std::vector<fs::path> files;
  for (const CocoImage& image : coco.images) files.push_back(paths.images / image.file_name);
  const std::vector<CheckedPicture> pictures = check_pictures(files, options);
  summarize_pictures(pictures, summary);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    add_picture_findings(pictures[i], files[i].string(), report);
    const CocoImage& image = coco.images[i];
    if (pictures[i].state == CheckedPicture::State::good && !fits(pictures[i], image)) {
      report.findings.push_back({CheckProblem::size_differs, files[i].string(),
                                 fmt::format("got {}x{}, expected {}x{} as annotated", pictures[i].width,
                                             pictures[i].height, image.width, image.height)});
    }
  }
}

std::string without_prefix(std::string text, const std::string& prefix) {
  if (text.starts_with(prefix)) text.erase(0, prefix.size());
  return text;
}

std::optional<CocoFile> read_annotations(const fs::path& file, CheckReport& report) {
  try {
    return read_coco(file);
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
  const std::vector<CheckedPicture> pictures = check_pictures(files, options);
  summarize_pictures(pictures, summary);
  std::vector<double> widths, heights;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    add_picture_findings(pictures[i], files[i].string(), report);
    if (pictures[i].state != CheckedPicture::State::good) continue;
    widths.push_back(pictures[i].width);
    heights.push_back(pictures[i].height);
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
                             cache->encoding() == RecordEncoding::raw ? "raw" : "JPEG");
  find_annotation_problems(coco, file.string(), report.findings);
  summarize_annotations(coco, summary);
  const std::vector<CheckedPicture> pictures = check_records(*cache, options);
  summarize_pictures(pictures, summary);
  for (std::size_t i = 0; i < pictures.size(); ++i)
    add_picture_findings(pictures[i], fmt::format("{}: {}", file.string(), coco.images[i].file_name), report);
}

void check_coco_folder(const fs::path& folder, const CheckOptions& options, CheckReport& report) {
  for (const auto& [split, file] : annotation_files(folder)) {
    if (const auto coco = read_annotations(file, report)) {
      check_split(*coco, {file, picture_folder(folder, split, *coco)}, split, options, report);
    }
  }
}

void check_picture_folder(const fs::path& folder, const CheckOptions& options, CheckReport& report) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (is_jpeg_name(entry.path()) && !entry.is_directory()) files.push_back(entry.path());
  }
  if (files.empty()) {
    throw Error(
        "{}: got neither annotations/instances_*.json nor a JPEG, expected a COCO folder or pictures; check "
        "the path",
        folder.string());
  }
  std::ranges::sort(files);
  check_files(files, folder.string(), options, report);
}

}  // namespace

CheckReport check_path(const fs::path& path, const CheckOptions& options) {
  if (!fs::exists(path)) {
    throw Error("{}: is not there, expected a JPEG file or a folder; check the path", path.string());
  }
  const Stopwatch stopwatch;
  CheckReport report;
  report.path = path.string();
  if (fs::is_regular_file(path) && is_cache_file(path)) {
    check_cache(path, options, report);
  } else if (!fs::is_directory(path)) {
    check_files({path}, path.string(), options, report);
  } else if (!annotation_files(path).empty()) {
    check_coco_folder(path, options, report);
  } else {
    check_picture_folder(path, options, report);
  }
  report.seconds = stopwatch.seconds();
  return report;
}

CheckReport check_coco(const CocoPaths& paths, const std::string& name, const CheckOptions& options) {
  const Stopwatch stopwatch;
  CheckReport report;
  report.path = paths.annotations.string();
  if (const auto coco = read_annotations(paths.annotations, report)) {
    check_split(*coco, paths, name, options, report);
  }
  report.seconds = stopwatch.seconds();
  return report;
}

std::size_t CheckReport::count(CheckProblem problem) const {
  return static_cast<std::size_t>(std::ranges::count(findings, problem, &CheckFinding::problem));
}

}  // namespace ssd
