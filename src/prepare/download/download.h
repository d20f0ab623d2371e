// Fetching large files over HTTP: in parallel, resumed after a break, checked before they get their name.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace ssd {

// One file to fetch. It appears under `file` only when it is complete and right; until then its bytes lie in
// `file`.part, with a note of what is there in `file`.part.json.
struct DownloadItem {
  std::string url;
  std::filesystem::path file;
  std::uint64_t bytes = 0;  // the size it must have; 0: the size that the server states
  std::string sha256;       // hexadecimal digits, all 64 or the first of them; empty: not checked
};

struct DownloadOptions {
  int connections = 4;                     // at the same time, over all files
  int attempts = 8;                        // in a row without a new byte before giving up
  int first_attempts = 0;                  // the same to reach the server at all; 0: as many
  std::chrono::milliseconds backoff{500};  // wait before the second attempt, doubled each time up to 30 s
  std::chrono::seconds stall{30};          // a connection this long below 1 byte/s counts as dropped
  std::uint64_t segment_bytes = 8u << 20;  // what one request asks for
  // Called before the pause that follows a failure; from any thread, but never while another calls this or
  // the DownloadCallback.
  std::function<void(const std::string& reason, int failures)> on_retry;
};

// What is being done to which file, in bytes (download, check) or files (extract).
struct DownloadProgress {
  enum class Stage { download, check, extract };
  Stage stage = Stage::download;
  std::string file;  // name without folders
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// Called now and then, from any thread but never from two at once. Returning false stops the work with an
// Error; what was fetched is kept for the next time.
using DownloadCallback = std::function<bool(const DownloadProgress&)>;

struct DownloadSummary {
  std::uint64_t files_present = 0;  // were there already
  std::uint64_t files_fetched = 0;
  std::uint64_t bytes_fetched = 0;  // over the network, this time
  std::uint64_t bytes_resumed = 0;  // found in .part files of an earlier time
};

// Fetches every item that is not there yet (a file of the right size is taken as it is). Files are cut into
// segments asked for by HTTP ranges; a dropped connection goes on at the byte where it broke. A server
// without ranges is read from the start in one piece. Redirects are followed; only http and https are spoken.
// Throws Error for a refusal by the server (4xx), an empty file, sizes or checksums that are not as expected,
// a file that changed on the server meanwhile, another process fetching the same file, too little disk space,
// and when `attempts` tries in a row brought nothing.
DownloadSummary download_files(std::span<const DownloadItem> items, const DownloadOptions& options = {},
                               const DownloadCallback& progress = {});

}  // namespace ssd
