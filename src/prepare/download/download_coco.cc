#include "prepare/download/download_coco.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "prepare/download/download_zip.h"
#include "storage/atomic_file.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view default_base_url = "http://images.cocodataset.org";

// The server publishes no checksums: sizes and digests are those on which independent mirrors agree.
struct CocoArchive {
  std::string_view name;  // of the split, or "annotations"
  std::string_view path;  // below the base address
  std::uint64_t bytes;
  std::string_view sha256;
};
constexpr std::array<CocoArchive, 3> coco_archives{{
    {"annotations", "annotations/annotations_trainval2017.zip", 252'907'541,
     "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"},
    {"val2017", "zips/val2017.zip", 815'585'330,
     "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"},
    {"train2017", "zips/train2017.zip", 19'336'861'798,
     "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"},
}};

struct Planned {
  DownloadItem item;
  fs::path marker;
  fs::path result;  // the folder that the archive makes

  bool done() const { return fs::exists(marker) && fs::exists(result); }
};

void check_splits(const std::vector<std::string>& splits) {
  for (const std::string& split : splits) {
    if (split != "train2017" && split != "val2017") {
      throw Error("download coco2017: got split \"{}\", expected train2017 or val2017", split);
    }
  }
}

bool wanted(const CocoArchive& archive, const std::vector<std::string>& splits) {
  return archive.name == "annotations" || std::ranges::find(splits, archive.name) != splits.end();
}

Planned plan(const CocoArchive& archive, const fs::path& folder, const std::string& base_url) {
  Planned planned;
  const bool original = base_url.empty() || base_url == default_base_url;
  planned.item.url =
      fmt::format("{}/{}", original ? default_base_url : std::string_view(base_url), archive.path);
  const fs::path name = fs::path(archive.path).filename();
  planned.item.file = folder / name;
  if (original) {
    planned.item.bytes = archive.bytes;
    planned.item.sha256 = archive.sha256;
  }
  planned.marker = folder / ".download" / name;
  planned.marker += ".done";
  planned.result = folder / archive.name;
  return planned;
}

// Captions and key points in the annotation archive are of no use to detection.
bool keep_entry(const std::string& name) {
  return !name.starts_with("annotations/") || name.starts_with("annotations/instances_");
}

void write_marker(const Planned& planned, std::size_t files) {
  fs::create_directories(planned.marker.parent_path());
  const nlohmann::json marker = {{"url", planned.item.url}, {"files", files}};
  write_file_atomically(planned.marker,
                        marker.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

CocoDownloadSummary download_coco2017(const fs::path& folder, const CocoDownloadOptions& options,
                                      const DownloadCallback& progress) {
  check_splits(options.splits);
  std::string base_url = options.base_url;
  while (base_url.ends_with('/')) base_url.pop_back();
  CocoDownloadSummary summary;
  std::vector<Planned> plans;
  std::vector<DownloadItem> items;
  for (const CocoArchive& archive : coco_archives) {
    if (!wanted(archive, options.splits)) continue;
    Planned planned = plan(archive, folder, base_url);
    if (planned.done()) {
      ++summary.archives_done_before;
      continue;
    }
    items.push_back(planned.item);
    plans.push_back(std::move(planned));
  }
  summary.download = download_files(items, options.download, progress);
  for (const Planned& planned : plans) {
    const UnzipOptions unzip_options{.threads = options.unzip_threads, .keep = keep_entry};
    const std::size_t files = unzip(planned.item.file, folder, unzip_options, progress);
    summary.files_unpacked += files;
    write_marker(planned, files);
    if (!options.keep_archives) fs::remove(planned.item.file);
  }
  return summary;
}

}  // namespace ssd
