#include "data/dataset/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "data/dataset/coco_text.h"
#include "data/dataset/split_name.h"
#include "storage/comparable_name.h"
#include "storage/folder_walk.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// As much of a file as is looked at: its first images' names are in it.
constexpr std::size_t beginning = 1 << 18;
constexpr std::size_t names_to_try = 20;

using Role = SplitRole;

// An annotation file and what its name and beginning tell.
struct Candidate {
  fs::path file;
  Role role = Role::none;
  std::string split;               // what is left of the name without "instances_"
  int rank = 0;                    // of files of one role the lowest counts
  std::vector<std::string> names;  // of its first images
};

// The texts behind `"file_name":` in a piece of JSON, backslashes undone; where there is none those behind
// `"coco_url":`.
std::vector<std::string> file_names_in(std::string_view json) {
  std::vector<std::string> names;
  for (const std::string_view key : {"\"file_name\"", "\"coco_url\""}) {
    for (std::size_t at = json.find(key); at != std::string_view::npos && names.size() < names_to_try;
         at = json.find(key, at)) {
      at = json.find('"', at + key.size());
      if (at == std::string_view::npos) break;
      std::string name;
      for (++at; at < json.size() && json[at] != '"'; ++at) {
        if (json[at] == '\\' && at + 1 < json.size()) ++at;
        name += json[at];
      }
      if (at < json.size()) names.push_back(key == "\"coco_url\"" ? name_in_address(name) : std::move(name));
    }
    if (!names.empty()) break;
  }
  return names;
}

// A piece of a regular file, without the zeros that ASCII has in UTF-16.
std::string piece_of(const fs::path& file, std::uintmax_t begin) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(begin));
  std::string text(beginning, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  std::erase(text, '\0');
  return text;
}

// Of the first images. They may stand behind all annotations, as LVIS has them.
std::vector<std::string> first_names(const fs::path& file, const std::string& text) {
  std::vector<std::string> names = file_names_in(text);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  bool begun = false;  // the list of images
  for (std::uintmax_t at = beginning; !error && names.empty() && at < size; at += beginning - 64) {
    const std::string piece = piece_of(file, at);
    begun = begun || piece.find("\"images\"") != std::string::npos;
    if (begun) names = file_names_in(piece);
  }
  return names;
}

// `whole`: the file ends with the text.
bool looks_like_annotations(const std::string& text, bool whole) {
  const auto has = [&](const char* key) { return text.find(key) != std::string::npos; };
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf\xff\xfe");
  // A comment is none of JSON's, but the reader says so.
  if (first == std::string::npos || (text[first] != '{' && text[first] != '/')) return false;
  // Of categories alone Label Studio writes notes.json.
  return has("\"images\"") || (!whole && (has("\"annotations\"") || has("\"categories\"")));
}

// Key points have boxes as well, but beside other annotations they are those of the same images.
enum class KeyPoints { pass_over, take };

std::optional<Candidate> candidate(const fs::path& file, const fs::path& folder, KeyPoints key_points) {
  const std::string text = piece_of(file, 0);
  const std::string stem = file.stem().string();
  // What is named as annotations is taken for them, so that a broken file is refused by name, not passed
  // over.
  const bool is_named = stem.starts_with("instances_") && file.parent_path().filename() == "annotations";
  std::error_code unknown;
  const bool whole = fs::file_size(file, unknown) <= beginning;
  if (!is_named && !looks_like_annotations(text, whole)) return std::nullopt;
  if (has_word(stem, {"captions", "panoptic", "stuff", "info"})) return std::nullopt;
  if (key_points == KeyPoints::pass_over && has_word(stem, {"keypoints"})) return std::nullopt;
  Candidate result{file, split_role(stem), stem, 2, first_names(file, text)};
  if (stem.starts_with("instances_")) {
    result.split = stem.substr(10);
    result.rank = result.split.ends_with("2017") ? 0 : 1;
  }
  // What exporters call the one file of a set without splits.
  if (stem == "instances_default" || stem == "labels" || stem == "result") result.rank = 0;
  for (fs::path parent = file.parent_path(); result.role == Role::none && parent != folder;
       parent = parent.parent_path()) {
    result.role = split_role(parent.filename().string());
    if (result.role != Role::none) result.split = parent.filename().string();
  }
  return result;
}

// The JSON files so many folders below one.
void add_json_files(const fs::path& folder, int depth, std::vector<fs::path>& files) {
  std::error_code ignored;  // what cannot be looked into holds nothing
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || name == "__MACOSX") continue;
    if (depth > 0 && entry.is_directory(ignored)) add_json_files(entry.path(), depth - 1, files);
    const bool is_json = comparable_name(entry.path().extension().string()) == ".json";
    if (depth == 0 && is_json && entry.is_regular_file(ignored)) files.push_back(entry.path());
  }
}

// In the folder and those in it; where there are none, in those further down.
std::vector<Candidate> candidates_in(const fs::path& folder, KeyPoints key_points) {
  std::vector<Candidate> found;
  for (const int deepest : {1, 2, 3}) {
    std::vector<fs::path> files;
    for (int depth = deepest == 1 ? 0 : deepest; depth <= deepest; ++depth)
      add_json_files(folder, depth, files);
    std::ranges::sort(files);
    for (const fs::path& file : files)
      if (auto one = candidate(file, folder, key_points)) found.push_back(std::move(*one));
    if (!found.empty()) break;
  }
  return found;
}

// How many of the names lie in the folder, by themselves or by their last component.
std::size_t hits(const fs::path& folder, const std::vector<std::string>& names) {
  std::error_code ignored;
  return static_cast<std::size_t>(std::ranges::count_if(names, [&](const std::string& name) {
    const std::string last = name.substr(name.find_last_of("/\\") + 1);
    return fs::is_regular_file(folder / name, ignored) || fs::is_regular_file(folder / last, ignored);
  }));
}

// Where the images of a split may lie, from a folder of the data set on; the folder itself comes last.
void add_places(const Candidate& one, const fs::path& folder, std::vector<fs::path>& places) {
  const auto add_named = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) places.insert(places.end(), {folder / name, folder / "images" / name});
  };
  add_named({one.split.c_str()});
  if (one.role == Role::train) add_named({"train2017", "train2014", "train"});
  if (one.role == Role::val) add_named({"val2017", "val2014", "val", "valid"});
  if (one.role == Role::test) add_named({"test2017", "test"});
}

// The only folder below one in which images of these names lie.
std::optional<fs::path> only_folder_with(const std::vector<std::string>& names, const fs::path& folder) {
  std::set<std::string> wanted;  // last components
  for (const std::string& name : names) wanted.insert(name.substr(name.find_last_of("/\\") + 1));
  FolderWalk walk;
  walk.add(folder);
  std::set<fs::path> folders;
  for (const fs::path& file : walk.files())
    if (wanted.contains(file.filename().string())) folders.insert(file.parent_path());
  return folders.size() == 1 ? std::optional(*folders.begin()) : std::nullopt;
}

// A folder that is named after another split holds that split's images.
bool may_be_of(Role folder, Role annotations) {
  return folder == Role::none || annotations == Role::none || folder == annotations;
}

// `alone`: there are no other annotations whose images of the same names could be taken for these.
fs::path images_of(const Candidate& one, const fs::path& folder, bool alone) {
  const fs::path parent = one.file.parent_path();
  std::vector<fs::path> places, roots{folder};
  for (fs::path up = parent.parent_path(); parent != folder && up != folder; up = up.parent_path())
    roots.push_back(up);
  for (const fs::path& root : roots) add_places(one, root, places);
  places.insert(places.end(), {parent, parent / "images", parent / "data"});
  for (const fs::path& root : roots)
    places.insert(places.end(), {root / "images", root / "JPEGImages", root / "data", root});
  fs::path best = places.front();
  std::size_t most = 0;
  bool is_there = false;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (!fs::is_directory(place, ignored)) continue;
    const std::size_t found = hits(place, one.names);
    const bool is_any = place == parent || std::ranges::find(roots, place) != roots.end();
    if (found <= most && (is_there || is_any)) continue;
    best = place, most = found, is_there = true;
  }
  if (alone && most == 0)
    if (const auto elsewhere = only_folder_with(one.names, folder);
        elsewhere && may_be_of(split_role(elsewhere->filename().string()), one.role))
      return *elsewhere;
  return best;
}

std::string below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return relative.empty() || relative == "." ? "the folder itself" : relative.string();
}

}  // namespace

CocoLayout find_coco_layout(const fs::path& given) {
  const fs::path folder = given.has_filename() ? given : given.parent_path();  // without a slash at its end
  std::vector<Candidate> found = candidates_in(folder, KeyPoints::pass_over);
  if (found.empty()) found = candidates_in(folder, KeyPoints::take);
  const auto best_of = [&](Role role) -> const Candidate* {
    const Candidate* best = nullptr;
    for (const Candidate& one : found)
      if (one.role == role && (!best || one.rank < best->rank)) best = &one;
    return best;
  };
  const Candidate *train = best_of(Role::train), *val = best_of(Role::val);
  if (!val) val = best_of(Role::test);
  CocoLayout layout;
  if (!train) {
    const Candidate* unnamed = best_of(Role::none);
    const auto as_good = std::ranges::count_if(found, [&](const Candidate& one) {
      return unnamed && one.role == Role::none && one.rank == unnamed->rank;
    });
    layout.ambiguous = as_good > 1;
    if (as_good == 1) train = unnamed;
  }
  const auto split = [&](const Candidate& one) {
    return CocoLayout::Split{one.split, {one.file, images_of(one, folder, found.size() == 1)}};
  };
  if (train) layout.train = split(*train);
  if (val) layout.val = split(*val);
  for (const Candidate& one : found)
    if (&one != train && &one != val) layout.unused.push_back(split(one));
  return layout;
}

std::vector<CocoLayout::Split> CocoLayout::splits() const {
  std::vector<Split> all;
  for (const auto& one : {train, val})
    if (one) all.push_back(*one);
  all.insert(all.end(), unused.begin(), unused.end());
  return all;
}

std::optional<CocoLayout::Split> CocoLayout::find(std::string_view name) const {
  for (Split& one : splits())
    if (one.name == name) return std::move(one);
  const Role role = split_role(name);
  if (role == Role::train) return train;
  // A test split may stand in for validation, but the other way round is nobody's wish.
  if (role == Role::val) return val;
  return std::nullopt;
}

std::string CocoLayout::to_text(const fs::path& folder) const {
  std::vector<std::string> parts;
  const auto add = [&](const char* what, const std::optional<Split>& split) {
    if (split)
      parts.push_back(fmt::format("{} {} with images in {}", what, below(split->paths.annotations, folder),
                                  below(split->paths.images, folder)));
  };
  add("training", train);
  add("validation", val);
  std::string text = fmt::format("{}", fmt::join(parts, ", "));
  if (unused.empty()) return text;
  std::vector<std::string> names;
  for (const Split& one : unused) names.push_back(below(one.paths.annotations, folder));
  return text + fmt::format("{}not used: {}", text.empty() ? "" : "; ", fmt::join(names, ", "));
}

}  // namespace ssd
