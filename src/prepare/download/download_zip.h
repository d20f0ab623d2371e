// Unpacking zip archives.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "prepare/download/download.h"

namespace ssd {

struct UnzipOptions {
  int threads = 2;
  std::function<bool(const std::string&)> keep;  // by name in the archive; empty: every file
};

// Unpacks files into `folder` under their names in the archive and returns how many there are. Each is
// written to a temporary name, checked against the archive's CRC-32 and then renamed; one that is there
// already with the right size is left alone, so an interrupted call can be repeated. Throws Error for a
// broken archive and for names that lead out of the folder (absolute, "..", symbolic links). Progress counts
// files.
std::size_t unzip(const std::filesystem::path& archive, const std::filesystem::path& folder,
                  const UnzipOptions& options = {}, const DownloadCallback& progress = {});

}  // namespace ssd
