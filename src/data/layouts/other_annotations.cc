#include "data/layouts/other_annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <span>
#include <sstream>
#include <string_view>
#include <system_error>

#include "base/counted.h"
#include "data/layouts/source_files.h"
#include "storage/comparable_name.h"
#include "storage/folder_walk.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t files_of_an_ending = 100, beginning = 4096;

struct Format {
  std::string_view ending;
  bool (*is_it)(const std::string& text);  // the beginning of a file; null: the ending tells
  std::string_view name;
  std::string_view advice;
};

bool has_all(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::ranges::all_of(parts, [&](std::string_view one) { return text.find(one) != text.npos; });
}
bool has_any(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view one) { return text.find(one) != text.npos; });
}

bool is_label_me(const std::string& text) { return has_all(text, {"\"shapes\"", "\"version\""}); }
bool is_via(const std::string& text) {
  return has_any(text, {"\"_via_", "\"shape_attributes\"", "region_shape_attributes", "\"file_attributes\""});
}
bool is_create_ml(const std::string& text) {
  return has_all(text, {"\"coordinates\"", "\"label\"", "\"image"});
}
bool is_label_studio(const std::string& text) {
  return has_any(text, {"\"rectanglelabels\"", "\"completed_by\"", "\"annotation_id\""});
}
bool is_supervisely(const std::string& text) { return has_any(text, {"\"classTitle\"", "\"geometryType\""}); }
bool is_datumaro(const std::string& text) {
  return has_all(text, {"\"categories\"", "\"label\"", "\"labels\""});
}
bool is_bdd(const std::string& text) { return has_any(text, {"\"box2d\""}); }
bool is_coco_list(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '[' && has_all(text, {"\"image_id\"", "\"bbox\""});
}
bool is_dlib(const std::string& text) { return has_all(text, {"<dataset", "<image", "<box"}); }
bool is_hugging_face(const std::string& text) { return has_all(text, {"\"file_name\"", "\"objects\""}); }

bool is_table(const std::string& text) {
  const std::string line = comparable_name(text.substr(0, text.find('\n')));
  if (has_all(line, {"xmin", "ymin"}) || has_all(line, {"x_min", "y_min"})) return true;
  const auto columns = 1 + std::ranges::count_if(line, [](char c) { return c == ',' || c == ';'; });
  return columns >= 6 && has_any(line, {".jpg", ".jpeg", ".png"});
}

// The words of a line, which counts from 0; none behind the last.
std::vector<std::string> words_of(const std::string& text, std::size_t line) {
  std::istringstream lines(text);
  std::string words;
  for (std::size_t i = 0; i <= line; ++i)
    if (!std::getline(lines, words)) return {};
  std::istringstream stream(words);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool are_numbers(std::span<const std::string> words) {
  return std::ranges::all_of(
      words, [](const std::string& word) { return word.find_first_not_of("0123456789.-+eE") == word.npos; });
}

// "a.jpg 10,20,30,40,0 ..."
bool is_keras(const std::string& text) {
  const std::vector<std::string> words = words_of(text, 0);
  if (words.size() < 2) return false;
  const std::string& box = words[1];
  return std::ranges::count(box, ',') == 4 && box.find_first_not_of("0123456789,") == box.npos;
}
// Class, truncated, occluded, angle, box, size, place, rotation.
bool is_kitti(const std::string& text) {
  const std::vector<std::string> words = words_of(text, 0);
  return (words.size() == 15 || words.size() == 16) && !are_numbers({words.data(), 1}) &&
         are_numbers(std::span(words).subspan(1));
}
// Four corners, class, difficult; two lines about the image may stand before them.
bool is_dota(const std::string& text) {
  for (const std::size_t line : {0u, 1u, 2u}) {
    const std::vector<std::string> words = words_of(text, line);
    if (words.size() == 10 && are_numbers(std::span(words).first(8)) && !are_numbers({&words[8], 1}))
      return true;
  }
  return false;
}

constexpr std::string_view there = "export COCO, YOLO or Pascal VOC from the program that made [it|them]";
constexpr std::string_view by_datumaro = "convert them to COCO (datum convert -f coco)";
constexpr Format formats[] = {
    {".json", is_label_me, "LabelMe's annotations", "convert them to COCO (labelme2coco)"},
    {".json", is_via, "annotations of the VGG Image Annotator", "export COCO from it"},
    {".csv", is_via, "annotations of the VGG Image Annotator", "export COCO from it"},
    {".json", is_create_ml, "CreateML's annotations", there},
    {".json", is_label_studio, "Label Studio's own export", there},
    {".json", is_supervisely, "Supervisely's annotations", there},
    {".json", is_bdd, "BDD100K's labels", "convert them to COCO (bdd100k.label.to_coco)"},
    {".json", is_datumaro, "Datumaro's annotations", by_datumaro},
    {".json", is_coco_list, "a list of boxes alone",
     "COCO's annotations are an object with the lists images, annotations and categories"},
    {".jsonl", is_hugging_face, "annotations as Hugging Face's image folders have them",
     "write them as COCO's"},
    {".parquet", nullptr, "a table of Hugging Face",
     "write its images and annotations to files, as COCO has them"},
    {".csv", is_table, "a table of boxes", there},
    {".tfrecord", nullptr, "TensorFlow's records", there},
    {".tfrecords", nullptr, "TensorFlow's records", there},
    {".record", nullptr, "TensorFlow's records", there},
    {".txt", is_keras, "a list of images with their boxes in pixels", there},
    {".txt", is_kitti, "KITTI's labels", by_datumaro},
    {".txt", is_dota, "DOTA's labels",
     "convert them to YOLO's (ultralytics.data.converter.convert_dota_to_yolo_obb)"},
    {".xml", is_dlib, "dlib's annotations", "convert them to Pascal VOC's or COCO's"},
};

std::string beginning_of(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  std::ifstream stream(file, std::ios::binary);
  std::string text(beginning, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  std::erase(text, '\0');  // that ASCII has in UTF-16
  return text;
}

const Format* format_of(const std::string& ending, const fs::path& file) {
  const std::string text = beginning_of(file);
  const auto found = std::ranges::find_if(
      formats, [&](const Format& one) { return one.ending == ending && (!one.is_it || one.is_it(text)); });
  return found == std::end(formats) ? nullptr : found;
}

}  // namespace

std::vector<OtherAnnotations> find_other_annotations(const fs::path& folder) {
  FolderWalk walk;
  walk.add(plain_path(folder));
  std::vector<fs::path> files = walk.files();
  std::ranges::sort(files);
  std::map<std::string, std::size_t> looked_at;  // by ending
  std::vector<OtherAnnotations> found;
  for (const fs::path& file : files) {
    const std::string ending = comparable_name(file.extension().string());
    if (std::ranges::find(formats, ending, &Format::ending) == std::end(formats)) continue;
    if (++looked_at[ending] > files_of_an_ending) continue;
    const Format* format = format_of(ending, file);
    if (!format) continue;
    const std::size_t number = format->name.starts_with("a ") || format->name.ends_with("export") ? 1 : 2;
    std::string text =
        in_number(number, fmt::format("{}, which [is|are] not read; {}", format->name, format->advice));
    if (std::ranges::find(found, text, &OtherAnnotations::text) == found.end())
      found.push_back({file, std::move(text)});
  }
  return found;
}

}  // namespace ssd
