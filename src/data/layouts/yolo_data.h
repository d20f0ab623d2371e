// YOLO's data.yaml.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssd {

struct YoloData {
  std::filesystem::path root;                // folder that holds everything
  std::vector<std::string> names;            // classes by number; empty: no class has it
  std::vector<std::filesystem::path> train;  // folders of images, or lists (.txt)
  std::vector<std::filesystem::path> val;
  std::vector<std::filesystem::path> test;  // those that are there
  // Places of train or val that are not there: "data.yaml:3: got ../valid/images, expected ...".
  std::vector<std::string> missing;
  bool key_points = false;  // lines go on after the box
  std::string miscounted;   // "data.yaml:4: got nc: 3, expected 2, ..."; empty where `nc` is right
};

// The data file in `folder`: data.yaml, else the only yaml file that has names. Nothing if there is none.
std::optional<std::filesystem::path> find_yolo_data(const std::filesystem::path& folder);

// Reads it. Paths are looked for below `path`, below the file's folder, and, where they begin with "..", as
// exporters write them, below the file's folder without it. Of train and val those that are not there are
// named in `missing`, of test passed over. Throws Error (file and line) for malformed yaml, missing names
// and for a train of which nothing is there.
YoloData read_yolo_data(const std::filesystem::path& file);

// The file with names one a line (classes.txt, obj.names, ...) in `folder` or its folders labels and data.
std::optional<std::filesystem::path> find_class_file(const std::filesystem::path& folder);

}  // namespace ssd
