#include "data/layouts/yolo_labels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>

#include "base/encoding.h"
#include "base/error.h"
#include "base/text_file.h"

namespace ssd {
namespace {

// Commas between numbers become blanks, those of decimals ("0 0,5 0,25 1 1") points.
std::string without_commas(std::string line) {
  if (line.find(',') == std::string::npos) return line;
  bool decimal = line.find('.') == std::string::npos && line.find_first_of(" \t") != std::string::npos;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < line.size() && line[at] >= '0' && line[at] <= '9'; };
    if (line[i] == ',') decimal = decimal && i > 0 && digit(i - 1) && digit(i + 1);
  }
  std::ranges::replace(line, ',', decimal ? '.' : ' ');
  return line;
}

// The numbers of a line; nothing where one of its words is none.
std::optional<std::vector<double>> numbers_of(const std::string& text) {
  constexpr std::string_view blanks = " \t\r";
  const std::string line = without_commas(text);
  std::vector<double> numbers;
  for (auto at = line.find_first_not_of(blanks); at != line.npos; at = line.find_first_not_of(blanks, at)) {
    const auto end = std::min(line.find_first_of(blanks, at), line.size());
    double value = 0;
    const auto [rest, error] = std::from_chars(line.data() + at, line.data() + end, value);
    if (error != std::errc() || rest != line.data() + end || !std::isfinite(value)) return std::nullopt;
    numbers.push_back(value);
    at = end;
  }
  return numbers;
}

constexpr std::size_t tracked_numbers = 7;  // class cx cy w h confidence track

// Whether the line begins with a box.
bool is_inside(const std::vector<double>& values) {
  constexpr double tolerance = 0.05;  // trackers' boxes reach a little over the edge
  for (const std::size_t axis : {1u, 2u}) {
    const double centre = values[axis], extent = values[axis + 2];
    if (extent <= 0 || centre - extent / 2 < -tolerance || centre + extent / 2 > 1 + tolerance) return false;
  }
  return true;
}

bool fits_tracked(const std::vector<double>& values) {
  const double confidence = values[5], track = values[6];
  return confidence >= 0 && confidence <= 1 && track >= 1 && track == std::floor(track) && is_inside(values);
}

// left, top, right, bottom of a line, in normalized coordinates.
std::array<double, 4> extent_of(const std::vector<double>& numbers, bool polygon) {
  if (!polygon) {
    const double cx = numbers[1], cy = numbers[2], w = numbers[3], h = numbers[4];
    return {cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2};
  }
  std::array<double, 4> extent{numbers[1], numbers[2], numbers[1], numbers[2]};
  for (std::size_t i = 1; i + 1 < numbers.size(); i += 2) {
    extent[0] = std::min(extent[0], numbers[i]);
    extent[1] = std::min(extent[1], numbers[i + 1]);
    extent[2] = std::max(extent[2], numbers[i]);
    extent[3] = std::max(extent[3], numbers[i + 1]);
  }
  return extent;
}

std::string place_of(const YoloLabels& labels, const YoloLabels::Line& line) {
  return fmt::format("{}:{}", labels.file.string(), line.number);
}

const std::string& class_of(double number, std::span<const std::string> classes, const std::string& place) {
  if (number != std::floor(number) || number < 0 || number >= static_cast<double>(classes.size()))
    throw Error("{}: got class {}, expected 0 to {}; mend the line or add the class's name", place, number,
                classes.size() - 1);
  const std::string& name = classes[static_cast<std::size_t>(number)];
  if (name.empty())
    throw Error("{}: got class {}, which has no name; mend the line or add the class's name", place, number);
  return name;
}

}  // namespace

YoloLabels read_yolo_labels(const std::filesystem::path& file) {
  std::string text = decode_text(read_text_file(file, budget::labels), file.string());
  if (text.find('\n') == std::string::npos) std::ranges::replace(text, '\r', '\n');
  std::istringstream stream(text);
  YoloLabels labels{.file = file, .lines = {}, .faults = {}};
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (trimmed(line).starts_with('#')) continue;
    auto numbers = numbers_of(line);
    if (!numbers)
      labels.faults.push_back(
          fmt::format("{}:{}: got \"{}\", expected numbers: class cx cy w h; mend the line", file.string(),
                      number, line));
    else if (!numbers->empty())
      labels.lines.push_back({number, std::move(*numbers)});
  }
  return labels;
}

bool holds_yolo_labels(const std::filesystem::path& file) {
  try {
    const YoloLabels labels = read_yolo_labels(file);
    return labels.lines.size() > labels.faults.size() && labels.lines.front().values.size() >= 5;
  } catch (const Error&) {
    return false;
  }
}

bool are_tracked(std::span<const YoloLabels> labels) {
  std::size_t sevens = 0, fitting = 0, ends_beyond_one = 0, longer = 0;
  for (const YoloLabels& file : labels) {
    for (const YoloLabels::Line& line : file.lines) {
      const std::vector<double>& values = line.values;
      longer += values.size() > tracked_numbers;
      if (values.size() != tracked_numbers) continue;
      ++sevens;
      if (!fits_tracked(values)) continue;
      ++fitting;
      ends_beyond_one += values.back() > 1;
    }
  }
  // Triangles that all touch the bottom end in 1 as well: then there are other polygons beside them.
  return sevens > 0 && 10 * fitting >= 9 * sevens && (ends_beyond_one > 0 || longer == 0);
}

bool have_key_points(std::span<const YoloLabels> labels) {
  std::size_t numbers = 0;  // of a line
  bool any_visible = false;
  for (const YoloLabels& file : labels) {
    for (const YoloLabels::Line& line : file.lines) {
      const std::vector<double>& values = line.values;
      if (numbers == 0) numbers = values.size();
      if (values.size() != numbers || numbers < 8 || numbers % 3 != 2 || !is_inside(values)) return false;
      for (std::size_t i = 7; i < numbers; i += 3) {
        if (values[i] != 0 && values[i] != 1 && values[i] != 2) return false;
        any_visible = any_visible || values[i] == 2;
      }
    }
  }
  return any_visible;
}

std::optional<ForeignBox> yolo_box(const YoloLabels& labels, const YoloLabels::Line& line,
                                   const YoloFormat& format, const ForeignImage& image, ForeignNotes& notes) {
  const std::vector<double>& numbers = line.values;
  const std::string place = place_of(labels, line);
  const bool tracked = format.tracked && numbers.size() == tracked_numbers;
  const bool polygon = !format.key_points && !tracked && numbers.size() >= 7 && numbers.size() % 2 == 1;
  // A sixth number is the confidence of a model that made the labels.
  const bool box =
      tracked || (format.key_points ? numbers.size() >= 5 : numbers.size() == 5 || numbers.size() == 6);
  if (!polygon && !box)
    throw Error("{}: got {} numbers, expected 5 (class cx cy w h) or the corners of a polygon; mend the line",
                place, numbers.size());
  const std::string& category = class_of(numbers[0], format.classes, place);
  // Behind a box stand a confidence, a track or key points, which may be of any size.
  const auto coordinates_end = polygon ? numbers.end() : numbers.begin() + 5;
  const auto pixels =
      std::find_if(numbers.begin() + 1, coordinates_end, [](double v) { return std::abs(v) > 2; });
  if (pixels != coordinates_end)
    throw Error(
        "{}: got {}, expected normalized coordinates between 0 and 1; divide by the image's width and height",
        place, *pixels);
  const auto [left, top, right, bottom] = extent_of(numbers, polygon);
  const double width = (right - left) * image.width, height = (bottom - top) * image.height;
  if (!(width > 0 && height > 0)) {
    notes.add(ForeignNote::box_without_size, place);
    return std::nullopt;
  }
  if (polygon) notes.add(ForeignNote::polygon_boxed, place);
  if (tracked) notes.add(ForeignNote::box_tracked, place);
  if (format.key_points && numbers.size() > 6) notes.add(ForeignNote::box_with_key_points, place);
  return ForeignBox{category, {left * image.width, top * image.height, width, height}};
}

}  // namespace ssd
