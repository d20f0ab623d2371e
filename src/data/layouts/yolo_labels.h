// YOLO's label files: one line a box.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/layouts/foreign_set.h"

namespace ssd {

// One label file's lines as numbers.
struct YoloLabels {
  struct Line {
    int number = 0;  // from 1 on
    std::vector<double> values;
  };
  std::filesystem::path file;
  std::vector<Line> lines;  // those that are not empty
  // Lines that hold something else than numbers: "b.txt:2: got "0 half 0.1", expected numbers ...".
  std::vector<std::string> faults;
};

// Numbers stand apart by blanks or commas; lines that begin with # are passed over. Throws Error for a file
// that cannot be read or is no text.
YoloLabels read_yolo_labels(const std::filesystem::path& file);

// Whether most of the file's lines could be labels. Nothing is thrown for a file that cannot be read.
bool holds_yolo_labels(const std::filesystem::path& file);

// What the numbers behind the class are.
struct YoloFormat {
  std::span<const std::string> classes;
  bool key_points = false;  // behind the box; else more than six numbers are a polygon
  bool tracked = false;     // seven numbers are a box, a confidence and the number of a track
};

// Whether lines of seven numbers are boxes of a tracker (class cx cy w h confidence track), and not polygons
// of three corners: nearly all of them end in a whole number from 1 on, as numbers of tracks do and
// coordinates do not, and their boxes lie in the image.
bool are_tracked(std::span<const YoloLabels> labels);

// Whether behind the boxes stand key points, though the data file does not say so: all lines are as long,
// each third number behind the box is a visibility (0, 1 or 2), and some are 2, which no polygon has.
bool have_key_points(std::span<const YoloLabels> labels);

// The box of a line in an image of that size. Nothing, with a note, for one without width or height. Throws
// Error (file and line) for an unknown class, numbers that are no normalized coordinates, or too few.
std::optional<ForeignBox> yolo_box(const YoloLabels& labels, const YoloLabels::Line& line,
                                   const YoloFormat& format, const ForeignImage& image, ForeignNotes& notes);

}  // namespace ssd
