#include "data/layouts/yolo_data.h"

#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>

#include "base/budgets.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/text_file.h"
#include "data/dataset/split_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::string where(const fs::path& file, const YAML::Mark& mark) {
  return mark.is_null() ? file.string() : fmt::format("{}:{}", file.string(), mark.line + 1);
}

// Whether a line, counted from 0, or the one before has a tab among the blanks it begins with.
bool has_tab_before(const std::string& text, int line) {
  std::istringstream stream(text);
  std::string at;
  for (int i = 0; i <= line && std::getline(stream, at); ++i)
    if (i + 1 >= line && at.substr(0, at.find_first_not_of(" \t")).find('\t') != at.npos) return true;
  return false;
}

YAML::Node load(const fs::path& file) {
  const std::string text = decode_text(read_text_file(file, budget::yaml), file.string());
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw Error("{}: {}{}; mend the file", where(file, error.mark), error.msg,
                has_tab_before(text, error.mark.line) ? " (a tab, where YAML has blanks)" : "");
  }
}

std::vector<std::string> read_names(const fs::path& file, const YAML::Node& node) {
  std::vector<std::string> names;
  if (node.IsSequence()) {
    for (const YAML::Node& name : node) names.push_back(name.as<std::string>());
  } else if (node.IsMap()) {
    for (const auto& entry : node) {
      const int number = entry.first.as<int>(-1);
      const auto place = static_cast<std::size_t>(std::max(number, 0));
      if (number < 0 || place >= budget::classes || (place < names.size() && !names[place].empty()))
        throw Error("{}: got class number \"{}\", expected each number from 0 on once",
                    where(file, entry.first.Mark()), entry.first.as<std::string>(""));
      names.resize(std::max(names.size(), place + 1));
      names[place] = entry.second.as<std::string>();
    }
  }
  if (names.empty())
    throw Error("{}: names are no list of classes; write names: [cat, dog]", where(file, node.Mark()));
  return names;
}

// What is wrong with the number of names; empty where nothing is. Some name no class of some numbers.
std::string miscount_of(const fs::path& file, const YAML::Node& data, const std::vector<std::string>& names) {
  const auto gap = std::ranges::find(names, std::string());
  const auto gaps = std::count(gap, names.end(), std::string());
  if (const YAML::Node stated = data["nc"]; stated) {
    const int count = stated.as<int>(-1);
    if (count != std::ssize(names) && count != std::ssize(names) - gaps)
      return fmt::format("{}: got nc: {}, expected {}, the number of names; correct one of the two",
                         where(file, stated.Mark()), stated.as<std::string>(""), names.size());
  }
  if (gaps == 0) return {};
  return fmt::format("{}: got no name of class {}, expected one for each of 0 to {}; add it",
                     where(file, data["names"].Mark()), gap - names.begin(), names.size() - 1);
}

// As Ultralytics calls the classes of a file that says only how many there are.
std::vector<std::string> numbered_names(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < std::min(count, static_cast<int>(budget::classes)); ++i)
    names.push_back(fmt::format("class_{}", i));
  return names;
}

// The path of another machine, from the longest end on that is there: "train/images" of
// "/home/me/pets/train/images". A last folder tells too little where it names no split.
std::optional<fs::path> find_end(const fs::path& root, const fs::path& path) {
  for (auto first = path.begin(); first != path.end(); ++first) {
    fs::path end;
    for (auto part = first; part != path.end(); ++part) end /= *part;
    const bool tells = std::distance(first, path.end()) > 1 || split_role(end.string()) != SplitRole::none;
    if (tells && end.is_relative() && fs::exists(root / end)) return (root / end).lexically_normal();
  }
  return std::nullopt;
}

// Where a place of a data file is looked for.
struct Places {
  fs::path file, root;

  // "../train/images" of exporters means the folder beside the data file all the same.
  std::vector<fs::path> candidates(const YAML::Node& node) const {
    const fs::path folder = file.parent_path();
    const fs::path path = path_of(node);
    fs::path inside = path.lexically_normal();
    while (!inside.empty() && *inside.begin() == "..") inside = inside.lexically_relative("..");
    std::vector<fs::path> all;
    for (const fs::path& candidate : {root / path, folder / path, folder / inside})
      if (const fs::path normal = candidate.lexically_normal(); std::ranges::find(all, normal) == all.end())
        all.push_back(normal);
    return all;
  }

  std::optional<fs::path> find(const YAML::Node& node) const {
    for (const fs::path& candidate : candidates(node))
      if (fs::exists(candidate)) return candidate;
    return find_end(root, path_of(node));
  }

 private:
  fs::path path_of(const YAML::Node& node) const {
    std::string text = node.as<std::string>();
    if (!fs::exists(file.parent_path() / text)) std::ranges::replace(text, '\\', '/');
    return text;
  }
};

// Those of a split, none, one or a list of them, that are there; the others are told in `missing`.
std::vector<fs::path> locate(const Places& places, const char* split, const YAML::Node& node,
                             std::vector<std::string>& missing) {
  std::vector<fs::path> paths;
  const auto add = [&](const YAML::Node& one) {
    if (const auto path = places.find(one)) {
      paths.push_back(*path);
      return;
    }
    std::vector<std::string> looked_at;
    for (const fs::path& candidate : places.candidates(one)) looked_at.push_back(candidate.string());
    missing.push_back(fmt::format(
        "{}: got {}, expected a folder or a list that is there, for {}; correct the path (looked for: {})",
        where(places.file, one.Mark()), one.as<std::string>(), split, fmt::join(looked_at, ", ")));
  };
  if (node.IsSequence()) {
    for (const YAML::Node& one : node) add(one);
  } else if (node.IsScalar() && !node.Scalar().empty()) {
    add(node);
  }
  return paths;
}

}  // namespace

std::optional<fs::path> find_yolo_data(const fs::path& folder) {
  if (fs::exists(folder / "data.yaml")) return folder / "data.yaml";
  std::vector<fs::path> found, below;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (std::error_code ignored;
        entry.is_directory(ignored) && fs::exists(entry.path() / "data.yaml", ignored))
      below.push_back(entry.path() / "data.yaml");
    const std::string extension = entry.path().extension().string();
    if (extension != ".yaml" && extension != ".yml") continue;
    const YAML::Node data = load(entry.path());
    if (data.IsMap() && data["names"]) found.push_back(entry.path());
  }
  if (found.empty() && !find_class_file(folder))
    found = std::move(below);  // unpacked into a folder of its own
  if (found.size() > 1) {
    std::ranges::sort(found);
    throw Error("{}: got several data files ({}, {}), expected one; give the file itself", folder.string(),
                found[0].lexically_relative(folder).string(), found[1].lexically_relative(folder).string());
  }
  return found.empty() ? std::nullopt : std::optional(found[0]);
}

YoloData read_yolo_data(const fs::path& file) {
  const YAML::Node data = load(file);
  if (!data.IsMap() || (!data["names"] && data["nc"].as<int>(0) < 1)) {
    throw Error("{}: got no names, expected the classes as names: [cat, dog]; add them", file.string());
  }
  try {
    YoloData yolo;
    const fs::path folder = fs::absolute(file).parent_path();
    const fs::path stated = folder / data["path"].as<std::string>("");
    yolo.root = fs::is_directory(stated) ? stated.lexically_normal() : folder;
    yolo.names = data["names"] ? read_names(file, data["names"]) : numbered_names(data["nc"].as<int>(0));
    yolo.miscounted = miscount_of(file, data, yolo.names);
    const Places places{fs::absolute(file), yolo.root};
    const auto located = [&](const char* split, std::vector<std::string>& missing) {
      return data[split] ? locate(places, split, data[split], missing) : std::vector<fs::path>();
    };
    yolo.train = located("train", yolo.missing);
    if (yolo.train.empty() && !yolo.missing.empty()) throw Error("{}", yolo.missing.front());
    yolo.val = located("val", yolo.missing);
    std::vector<std::string> passed_over;
    yolo.test = located("test", passed_over);
    yolo.key_points = static_cast<bool>(data["kpt_shape"]);
    return yolo;
  } catch (const YAML::Exception& error) {
    throw Error("{}: {}; mend the file", where(file, error.mark), error.msg);
  }
}

std::optional<fs::path> find_class_file(const fs::path& folder) {
  // Roboflow's stand beside the labels of each split.
  for (const fs::path& place : {folder, folder / "labels", folder / "data", folder / "train"}) {
    for (const std::string_view name : {"classes.txt", "labels.txt", "obj.names", "classes.names",
                                        "_darknet.labels", "predefined_classes.txt"}) {
      if (fs::is_regular_file(place / name)) return place / name;
    }
  }
  return std::nullopt;
}

}  // namespace ssd
