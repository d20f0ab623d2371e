#include "backend/pjrt/program_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text_file.h"
#include "storage/atomic_file.h"
#include "storage/temporary_name.h"

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

constexpr char magic[8] = {'S', 'S', 'P', 'R', 'O', 'G', '0', '1'};

// Fowler, Noll and Vo's FNV-1a; `start` makes independent ones.
std::uint64_t hash(const std::string& bytes, std::uint64_t start = 0xcbf29ce484222325u) {
  for (const char c : bytes) start = (start ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return start;
}

// magic, then key length, key, length, checksum, and the program itself.
struct Header {
  char magic[8];
  std::uint64_t key_length;
  std::uint64_t length;
  std::uint64_t checksum;
};

struct Entry {
  fs::path path;
  std::uint64_t bytes;
  fs::file_time_type used;  // written or read
};

// Programs, and what writers that were killed have left of them.
std::vector<Entry> entries_of(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code ignored;
  for (const fs::directory_entry& file : fs::directory_iterator(folder, ignored)) {
    if (file.path().filename().string().find(".program") == std::string::npos) continue;
    std::error_code gone;
    const std::uint64_t bytes = file.file_size(gone);
    if (gone) continue;
    const fs::file_time_type used = file.last_write_time(gone);
    if (!gone) entries.push_back({file.path(), bytes, used});
  }
  return entries;
}

}  // namespace

std::string ProgramCache::default_folder() {
  if (const char* folder = std::getenv("SINGLESHOT_CACHE"); folder != nullptr && *folder != 0)
    return std::string_view(folder) == "off" ? "" : folder;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
    return fs::path(cache) / "singleshot";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    return fs::path(home) / ".cache/singleshot";
  return "";
}

std::string ProgramCache::path_of(const std::string& key) const {
  return fs::path(folder_) / fmt::format("{:016x}{:016x}.program", hash(key), hash(key, 0x84222325cbf29ce4u));
}

std::optional<std::string> ProgramCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::string text;
  try {
    if (std::error_code absent; !fs::is_regular_file(path_of(key), absent)) return std::nullopt;
    text = read_text_file(path_of(key), budget::program);
  } catch (const Error&) {  // then it is compiled again
    return std::nullopt;
  }
  Header header;
  if (text.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, text.data(), sizeof header);
  if (std::memcmp(header.magic, magic, sizeof magic) != 0 || header.key_length != key.size())
    return std::nullopt;
  const std::size_t start = sizeof header + key.size();
  if (text.size() < start || text.size() - start != header.length) return std::nullopt;
  if (text.compare(sizeof header, key.size(), key) != 0) return std::nullopt;
  std::string bytes = text.substr(start);
  if (hash(bytes) != header.checksum) return std::nullopt;
  std::error_code ignored;
  fs::last_write_time(path_of(key), fs::file_time_type::clock::now(), ignored);  // for prune()
  return bytes;
}

void ProgramCache::store(const std::string& key, const std::string& bytes) const {
  if (folder_.empty()) return;
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const std::string path = path_of(key);
  Header header{};
  std::memcpy(header.magic, magic, sizeof magic);
  header.key_length = key.size();
  header.length = bytes.size();
  header.checksum = hash(bytes);
  try {
    remove_leftovers_of(path);
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&header, 1)));
    file.write(key);
    file.write(bytes);
    file.commit_unsynced();  // a torn one is told by its checksum, and compiled again
  } catch (const Error&) {
    // A folder that cannot be written to: the next run compiles again.
  }
  prune();
}

// Other processes may do the same at this moment: what is gone already is fine.
void ProgramCache::prune() const {
  std::error_code ignored;
  std::vector<Entry> entries = entries_of(folder_);
  std::ranges::sort(entries, std::ranges::greater(), &Entry::used);
  std::uint64_t sum = 0;
  for (const Entry& entry : entries) {
    sum += entry.bytes;
    if (sum > limit_) fs::remove(entry.path, ignored);
  }
}

}  // namespace ssd::pjrt
