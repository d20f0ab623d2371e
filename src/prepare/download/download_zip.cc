#include "prepare/download/download_zip.h"

#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <vector>

#include "base/budgets.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "storage/atomic_file.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

struct Close {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Close>;

struct Entry {
  zip_uint64_t index = 0;
  std::string name;
  std::uint64_t bytes = 0;
};

Archive open_archive(const fs::path& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error("{}: cannot be read as a zip archive ({}); remove it and download it again", path.string(),
              reason);
}

bool is_link(zip_t* archive, zip_uint64_t index) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  zip_file_get_external_attributes(archive, index, 0, &system, &attributes);
  return system == ZIP_OPSYS_UNIX && S_ISLNK(attributes >> 16);
}

bool leads_out(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != name.npos || name.find(':') != name.npos)
    return true;
  for (const fs::path& part : fs::path(name)) {
    if (part == "..") return true;
  }
  return false;
}

// The files to unpack; every name in the archive is checked, wanted or not.
std::vector<Entry> list_entries(const fs::path& path, const UnzipOptions& options) {
  const Archive archive = open_archive(path);
  std::vector<Entry> entries;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (zip_uint64_t index = 0; index < count; ++index) {
    zip_stat_t stat;
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE;
    if (zip_stat_index(archive.get(), index, 0, &stat) != 0 || (stat.valid & needed) != needed) {
      throw Error("{}: entry {} cannot be read ({})", path.string(), index, zip_strerror(archive.get()));
    }
    const std::string name = stat.name;
    if (leads_out(name) || is_link(archive.get(), index)) {
      throw Error(
          "{}: entry {} is named \"{}\" or is a link, expected a file below the folder; do not trust this "
          "archive",
          path.string(), index, name);
    }
    if (name.back() != '/' && (!options.keep || options.keep(name)))
      entries.push_back({index, name, stat.size});
  }
  return entries;
}

// Reads to the end, so that libzip compares the CRC-32.
void write_entry(zip_t* archive, const Entry& entry, AtomicFile& out, std::vector<char>& buffer) {
  const std::unique_ptr<zip_file_t, Close> file(zip_fopen_index(archive, entry.index, 0));
  if (!file) throw Error("{}: cannot be unpacked ({})", entry.name, zip_strerror(archive));
  std::uint64_t written = 0;
  for (;;) {
    const auto count = zip_fread(file.get(), buffer.data(), buffer.size());
    if (count < 0) throw Error("{}: cannot be unpacked ({})", entry.name, zip_file_strerror(file.get()));
    if (count == 0) break;
    written += static_cast<std::uint64_t>(count);
    if (written > entry.bytes) break;
    out.write(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  }
  if (written != entry.bytes) {
    throw Error("{}: got {} or more bytes, expected {}; the archive is broken", entry.name, written,
                entry.bytes);
  }
}

void unpack(zip_t* archive, const Entry& entry, const fs::path& folder, std::vector<char>& buffer) {
  const fs::path target = folder / entry.name;
  std::error_code missing;
  const auto present = fs::file_size(target, missing);
  if (!missing && present == entry.bytes) return;
  fs::create_directories(target.parent_path());
  AtomicFile file(target);
  write_entry(archive, entry, file, buffer);
  file.commit_unsynced();
}

// A few bytes of zip can state any number.
void check_growth(const fs::path& archive, const std::vector<Entry>& entries) {
  const std::uint64_t most = std::max(budget::zip_least, budget::zip_growth * fs::file_size(archive));
  std::uint64_t sum = 0;
  for (const Entry& entry : entries) {
    if (entry.bytes <= most - sum) {
      sum += entry.bytes;
      continue;
    }
    throw Error(
        "{}: would grow to more than {} MiB, expected at most {} times its own size; do not trust this "
        "archive",
        archive.string(), most / budget::mib, budget::zip_growth);
  }
}

void check_room(const fs::path& folder, const std::vector<Entry>& entries) {
  std::uint64_t needed = 0;
  for (const Entry& entry : entries) {
    std::error_code missing;
    const auto present = fs::file_size(folder / entry.name, missing);
    if (missing || present != entry.bytes) needed += entry.bytes;
  }
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (!error && space.available < needed) {
    throw Error(
        "{}: got {} MB of free disk space, expected at least {} MB; make room or choose another folder",
        folder.string(), space.available >> 20, (needed >> 20) + 1);
  }
}

// What an unpacking that was killed has left.
void remove_leftovers(const fs::path& folder, const std::vector<Entry>& entries) {
  std::set<fs::path> folders;
  for (const Entry& entry : entries) folders.insert(folder_of(folder / entry.name));
  for (const fs::path& place : folders) remove_leftovers_in(place);
}

}  // namespace

std::size_t unzip(const fs::path& archive, const fs::path& folder, const UnzipOptions& options,
                  const DownloadCallback& progress) {
  const std::vector<Entry> entries = list_entries(archive, options);
  check_growth(archive, entries);
  fs::create_directories(folder);
  remove_leftovers(folder, entries);
  check_room(folder, entries);
  std::mutex mutex;
  std::uint64_t done = 0;
  // An open archive serves one thread, so each worker opens it and takes every n-th entry.
  const auto workers = static_cast<std::size_t>(std::max(1, options.threads));
  std::atomic<bool> stopped{false};
  const auto work = [&](std::size_t worker) {
    const Archive own = open_archive(archive);
    std::vector<char> buffer(1u << 20);
    for (std::size_t i = worker; i < entries.size() && !stopped; i += workers) {
      try {
        unpack(own.get(), entries[i], folder, buffer);
      } catch (const Error& error) {
        stopped = true;
        throw Error("{}: {}", archive.string(), error.what());
      }
      if (!progress) continue;
      std::lock_guard lock(mutex);
      const DownloadProgress report{DownloadProgress::Stage::extract, archive.filename().string(), ++done,
                                    entries.size()};
      if (stopped || progress(report)) continue;
      stopped = true;
      throw Error("unpacking {} stopped; run again to go on from here", archive.string());
    }
  };
  ThreadPool(static_cast<int>(workers)).parallel_for(workers, work);
  return entries.size();
}

}  // namespace ssd
