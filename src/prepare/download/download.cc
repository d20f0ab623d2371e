#include "prepare/download/download.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "prepare/download/download_http.h"
#include "prepare/download/download_partial.h"
#include "prepare/download/sha256.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using Stage = DownloadProgress::Stage;

// One item that has to be fetched.
struct Job {
  const DownloadItem* item = nullptr;
  RemoteFile remote;
  std::unique_ptr<PartialFile> partial;  // until it is complete
  std::atomic<std::uint64_t> done{0};
};

struct Segment {
  Job* job = nullptr;
  std::size_t index = 0;
};

// The work shared by the threads of one download_files call.
class Downloader {
 public:
  Downloader(const DownloadOptions& options, const DownloadCallback& progress)
      : options_(options), progress_(progress) {}

  DownloadSummary run(std::span<const DownloadItem> items);

 private:
  void probe(const DownloadItem& item, HttpClient& client);
  void check_room() const;
  void open(Job& job);
  void keep_what_is_there();
  void work();
  bool next(Segment& segment);
  bool fetch(HttpClient& client, const Segment& segment);
  void complete(Job& job);
  void check_sha256(Job& job);
  bool report(Stage stage, const Job& job, std::uint64_t done);
  // Calls `attempt` until it returns; a RetryableError is followed by a pause and another try. `attempt` sets
  // `advanced` when it brought something new.
  template <typename Attempt>
  void retry(int attempts, const Attempt& attempt);
  void pause(int failures);
  void stop(std::exception_ptr failure);

  DownloadOptions options_;
  const DownloadCallback& progress_;
  DownloadSummary summary_;
  std::deque<Job> jobs_;
  std::mutex mutex_;  // queue_, failure_, stopping_
  std::condition_variable stopped_;
  std::deque<Segment> queue_;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::mutex progress_mutex_;
  std::atomic<std::uint64_t> fetched_{0};
};

DownloadSummary Downloader::run(std::span<const DownloadItem> items) {
  HttpClient client(options_.stall);
  for (const DownloadItem& item : items) probe(item, client);
  check_room();
  for (Job& job : jobs_) open(job);
  const auto count = std::min(queue_.size(), static_cast<std::size_t>(std::max(1, options_.connections)));
  if (count > 0) ThreadPool(static_cast<int>(count)).parallel_for(count, [this](std::size_t) { work(); });
  summary_.bytes_fetched = fetched_;
  if (failure_) {
    keep_what_is_there();
    std::rethrow_exception(failure_);
  }
  return summary_;
}

void Downloader::probe(const DownloadItem& item, HttpClient& client) {
  std::error_code error;
  const auto present = fs::file_size(item.file, error);
  if (!error && (item.bytes == 0 || present == item.bytes)) {
    ++summary_.files_present;
    return;
  }
  Job& job = jobs_.emplace_back();
  job.item = &item;
  const int attempts = options_.first_attempts > 0 ? options_.first_attempts : options_.attempts;
  retry(attempts, [&](bool&) { job.remote = client.probe(item.url); });
  if (item.bytes != 0 && job.remote.bytes != item.bytes) {
    throw Error("{}: got {} bytes on the server, expected {}; use another mirror", item.url, job.remote.bytes,
                item.bytes);
  }
  if (job.remote.bytes == 0)
    throw Error("{}: got an empty file from the server, expected some bytes; use another mirror", item.url);
}

// For all files together, on each disk: none is begun that there is no room to end.
void Downloader::check_room() const {
  std::map<std::uint64_t, DiskDemand> demands;
  for (const Job& job : jobs_) add_demand(job.item->file, job.remote.bytes, demands);
  for (const auto& [disk, demand] : demands) check_demand(demand);
}

void Downloader::open(Job& job) {
  const std::uint64_t segment_bytes =
      job.remote.ranges ? std::max<std::uint64_t>(1, options_.segment_bytes) : job.remote.bytes;
  job.partial = std::make_unique<PartialFile>(job.item->file, job.remote, segment_bytes);
  job.done = job.partial->resumed_bytes();
  summary_.bytes_resumed += job.done;
  const auto missing = job.partial->missing();
  for (const std::size_t index : missing) queue_.push_back({&job, index});
  if (missing.empty()) complete(job);
}

// So that the next time goes on from here. The failure that ended the work is what the caller should see, so
// one met here is not reported.
void Downloader::keep_what_is_there() {
  for (Job& job : jobs_) {
    try {
      if (job.partial) job.partial->save();
    } catch (const std::exception&) {
      continue;
    }
  }
}

void Downloader::work() {
  try {
    HttpClient client(options_.stall);
    Segment segment;
    while (next(segment)) {
      if (!fetch(client, segment)) return;
      if (segment.job->partial->finish(segment.index)) complete(*segment.job);
    }
  } catch (...) {
    stop(std::current_exception());
  }
}

bool Downloader::next(Segment& segment) {
  std::lock_guard lock(mutex_);
  if (stopping_ || queue_.empty()) return false;
  segment = queue_.front();
  queue_.pop_front();
  return true;
}

// False when the download was stopped meanwhile.
bool Downloader::fetch(HttpClient& client, const Segment& segment) {
  Job& job = *segment.job;
  PartialFile& partial = *job.partial;
  const std::uint64_t begin = partial.begin_of(segment.index);
  const std::uint64_t end = partial.end_of(segment.index);
  std::uint64_t at = begin;
  bool going = true;
  retry(options_.attempts, [&](bool& advanced) {
    if (!job.remote.ranges) {
      job.done -= at - begin;
      at = begin;
    }
    const ByteRange range{at, end, !job.remote.ranges, job.remote.etag};
    going = client.get(job.item->url, range, [&](std::span<const std::byte> bytes) {
      partial.write(at, bytes);
      at += bytes.size();
      fetched_ += bytes.size();
      advanced = job.remote.ranges;
      return report(Stage::download, job, job.done += bytes.size());
    });
  });
  return going;
}

template <typename Attempt>
void Downloader::retry(int attempts, const Attempt& attempt) {
  for (int failures = 0;;) {
    bool advanced = false;
    try {
      attempt(advanced);
      return;
    } catch (const RetryableError& error) {
      failures = advanced ? 1 : failures + 1;
      if (failures >= attempts) {
        throw Error("{}; gave up after {} attempts, run again to go on from here", error.what(), failures);
      }
      const std::scoped_lock lock(progress_mutex_);
      if (options_.on_retry) options_.on_retry(error.what(), failures);
    }
    pause(failures);
  }
}

void Downloader::pause(int failures) {
  constexpr std::chrono::milliseconds longest{30'000};
  const auto wait = std::min(longest, options_.backoff * (std::int64_t{1} << std::min(failures - 1, 10)));
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, wait, [this] { return stopping_; });
  if (stopping_) throw Error("download stopped; run again to go on from here");
}

// The first failure is the one the caller sees. What is there stays for the next time.
void Downloader::stop(std::exception_ptr failure) {
  {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
    stopping_ = true;
  }
  stopped_.notify_all();
}

bool Downloader::report(Stage stage, const Job& job, std::uint64_t done) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
  }
  if (!progress_) return true;
  std::lock_guard lock(progress_mutex_);
  if (progress_({stage, job.item->file.filename().string(), done, job.remote.bytes})) return true;
  stop(std::make_exception_ptr(Error("download stopped; run again to go on from here")));
  return false;
}

void Downloader::complete(Job& job) {
  if (!job.item->sha256.empty()) check_sha256(job);
  job.partial->publish();
  job.partial.reset();
  std::lock_guard lock(mutex_);
  ++summary_.files_fetched;
}

void Downloader::check_sha256(Job& job) {
  job.partial->save();
  const auto going = [&](std::uint64_t done) { return report(Stage::check, job, done); };
  const std::string got = sha256_of(job.partial->part_path(), going);
  if (got.empty()) throw Error("download stopped; run again to go on from here");
  if (got.starts_with(job.item->sha256)) return;
  job.partial->discard();
  job.partial.reset();
  throw Error("{}: got SHA-256 {}, expected {}; the download was removed, run again", job.item->url, got,
              job.item->sha256);
}

}  // namespace

DownloadSummary download_files(std::span<const DownloadItem> items, const DownloadOptions& options,
                               const DownloadCallback& progress) {
  return Downloader(options, progress).run(items);
}

}  // namespace ssd
