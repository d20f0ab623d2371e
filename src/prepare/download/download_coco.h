// COCO 2017 from its server to a folder that can be trained on.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "prepare/download/download.h"

namespace ssd {

struct CocoDownloadOptions {
  // Folders `zips` and `annotations` lie below it. Sizes and SHA-256 of the archives are compared with the
  // published ones when this is the default, and with what the server states otherwise.
  std::string base_url;  // empty: http://images.cocodataset.org
  std::vector<std::string> splits = {"train2017", "val2017"};
  bool keep_archives = false;
  int unzip_threads = 2;
  DownloadOptions download;
};

struct CocoDownloadSummary {
  DownloadSummary download;
  std::size_t archives_done_before = 0;  // nothing to do for these
  std::size_t files_unpacked = 0;
};

// Makes `folder` hold annotations/instances_*2017.json and the image folders of the splits: fetches the
// archives (about 20 GB for all of them, as much again while unpacking), unpacks them, and leaves a
// done-marker FOLDER/.download/NAME.done for each, so that a second call has nothing to do and an interrupted
// one goes on where it was. Throws Error as download_files and unzip do, and for an unknown split.
CocoDownloadSummary download_coco2017(const std::filesystem::path& folder,
                                      const CocoDownloadOptions& options = {},
                                      const DownloadCallback& progress = {});

}  // namespace ssd
