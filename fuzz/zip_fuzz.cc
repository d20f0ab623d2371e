// Archives that were downloaded: they are unpacked below their folder, within their budget, or refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "base/budgets.h"
#include "base/error.h"
#include "file_in_folder.h"
#include "prepare/download/download_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fs = std::filesystem;
  static const ssd::FuzzFolder folder;
  folder.write("a.zip", data, size);
  const fs::path target = folder.path() / "in/target";
  fs::remove_all(target);
  try {
    ssd::unzip(folder.path() / "a.zip", target, {.threads = 1}, {});
  } catch (const ssd::Error&) {
  } catch (const fs::filesystem_error&) {  // a name too long for the file system
  }
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    const fs::path inside = entry.path().lexically_relative(folder.path());
    if (*inside.begin() != "in" && inside != "a.zip") std::abort();
    if (entry.is_symlink()) std::abort();
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  if (bytes > size + ssd::budget::zip_least + ssd::budget::zip_growth * size) std::abort();
  return 0;
}
