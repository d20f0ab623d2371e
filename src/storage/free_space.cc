#include "storage/free_space.h"

#include <system_error>

#include "base/error.h"

namespace ssd {
namespace {

// The folder itself, or the nearest one above it that there is.
std::filesystem::path existing_part(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path path = std::filesystem::absolute(folder, ignored);
  while (!path.empty() && !std::filesystem::exists(path, ignored) && path != path.parent_path())
    path = path.parent_path();
  return path;
}

}  // namespace

void require_free_space(const std::filesystem::path& folder, std::uint64_t bytes, const char* what) {
  constexpr double megabyte = 1e6;
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(existing_part(folder), failed);
  if (failed || space.capacity == 0 || space.available >= bytes) return;
  throw Error(
      "{}: {} need {:.0f} MB, of which its disk has {:.0f} MB left; make room, or choose another folder",
      folder.string(), what, static_cast<double>(bytes) / megabyte,
      static_cast<double>(space.available) / megabyte);
}

}  // namespace ssd
