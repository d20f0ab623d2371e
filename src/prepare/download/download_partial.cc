#include "prepare/download/download_partial.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text_file.h"
#include "storage/atomic_file.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds save_interval{1};

fs::path with_suffix(const fs::path& path, const char* suffix) {
  fs::path longer = path;
  longer += suffix;
  return longer;
}

// A file made longer by ftruncate has its size at once and takes its room when it is written.
std::uint64_t bytes_on_disk(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

std::uint64_t segments_of(std::uint64_t bytes, std::uint64_t segment_bytes) {
  return bytes / segment_bytes + (bytes % segment_bytes != 0);
}

}  // namespace

void add_demand(const fs::path& file, std::uint64_t bytes, std::map<std::uint64_t, DiskDemand>& demands) {
  const fs::path folder = folder_of(file);
  fs::create_directories(folder);
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0)
    throw Error("{}: {}; choose another folder", folder.string(), std::strerror(errno));
  DiskDemand& demand = demands[status.st_dev];
  demand.folder = folder;
  demand.bytes += bytes - std::min(bytes, bytes_on_disk(with_suffix(file, ".part")));
}

void check_demand(const DiskDemand& demand) {
  std::error_code error;
  const fs::space_info space = fs::space(demand.folder, error);
  if (!error && space.available < demand.bytes) {
    throw Error(
        "{}: got {} MB of free disk space, expected at least {} MB; make room or choose another folder",
        demand.folder.string(), space.available >> 20, (demand.bytes >> 20) + 1);
  }
}

PartialFile::PartialFile(fs::path file, const RemoteFile& remote, std::uint64_t segment_bytes)
    : file_(std::move(file)),
      part_(with_suffix(file_, ".part")),
      note_(with_suffix(file_, ".part.json")),
      remote_(remote),
      segment_bytes_(segment_bytes) {
  fs::create_directories(folder_of(file_));
  open();
  if (!load()) {
    done_.assign(static_cast<std::size_t>(segments_of(remote_.bytes, segment_bytes_)), '0');
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::ftruncate(descriptor_, static_cast<off_t>(remote_.bytes)) != 0) {
      const std::string why = std::strerror(errno);
      ::close(descriptor_);
      throw Error("{}: cannot be made {} bytes long ({})", part_.string(), remote_.bytes, why);
    }
  }
  for (std::size_t segment = 0; segment < done_.size(); ++segment) {
    if (done_[segment] == '1') resumed_bytes_ += end_of(segment) - begin_of(segment);
  }
}

void PartialFile::open() {
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  struct stat opened {
  }, named{};
  // Written to in place and taken up again, so its name is known: it must be nobody else's file.
  const bool foreign = descriptor_ < 0 ? errno == ELOOP
                                       : ::fstat(descriptor_, &opened) == 0 &&
                                             (!S_ISREG(opened.st_mode) || opened.st_nlink > 1);
  if (foreign) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error("{}: got a link, a pipe or a device, expected a file of an earlier download; remove it",
                part_.string());
  }
  if (descriptor_ < 0)
    throw Error("{}: cannot be written ({}); check the folder", part_.string(), std::strerror(errno));
  const bool locked = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  // Between opening and locking another process may have given the file its final name: it is complete then,
  // and not to be touched.
  const bool ours = locked && ::fstat(descriptor_, &opened) == 0 && ::stat(part_.c_str(), &named) == 0 &&
                    opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  if (ours) return;
  ::close(descriptor_);
  if (!locked)
    throw Error("{}: another process is fetching this file; wait for it or end it", part_.string());
  throw Error("{}: another process has just fetched this file; run again", part_.string());
}

PartialFile::~PartialFile() { ::close(descriptor_); }

// The note of an earlier time, if it fits what the server has now.
bool PartialFile::load() {
  std::error_code unknown;
  if (!fs::is_regular_file(note_, unknown)) return false;
  const auto note = nlohmann::json::parse(read_text_file(note_, budget::state), nullptr, false);
  if (!note.is_object() || size_of(part_) != remote_.bytes) return false;
  try {
    const auto done = note.at("done").get<std::string>();
    const bool same = note.at("bytes") == remote_.bytes && note.at("etag") == remote_.etag;
    const auto segment_bytes = note.at("segment_bytes").get<std::uint64_t>();
    if (!same || segment_bytes == 0 || done.size() != segments_of(remote_.bytes, segment_bytes)) return false;
    segment_bytes_ = segment_bytes;
    done_ = done;
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::vector<std::size_t> PartialFile::missing() const {
  std::lock_guard lock(mutex_);
  std::vector<std::size_t> segments;
  for (std::size_t segment = 0; segment < done_.size(); ++segment) {
    if (done_[segment] != '1') segments.push_back(segment);
  }
  return segments;
}

std::uint64_t PartialFile::end_of(std::size_t segment) const {
  return std::min(remote_.bytes, (segment + 1) * segment_bytes_);
}

void PartialFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      throw Error("{}: cannot be written ({}); is the disk full?", part_.string(), std::strerror(errno));
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

bool PartialFile::finish(std::size_t segment) {
  std::lock_guard lock(mutex_);
  done_[segment] = '1';
  if (std::chrono::steady_clock::now() - saved_ >= save_interval) save_locked();
  return done_.find('0') == std::string::npos;
}

void PartialFile::save() {
  std::lock_guard lock(mutex_);
  save_locked();
}

// Bytes first, then the note, so that a note never promises what a power cut took away.
void PartialFile::save_locked() {
  if (::fdatasync(descriptor_) != 0)
    throw Error("{}: cannot be written ({})", part_.string(), std::strerror(errno));
  const nlohmann::json note = {
      {"bytes", remote_.bytes}, {"etag", remote_.etag}, {"segment_bytes", segment_bytes_}, {"done", done_}};
  write_file_atomically(note_, note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  saved_ = std::chrono::steady_clock::now();
}

void PartialFile::publish() {
  if (::fsync(descriptor_) != 0)
    throw Error("{}: cannot be written ({})", part_.string(), std::strerror(errno));
  fs::rename(part_, file_);
  fs::remove(note_);
}

void PartialFile::discard() {
  fs::remove(note_);
  fs::remove(part_);
}

}  // namespace ssd
