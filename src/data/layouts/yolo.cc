#include "data/layouts/yolo.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/encoding.h"
#include "base/error.h"
#include "data/layouts/foreign_splits.h"
#include "data/layouts/source_files.h"
#include "data/layouts/yolo_data.h"
#include "data/layouts/yolo_labels.h"
#include "storage/comparable_name.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// The data set while it is read.
class YoloReader {
 public:
  YoloReader(const SourceFiles& source, const YoloData& data, const ForeignOptions& options,
             ForeignNotes& notes)
      : source_(source), data_(data), options_(options), notes_(notes) {}

  std::vector<ForeignImage> read();
  // Whether every image of train is one of val as well.
  bool train_is_val() const { return train_is_val_; }

 private:
  void add_all();
  void add(const fs::path& place, ForeignSplit split);
  void add_image(const fs::path& image_file, ForeignSplit split);
  void settle_shared();
  void note_left_out();
  void find_labels();
  std::optional<fs::path> own_label_file(const fs::path& image_file) const;
  std::optional<fs::path> label_file(const fs::path& image_file) const;
  std::vector<YoloLabels> read_labels(std::vector<bool>& broken);
  void add_boxes(const YoloLabels& labels, const YoloFormat& format, ForeignImage& image);

  const SourceFiles& source_;
  const YoloData& data_;
  const ForeignOptions& options_;
  ForeignNotes& notes_;
  std::vector<ForeignImage> images_;
  std::unordered_map<std::string, std::size_t> index_;  // of images_, by file
  std::vector<std::string> shared_;                     // images of val that train names as well
  bool train_is_val_ = false;
  std::optional<fs::path> class_file_;
  // Text files by stem, but for those that lie where an image's own labels do.
  std::map<std::string, std::vector<fs::path>> stray_labels_;
};

std::vector<ForeignImage> YoloReader::read() {
  find_labels();
  // Validation first: an image that both name is not to be trained on.
  for (const fs::path& place : data_.val) add(place, ForeignSplit::val);
  for (const fs::path& place : data_.train) add(place, ForeignSplit::train);
  if (data_.train.empty() && data_.val.empty()) add_all();
  settle_shared();
  note_left_out();
  std::ranges::sort(images_, {}, &ForeignImage::name);
  std::vector<Orientation> orientations;
  read_image_sizes(images_, options_, orientations, notes_);
  std::vector<bool> broken(images_.size());
  const std::vector<YoloLabels> labels = read_labels(broken);
  const bool key_points = data_.key_points || have_key_points(labels);
  const YoloFormat format{data_.names, key_points, !key_points && are_tracked(labels)};
  std::vector<ForeignImage> usable;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    ForeignImage& image = images_[i];
    if (broken[i]) continue;
    const bool ambiguous = is_ambiguous(orientations[i], image.width, image.height);
    if (orientations[i].transpose) std::swap(image.width, image.height);
    add_boxes(labels[i], format, image);
    if (ambiguous && !image.boxes.empty()) notes_.add(ForeignNote::image_orientation_ambiguous, image.name);
    usable.push_back(std::move(image));
  }
  return usable;
}

// Of each image; one without a file has no lines. `broken`: those whose file cannot be read.
std::vector<YoloLabels> YoloReader::read_labels(std::vector<bool>& broken) {
  std::vector<YoloLabels> labels(images_.size());
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const auto file = label_file(images_[i].file);
    if (!file) {
      notes_.add(ForeignNote::image_without_annotation, images_[i].name);
      continue;
    }
    try {
      labels[i] = read_yolo_labels(*file);
    } catch (const Error& error) {
      notes_.add(ForeignNote::annotation_unreadable, error.what());
      broken[i] = true;
    }
  }
  return labels;
}

void YoloReader::add_boxes(const YoloLabels& labels, const YoloFormat& format, ForeignImage& image) {
  for (const std::string& fault : labels.faults) notes_.add(ForeignNote::object_unreadable, fault);
  std::set<std::vector<double>> lines;
  for (const YoloLabels::Line& line : labels.lines) {
    if (!lines.insert(line.values).second) {
      notes_.add(ForeignNote::object_repeated, fmt::format("{}:{}", labels.file.string(), line.number));
      continue;
    }
    try {
      if (auto box = yolo_box(labels, line, format, image, notes_)) image.boxes.push_back(std::move(*box));
    } catch (const Error& error) {
      notes_.add(ForeignNote::object_unreadable, error.what());
    }
  }
  if (!labels.file.empty()) note_boxes_over_edge(image, source_.name_of(labels.file), notes_);
}

// Small public sets name the same folder twice: then nothing would be left to train on.
void YoloReader::settle_shared() {
  const bool trained = std::ranges::any_of(
      images_, [](const ForeignImage& image) { return image.split == ForeignSplit::train; });
  train_is_val_ = !trained && !shared_.empty();
  if (train_is_val_) return;
  for (std::string& name : shared_) notes_.add(ForeignNote::image_in_both_splits, std::move(name));
}

// Images that no split names, and labels that no image has.
void YoloReader::note_left_out() {
  std::set<std::string> stems;
  for (const fs::path& image_file : source_.image_files()) {
    stems.insert(comparable_name(image_file.stem().string()));
    if (!index_.contains(image_file.string()))
      notes_.add(ForeignNote::image_in_no_split, source_.name_of(image_file));
  }
  for (const auto& [stem, files] : stray_labels_) {
    // One file without a folder of its own is the labels of the images of its name.
    if (files.size() == 1 && stems.contains(stem)) continue;
    for (const fs::path& file : files)
      if (holds_yolo_labels(file)) notes_.add(ForeignNote::annotation_without_image, source_.name_of(file));
  }
}

void YoloReader::find_labels() {
  class_file_ = find_class_file(data_.root);
  std::set<fs::path> taken;
  if (class_file_) taken.insert(plain_path(*class_file_));
  for (const fs::path& image_file : source_.image_files())
    if (const auto own = own_label_file(image_file)) taken.insert(plain_path(*own));
  for (const fs::path& file : source_.text_files())
    if (!taken.contains(plain_path(file)))
      stray_labels_[comparable_name(file.stem().string())].push_back(file);
}

void YoloReader::add_all() {
  for (const fs::path& image_file : source_.image_files()) add_image(image_file, ForeignSplit::none);
}

void YoloReader::add(const fs::path& place, ForeignSplit split) {
  if (fs::is_directory(place)) {
    const fs::path real = fs::canonical(place);  // what a link leads to
    for (const fs::path& image_file : source_.image_files()) {
      if (is_below(image_file, place) || is_below(image_file, real)) add_image(image_file, split);
    }
    return;
  }
  for (const std::string& line : read_lines(place, UnknownEncoding::keep)) {
    if (const auto image_file = source_.find_image(line, place)) {
      add_image(*image_file, split);
    } else {
      notes_.add(ForeignNote::listed_without_image, fmt::format("{}: {}", place.filename().string(), line));
    }
  }
}

void YoloReader::add_image(const fs::path& image_file, ForeignSplit split) {
  const auto [known, fresh] = index_.emplace(image_file.string(), images_.size());
  if (!fresh) {
    const ForeignImage& image = images_[known->second];
    if (image.split != split) shared_.push_back(image.name);
    return;
  }
  ForeignImage& image = images_.emplace_back();
  image.file = image_file;
  image.name = source_.name_of(image_file);
  image.split = split;
}

std::optional<fs::path> YoloReader::own_label_file(const fs::path& image_file) const {
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

std::optional<fs::path> YoloReader::label_file(const fs::path& image_file) const {
  if (auto own = own_label_file(image_file)) return own;
  const auto found = stray_labels_.find(comparable_name(image_file.stem().string()));
  return found != stray_labels_.end() && found->second.size() == 1 ? std::optional(found->second[0])
                                                                   : std::nullopt;
}

YoloData find_data(const fs::path& source, const ForeignOptions& options) {
  if (fs::is_regular_file(source)) return read_yolo_data(source);
  if (!fs::is_directory(source))
    throw Error("{}: is not there; give a folder or a data.yaml", source.string());
  if (const auto file = find_yolo_data(source)) return read_yolo_data(*file);
  YoloData data;
  data.root = source;
  const auto class_file = find_class_file(source);
  data.names = !options.classes.empty() ? options.classes
               : class_file             ? read_lines(*class_file, UnknownEncoding::refuse)
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

ForeignSet read_yolo(const fs::path& source, const ForeignOptions& options) {
  YoloData data = find_data(source, options);
  if (!options.classes.empty()) {
    if (options.classes.size() != data.names.size())
      throw Error("import yolo: got {} class names, expected {}, as many as the data set has",
                  options.classes.size(), data.names.size());
    data.names = options.classes;
  }
  for (std::string& name : data.names) name = trimmed(name);
  const SourceFiles files(folders_of(data), options.except);
  ForeignSet set{.root = files.root(), .images = {}, .classes = {}, .splits_from = {}, .notes = {}};
  std::ranges::remove_copy(data.names, std::back_inserter(set.classes), "");
  note_unreadable(files, set.notes);
  for (const std::string& one : data.missing) set.notes.add(ForeignNote::split_missing, one);
  if (!data.miscounted.empty()) set.notes.add(ForeignNote::classes_miscounted, data.miscounted);
  YoloReader reader(files, data, options, set.notes);
  set.images = reader.read();
  if (data.train.empty() && data.val.empty()) {
    set.splits_from = assign_splits(set.images, files, options, set.notes);
  } else if (data.train.empty() || data.val.empty()) {
    set.splits_from = "data file: " + assign_share(set.images, options);
  } else if (reader.train_is_val()) {
    set.splits_from =
        "data file: train and val are the same images, of which " + assign_share(set.images, options);
  } else {
    set.splits_from = "data file: train for training, val for validation";
  }
  note_classes_alike(set);
  refuse_faults(set.notes, options, source);
  return set;
}

fs::path yolo_root(const fs::path& source) {
  return fs::is_regular_file(source) ? read_yolo_data(source).root : source;
}

}  // namespace ssd
