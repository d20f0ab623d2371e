#include "data/layouts/folder_contents.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <unordered_set>

#include "base/counted.h"
#include "data/layouts/other_annotations.h"
#include "data/layouts/source_files.h"
#include "image/format.h"
#include "storage/comparable_name.h"
#include "storage/folder_walk.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kinds_named = 8, files_named = 2;

// Files by what is said of them.
class Kinds {
 public:
  explicit Kinds(const fs::path& folder) : folder_(plain_path(folder)) {}

  void add(const std::string& kind, const fs::path& file) {
    auto& [count, first] = kinds_[kind];
    ++count;
    // The first by name, whatever order the folder has.
    first.insert(std::ranges::upper_bound(first, file), file);
    if (first.size() > files_named) first.pop_back();
  }

  std::string to_text() const {
    std::vector<std::pair<std::size_t, std::string>> order;
    for (const auto& [kind, files] : kinds_) order.emplace_back(files.count, kind);
    std::ranges::stable_sort(order, std::greater<>(), [](const auto& one) { return one.first; });
    std::vector<std::string> parts;
    for (const auto& [count, kind] : order) {
      if (parts.size() == kinds_named) {
        parts.push_back("...");
        break;
      }
      std::vector<std::string> names;
      for (const fs::path& file : kinds_.at(kind).first) names.push_back(file.lexically_relative(folder_));
      if (count > names.size()) names.push_back("...");
      parts.push_back(fmt::format("{} ({})", counted(count, kind), fmt::join(names, ", ")));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
  }

 private:
  struct Files {
    std::size_t count = 0;
    std::vector<fs::path> first;
  };
  fs::path folder_;
  std::map<std::string, Files> kinds_;
};

std::string kind_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension.find_first_of("[]") != extension.npos) return "file[s] with an odd ending";
  return extension.empty() ? "file[s] without an ending" : extension + " file[s]";
}

std::vector<fs::path> files_below(const fs::path& folder) {
  FolderWalk walk;
  walk.add(plain_path(folder));
  return walk.files();
}

std::unordered_set<std::string> plain_names(const std::vector<fs::path>& files) {
  std::unordered_set<std::string> names;
  for (const fs::path& file : files) names.insert(plain_path(file).string());
  return names;
}

bool is_any_below(const fs::path& file, const std::vector<fs::path>& folders) {
  return std::ranges::any_of(folders, [&](const fs::path& folder) { return is_below(file, folder); });
}

}  // namespace

std::string unused_text(const fs::path& folder, const UsedFiles& used) {
  const auto images = plain_names(used.images), annotations = plain_names(used.annotations);
  Kinds kinds(folder);
  for (const fs::path& file : files_below(folder)) {
    const std::string extension = comparable_name(file.extension().string());
    if (annotations.contains(file.string()) || images.contains(file.string())) continue;
    if (used.text && (extension == ".txt" || extension == ".names" || extension == ".yaml" ||
                      extension == ".yml" || extension == ".data" || extension == ".labels"))
      continue;
    if (used.xml && (extension == ".xml" || extension == ".txt")) continue;
    if (!is_image_name(file))
      kinds.add(kind_of(file), file);
    else if (!is_any_below(file, used.not_looked_into))
      kinds.add("image[s] of no annotation", file);
  }
  return kinds.to_text();
}

std::string seen_text(const fs::path& folder) {
  Kinds kinds(folder);
  for (const fs::path& file : files_below(folder)) kinds.add(kind_of(file), file);
  const std::string text = kinds.to_text();
  if (text.empty()) return "it is empty";
  std::string others;
  for (const OtherAnnotations& one : find_other_annotations(folder))
    others += fmt::format("; {}: {}", one.file.lexically_relative(plain_path(folder)).string(), one.text);
  return "seen: " + text + others;
}

}  // namespace ssd
