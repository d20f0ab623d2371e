#include "prepare/check/check_overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <system_error>
#include <unordered_map>

#include "base/error.h"
#include "storage/checksum.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class Hashes {
 public:
  // Nothing for a file that cannot be read. Each is read once.
  std::optional<std::uint64_t> of(const fs::path& file) {
    const auto [at, is_new] = known_.try_emplace(file.string());
    if (!is_new) return at->second;
    try {
      at->second = xxh64(read_file(file.string(), buffer_));
    } catch (const Error&) {  // the check of the images has said why
    }
    return at->second;
  }

 private:
  std::vector<std::byte> buffer_;
  std::map<std::string, std::optional<std::uint64_t>> known_;
};

}  // namespace

void find_overlap(const std::vector<fs::path>& training, const std::vector<fs::path>& validation,
                  std::vector<CheckFinding>& findings) {
  std::unordered_multimap<std::uintmax_t, const fs::path*> by_size;
  for (const fs::path& file : training) {
    std::error_code error;
    if (const auto size = fs::file_size(file, error); !error && size > 0) by_size.emplace(size, &file);
  }
  Hashes hashes;
  for (const fs::path& file : validation) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error) continue;
    const auto [begin, end] = by_size.equal_range(size);
    const auto is_same = [&](const auto& one) {
      const auto hash = hashes.of(file);
      return *one.second == file || (hash && hash == hashes.of(*one.second));
    };
    if (const auto same = std::find_if(begin, end, is_same); same != end)
      findings.push_back({CheckProblem::image_in_two_splits, file.string(),
                          *same->second == file
                              ? "training has it too"
                              : fmt::format("training has the same bytes: {}", same->second->string())});
  }
}

}  // namespace ssd
