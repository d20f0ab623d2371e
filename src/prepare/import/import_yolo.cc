#include "prepare/import/import_yolo.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "prepare/import/import_source.h"
#include "prepare/import/import_splits.h"
#include "prepare/import/import_yolo_data.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// The numbers of a line; nothing where one of its words is none.
std::optional<std::vector<double>> numbers_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
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

// The data set while it is read.
class YoloImporter {
 public:
  YoloImporter(const ImportSource& source, const YoloData& data, const ImportOptions& options,
               ImportReport& report)
      : source_(source), data_(data), options_(options), report_(report) {}

  std::vector<ImportedImage> read();
  // Whether every image of train is one of val as well.
  bool train_is_val() const { return train_is_val_; }

 private:
  void add_all();
  void add(const fs::path& place, ImportSplit split);
  void add_image(const fs::path& image_file, ImportSplit split);
  void settle_shared();
  void note_left_out();
  void find_labels();
  std::optional<fs::path> own_label_file(const fs::path& image_file) const;
  std::optional<fs::path> label_file(const fs::path& image_file) const;
  void read_image(ImportedImage& image);
  void read_labels(const fs::path& file, ImportedImage& image);
  std::optional<ImportedBox> read_line(const std::vector<double>& numbers, const ImportedImage& image,
                                       const std::string& place);

  const ImportSource& source_;
  const YoloData& data_;
  const ImportOptions& options_;
  ImportReport& report_;
  std::vector<ImportedImage> images_;
  std::unordered_map<std::string, std::size_t> index_;  // of images_, by file
  std::vector<std::string> shared_;                     // images of val that train names as well
  bool train_is_val_ = false;
  std::optional<fs::path> class_file_;
  // Text files by stem, but for those that lie where an image's own labels do.
  std::map<std::string, std::vector<fs::path>> stray_labels_;
};

std::vector<ImportedImage> YoloImporter::read() {
  find_labels();
  // Validation first: an image that both name is not to be trained on.
  for (const fs::path& place : data_.val) add(place, ImportSplit::val);
  for (const fs::path& place : data_.train) add(place, ImportSplit::train);
  if (data_.train.empty() && data_.val.empty()) add_all();
  settle_shared();
  note_left_out();
  std::ranges::sort(images_, {}, &ImportedImage::name);
  std::vector<Orientation> orientations;
  read_image_sizes(images_, options_, orientations, report_);
  std::vector<ImportedImage> usable;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    ImportedImage& image = images_[i];
    const bool ambiguous = is_ambiguous(orientations[i], image.width, image.height);
    if (orientations[i].transpose) std::swap(image.width, image.height);
    try {
      read_image(image);
      if (ambiguous && !image.boxes.empty())
        report_.note(ImportNote::image_orientation_ambiguous, image.name);
      usable.push_back(std::move(image));
    } catch (const Error& error) {
      report_.note(ImportNote::annotation_unreadable, error.what());
    }
  }
  return usable;
}

// Small public sets name the same folder twice: then nothing would be left to train on.
void YoloImporter::settle_shared() {
  const bool trained = std::ranges::any_of(
      images_, [](const ImportedImage& image) { return image.split == ImportSplit::train; });
  train_is_val_ = !trained && !shared_.empty();
  if (train_is_val_) return;
  for (std::string& name : shared_) report_.note(ImportNote::image_in_both_splits, std::move(name));
}

// Whether the file's first line that is not empty could be one of labels.
bool holds_labels(const fs::path& file) {
  std::istringstream stream(read_text_file(file, budget::labels));
  for (std::string line; std::getline(stream, line);) {
    const auto numbers = numbers_of(std::string_view(line).substr(byte_order_mark(line)));
    if (!numbers || !numbers->empty()) return numbers && numbers->size() >= 5;
  }
  return false;
}

// Images that no split names, and labels that no image has.
void YoloImporter::note_left_out() {
  std::set<std::string> stems;
  for (const fs::path& image_file : source_.image_files()) {
    stems.insert(image_file.stem().string());
    if (!index_.contains(image_file.string()))
      report_.note(ImportNote::image_in_no_split, source_.name_of(image_file));
  }
  for (const auto& [stem, files] : stray_labels_) {
    // One file without a folder of its own is the labels of the images of its name.
    if (files.size() == 1 && stems.contains(stem)) continue;
    for (const fs::path& file : files)
      if (holds_labels(file)) report_.note(ImportNote::annotation_without_image, source_.name_of(file));
  }
}

void YoloImporter::read_image(ImportedImage& image) {
  const auto labels = label_file(image.file);
  if (!labels) {
    report_.note(ImportNote::image_without_annotation, image.name);
    return;
  }
  read_labels(*labels, image);
  note_boxes_over_edge(image, source_.name_of(*labels), report_);
}

void YoloImporter::find_labels() {
  class_file_ = find_class_file(data_.root);
  std::set<fs::path> taken;
  if (class_file_) taken.insert(plain_path(*class_file_));
  for (const fs::path& image_file : source_.image_files())
    if (const auto own = own_label_file(image_file)) taken.insert(plain_path(*own));
  for (const fs::path& file : source_.text_files())
    if (!taken.contains(plain_path(file))) stray_labels_[file.stem().string()].push_back(file);
}

void YoloImporter::add_all() {
  for (const fs::path& image_file : source_.image_files()) add_image(image_file, ImportSplit::none);
}

void YoloImporter::add(const fs::path& place, ImportSplit split) {
  if (fs::is_directory(place)) {
    const fs::path real = fs::canonical(place);  // what a link leads to
    for (const fs::path& image_file : source_.image_files()) {
      if (is_below(image_file, place) || is_below(image_file, real)) add_image(image_file, split);
    }
    return;
  }
  for (const std::string& line : read_lines(place)) {
    if (const auto image_file = source_.find_image(line, place)) {
      add_image(*image_file, split);
    } else {
      report_.note(ImportNote::listed_without_image, fmt::format("{}: {}", place.filename().string(), line));
    }
  }
}

void YoloImporter::add_image(const fs::path& image_file, ImportSplit split) {
  const auto [known, fresh] = index_.emplace(image_file.string(), images_.size());
  if (!fresh) {
    const ImportedImage& image = images_[known->second];
    if (image.split != split) shared_.push_back(image.name);
    return;
  }
  ImportedImage& image = images_.emplace_back();
  image.file = image_file;
  image.name = source_.name_of(image_file);
  image.split = split;
}

std::optional<fs::path> YoloImporter::own_label_file(const fs::path& image_file) const {
  const fs::path beside = fs::path(image_file).replace_extension(".txt");
  fs::path swapped;
  std::vector<fs::path> parts(beside.begin(), beside.end());
  const auto images = std::find(parts.rbegin(), parts.rend(), fs::path("images"));
  if (images != parts.rend()) *images = "labels";
  for (const fs::path& part : parts) swapped /= part;
  for (const fs::path& wanted : {swapped, beside}) {
    const bool classes = class_file_ && plain_path(wanted) == plain_path(*class_file_);
    if (!classes && fs::is_regular_file(wanted)) return wanted;
  }
  return std::nullopt;
}

std::optional<fs::path> YoloImporter::label_file(const fs::path& image_file) const {
  if (auto own = own_label_file(image_file)) return own;
  const auto found = stray_labels_.find(image_file.stem().string());
  return found != stray_labels_.end() && found->second.size() == 1 ? std::optional(found->second[0])
                                                                   : std::nullopt;
}

void YoloImporter::read_labels(const fs::path& file, ImportedImage& image) {
  std::istringstream stream(read_text_file(file, budget::labels));
  int line_number = 0;
  for (std::string line; std::getline(stream, line);) {
    if (++line_number == 1) line.erase(0, byte_order_mark(line));
    const std::string place = fmt::format("{}:{}", file.string(), line_number);
    const auto numbers = numbers_of(line);
    if (!numbers) {
      throw Error("{}: got \"{}\", expected numbers: class cx cy w h; mend the line", place, line);
    }
    if (numbers->empty()) continue;
    if (auto box = read_line(*numbers, image, place)) image.boxes.push_back(std::move(*box));
  }
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

std::optional<ImportedBox> YoloImporter::read_line(const std::vector<double>& numbers,
                                                   const ImportedImage& image, const std::string& place) {
  const bool polygon = !data_.key_points && numbers.size() >= 7 && numbers.size() % 2 == 1;
  // A sixth number is the confidence of a model that made the labels.
  const bool box = data_.key_points ? numbers.size() >= 5 : numbers.size() == 5 || numbers.size() == 6;
  if (!polygon && !box) {
    throw Error("{}: got {} numbers, expected 5 (class cx cy w h) or the corners of a polygon; mend the line",
                place, numbers.size());
  }
  const double number = numbers[0];
  if (number != std::floor(number) || number < 0 || number >= static_cast<double>(data_.names.size())) {
    throw Error("{}: got class {}, expected 0 to {}; mend the line or add the class's name", place, number,
                data_.names.size() - 1);
  }
  // Behind a box stand a confidence or key points, which may be of any size.
  const auto coordinates_end = polygon ? numbers.end() : numbers.begin() + 5;
  const auto pixels =
      std::find_if(numbers.begin() + 1, coordinates_end, [](double v) { return std::abs(v) > 2; });
  if (pixels != coordinates_end) {
    throw Error(
        "{}: got {}, expected normalized coordinates between 0 and 1; divide by the image's width and height",
        place, *pixels);
  }
  const auto [left, top, right, bottom] = extent_of(numbers, polygon);
  const double width = (right - left) * image.width, height = (bottom - top) * image.height;
  if (!(width > 0 && height > 0)) {
    report_.note(ImportNote::box_without_size, place);
    return std::nullopt;
  }
  if (polygon) report_.note(ImportNote::polygon_boxed, place);
  return ImportedBox{data_.names[static_cast<std::size_t>(number)],
                     {left * image.width, top * image.height, width, height}};
}

YoloData find_data(const fs::path& source, const ImportOptions& options) {
  if (fs::is_regular_file(source)) return read_yolo_data(source);
  if (!fs::is_directory(source))
    throw Error("{}: is not there; give a folder or a data.yaml", source.string());
  if (const auto file = find_yolo_data(source)) return read_yolo_data(*file);
  YoloData data;
  data.root = source;
  const auto class_file = find_class_file(source);
  data.names = !options.classes.empty() ? options.classes
               : class_file             ? read_lines(*class_file)
                                        : std::vector<std::string>();
  if (data.names.empty()) {
    throw Error("{}: got neither data.yaml nor classes.txt, expected the names of the classes; add one",
                source.string());
  }
  return data;
}

// The set's folder, and those that it names outside of it.
std::vector<fs::path> folders_of(const YoloData& data) {
  std::vector<fs::path> folders{data.root};
  for (const std::vector<fs::path>* places : {&data.train, &data.val, &data.test}) {
    std::ranges::copy_if(*places, std::back_inserter(folders),
                         [](const fs::path& p) { return fs::is_directory(p); });
  }
  return folders;
}

}  // namespace

ImportReport import_yolo(const fs::path& source, const fs::path& target, const ImportOptions& options) {
  check_import_target(target, source);
  YoloData data = find_data(source, options);
  check_import_target(target, data.root);
  if (!options.classes.empty()) {
    if (options.classes.size() != data.names.size()) {
      throw Error("import yolo: got {} class names, expected {}, as many as the data set has",
                  options.classes.size(), data.names.size());
    }
    data.names = options.classes;
  }
  for (std::string& name : data.names) name = trimmed(name);
  const ImportSource files(folders_of(data), target);
  ImportReport report;
  note_unreadable(files, report);
  YoloImporter importer(files, data, options, report);
  std::vector<ImportedImage> images = importer.read();
  if (data.train.empty() && data.val.empty()) {
    report.splits_from = assign_splits(images, files, options, report);
  } else if (data.train.empty() || data.val.empty()) {
    report.splits_from = "data file: " + assign_share(images, options);
  } else if (importer.train_is_val()) {
    report.splits_from =
        "data file: train and val are the same images, of which " + assign_share(images, options);
  } else {
    report.splits_from = "data file: train for train2017, val for val2017";
  }
  write_coco_folder(images, data.names, target, report);
  return report;
}

}  // namespace ssd
