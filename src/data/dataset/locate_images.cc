#include "data/dataset/locate_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "image/format.h"
#include "storage/comparable_name.h"
#include "storage/folder_walk.h"
#include "storage/name_in_url.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// The components of a name, the last one first.
std::vector<std::string_view> components(std::string_view name) {
  std::vector<std::string_view> parts;
  while (!name.empty()) {
    const std::size_t slash = name.find_last_of("/\\");
    const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
    if (!last.empty()) parts.push_back(last);
    name = slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
  }
  return parts;
}

// How well a file fits: the last components that it shares, in the same capitals before in others.
std::pair<bool, std::size_t> fit(const fs::path& file, const std::vector<std::string_view>& wanted) {
  const std::string path = file.string();
  const std::vector<std::string_view> own = components(path);
  std::size_t shared = 0;
  while (shared < std::min(own.size(), wanted.size()) &&
         comparable_name(own[shared]) == comparable_name(wanted[shared]))
    ++shared;
  return {own.front() == wanted.front(), shared};
}

}  // namespace

std::optional<fs::path> ImageIndex::find(std::string_view name) {
  if (auto found = find_spelled(name)) return found;
  for (const std::string& other : names_in_url(name))
    if (auto found = find_spelled(other)) return found;
  return find_without_ending(name);
}

std::optional<fs::path> ImageIndex::find_spelled(std::string_view name) {
  if (!made_) {
    FolderWalk walk;
    walk.add(folder_);
    for (const fs::path& file : walk.files()) files_.emplace(comparable_name(file.filename().string()), file);
    made_ = true;
  }
  const std::vector<std::string_view> wanted = components(name);
  if (wanted.empty()) return std::nullopt;
  const auto [begin, end] = files_.equal_range(comparable_name(wanted.front()));
  const fs::path* best = nullptr;
  std::pair<bool, std::size_t> best_fit;
  bool tie = false;
  for (auto one = begin; one != end; ++one) {
    const auto how = fit(one->second, wanted);
    tie = best && how == best_fit;
    if (best && how <= best_fit) continue;
    best = &one->second, best_fit = how;
  }
  return best && !tie ? std::optional(*best) : std::nullopt;
}

// "a" for a.jpg, where no other image is called a.
std::optional<fs::path> ImageIndex::find_without_ending(std::string_view name) const {
  const std::vector<std::string_view> wanted = components(name);
  if (wanted.empty()) return std::nullopt;
  const std::string stem = comparable_name(wanted.front()) + '.';
  std::optional<fs::path> found;
  for (auto one = files_.lower_bound(stem); one != files_.end() && one->first.starts_with(stem); ++one) {
    if (!is_image_name(one->second) || one->first.find('.', stem.size()) != std::string::npos) continue;
    if (found) return std::nullopt;
    found = one->second;
  }
  return found;
}

LocatedImages locate_images(CocoFile& coco, const fs::path& folder) {
  LocatedImages located;
  ImageIndex index(folder);
  for (CocoImage& image : coco.images) {
    const fs::path file = folder / image.file_name;
    if (std::error_code ignored; fs::is_regular_file(file, ignored)) continue;
    const auto found = folder.empty() ? std::nullopt : index.find(image.file_name);
    if (!found) {
      located.missing.push_back(file.string());
      continue;
    }
    std::string name = found->lexically_relative(folder).string();
    located.helped.push_back(fmt::format("{} is {}", image.file_name, name));
    image.file_name = std::move(name);
  }
  return located;
}

}  // namespace ssd
