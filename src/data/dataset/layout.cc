#include "data/dataset/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace ssd {
namespace {

namespace fs = std::filesystem;

// As much of a file as is looked at: its first images' names are in it.
constexpr std::size_t beginning = 1 << 18;
constexpr std::size_t names_to_try = 20;

enum class Role { none, train, val, test };

// An annotation file and what its name and beginning tell.
struct Candidate {
  fs::path file;
  Role role = Role::none;
  std::string split;               // what is left of the name without "instances_"
  int rank = 0;                    // of files of one role the lowest counts
  std::vector<std::string> names;  // of its first images
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)))
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!words.back().empty())
      words.emplace_back();
  }
  return words;
}

bool has_word(const std::vector<std::string>& words, std::initializer_list<std::string_view> wanted) {
  return std::ranges::any_of(
      words, [&](const std::string& word) { return std::ranges::find(wanted, word) != wanted.end(); });
}

Role role_of(const std::vector<std::string>& words) {
  if (has_word(words, {"train", "training", "trainval"})) return Role::train;
  if (has_word(words, {"val", "valid", "validation", "minival", "dev"})) return Role::val;
  if (has_word(words, {"test", "testing"})) return Role::test;
  return Role::none;
}

// The texts behind `"file_name":` in a piece of JSON, backslashes undone.
std::vector<std::string> file_names_in(std::string_view json) {
  constexpr std::string_view key = "\"file_name\"";
  std::vector<std::string> names;
  for (std::size_t at = json.find(key); at != std::string_view::npos && names.size() < names_to_try;
       at = json.find(key, at)) {
    at = json.find('"', at + key.size());
    if (at == std::string_view::npos) break;
    std::string name;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
      if (json[at] == '\\' && at + 1 < json.size()) ++at;
      name += json[at];
    }
    if (at < json.size()) names.push_back(std::move(name));
  }
  return names;
}

// The beginning of a regular file.
std::string begin_of(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  std::ifstream stream(file, std::ios::binary);
  std::string text(beginning, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  return text;
}

std::optional<Candidate> candidate(const fs::path& file, const fs::path& folder) {
  const std::string text = begin_of(file);
  const std::string stem = file.stem().string();
  // What is named as annotations is taken for them, so that a broken file is refused by name, not passed over.
  const bool is_named = stem.starts_with("instances_") && file.parent_path().filename() == "annotations";
  const bool looks_right = text.find("\"images\"") != std::string::npos ||
                           text.find("\"annotations\"") != std::string::npos ||
                           text.find("\"categories\"") != std::string::npos;
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (!is_named && (!looks_right || first == std::string::npos || text[first] != '{')) return std::nullopt;
  const std::vector<std::string> words = words_of(stem);
  if (has_word(words, {"captions", "keypoints", "panoptic", "stuff", "info"})) return std::nullopt;
  Candidate result{file, role_of(words), stem, 2, file_names_in(text)};
  if (stem.starts_with("instances_")) {
    result.split = stem.substr(10);
    result.rank = result.split.ends_with("2017") ? 0 : 1;
  }
  // What exporters call the one file of a set without splits.
  if (stem == "instances_default" || stem == "labels" || stem == "result") result.rank = 0;
  const fs::path parent = file.parent_path();
  if (result.role == Role::none && parent != folder) {
    result.role = role_of(words_of(parent.filename().string()));
    if (result.role != Role::none) result.split = parent.filename().string();
  }
  return result;
}

void add_json_files(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code ignored;  // what cannot be looked into holds nothing
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".json" && entry.is_regular_file(ignored)) files.push_back(entry.path());
}

std::vector<Candidate> candidates_in(const fs::path& folder) {
  std::vector<fs::path> files;
  add_json_files(folder, files);
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_directory(ignored)) add_json_files(entry.path(), files);
  std::ranges::sort(files);
  std::vector<Candidate> found;
  for (const fs::path& file : files)
    if (auto one = candidate(file, folder)) found.push_back(std::move(*one));
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

fs::path images_of(const Candidate& one, const fs::path& folder) {
  const fs::path parent = one.file.parent_path();
  std::vector<fs::path> places{folder / one.split, folder / "images" / one.split};
  const auto add_named = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) places.insert(places.end(), {folder / name, folder / "images" / name});
  };
  if (one.role == Role::train) add_named({"train2017", "train2014", "train"});
  if (one.role == Role::val) add_named({"val2017", "val2014", "val", "valid"});
  if (one.role == Role::test) add_named({"test2017", "test"});
  places.insert(places.end(), {parent, parent / "images", parent / "data", folder / "images",
                               folder / "JPEGImages", folder / "data", folder});
  fs::path best = places.front();
  std::size_t most = 0;
  bool is_there = false;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (!fs::is_directory(place, ignored)) continue;
    const std::size_t found = hits(place, one.names);
    if (found <= most && (is_there || place == folder || place == parent)) continue;
    best = place, most = found, is_there = true;
  }
  return best;
}

std::string below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return relative.empty() || relative == "." ? "the folder itself" : relative.string();
}

}  // namespace

CocoLayout find_coco_layout(const fs::path& folder) {
  std::vector<Candidate> found = candidates_in(folder);
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
    return CocoLayout::Split{one.split, {one.file, images_of(one, folder)}};
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
  const Role role = role_of(words_of(name));
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
