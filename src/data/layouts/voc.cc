#include "data/layouts/voc.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "data/layouts/foreign_splits.h"
#include "data/layouts/source_files.h"
#include "data/layouts/voc_edges.h"
#include "data/layouts/xml_file.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

struct VocSize {
  int width = 0;  // 0 where the file states none
  int height = 0;
};

// The annotation of one image, between reading the xml and knowing the image's size.
struct VocAnnotation {
  VocSize stated;
  fs::path path;
  std::string xml;        // its name for messages
  std::size_t image = 0;  // place in the list
};

class VocReader {
 public:
  VocReader(const SourceFiles& source, const VocOptions& options, ForeignNotes& notes)
      : source_(source), options_(options), notes_(notes) {}

  std::vector<ForeignImage> read();

 private:
  std::optional<fs::path> image_of(const fs::path& xml) const;
  void read_xml(const fs::path& path);
  void add(ForeignImage image, VocAnnotation annotation);
  void read_size(const XmlFile& xml, VocAnnotation& annotation);
  void read_objects(const XmlFile& xml, const std::string& name, ForeignImage& image);
  std::optional<ForeignBox> read_box(const XmlFile& xml, pugi::xml_node object, const std::string& name);
  void settle_sizes();
  void note_unused_images();

  const SourceFiles& source_;
  const VocOptions& options_;
  ForeignNotes& notes_;
  std::vector<ForeignImage> images_;
  std::map<std::string, VocAnnotation> annotations_;  // by image
  std::set<std::string> unusable_;                    // images whose annotations cannot be read
};

std::vector<ForeignImage> VocReader::read() {
  for (const fs::path& path : source_.xml_files()) {
    try {
      read_xml(path);
    } catch (const Error& error) {
      notes_.add(ForeignNote::annotation_unreadable, error.what());
      if (const auto image_file = image_of(path)) unusable_.insert(source_.name_of(*image_file));
    }
  }
  note_unused_images();
  std::ranges::sort(images_, {}, &ForeignImage::name);
  settle_sizes();
  return std::move(images_);
}

// The image that has the annotation file's name.
std::optional<fs::path> VocReader::image_of(const fs::path& xml) const {
  return source_.find_image(xml.stem().string() + ".jpg", xml);
}

void VocReader::read_xml(const fs::path& path) {
  const XmlFile xml(path);
  const std::string name = source_.name_of(path);
  if (std::string_view(xml.root().name()) != "annotation") {
    notes_.add(ForeignNote::not_an_annotation, name);
    return;
  }
  auto image_file = image_of(path);
  for (const char* name_of_image : {"filename", "path"})
    if (!image_file) image_file = source_.find_image(xml.root().child_value(name_of_image), path);
  if (!image_file) {
    notes_.add(ForeignNote::annotation_without_image, name);
    return;
  }
  ForeignImage image;
  image.file = *image_file;
  image.name = source_.name_of(*image_file);
  VocAnnotation annotation{.stated = {}, .path = path, .xml = name};
  read_size(xml, annotation);
  read_objects(xml, name, image);
  add(std::move(image), std::move(annotation));
}

// An annotation whose own image is missing finds that of another folder: of two with one image, the
// nearer one has it.
void VocReader::add(ForeignImage image, VocAnnotation annotation) {
  annotation.image = images_.size();
  const auto [other, fresh] = annotations_.emplace(image.name, annotation);
  if (fresh) {
    images_.push_back(std::move(image));
    return;
  }
  VocAnnotation& present = other->second;
  annotation.image = present.image;
  if (shared_depth(image.file, annotation.path) > shared_depth(image.file, present.path)) {
    std::swap(present, annotation);
    images_[present.image] = std::move(image);
  }
  notes_.add(ForeignNote::annotation_without_image,
             fmt::format("{} ({} has {})", annotation.xml, other->first, present.xml));
}

// The image's own size counts: one that cannot be read costs nothing.
void VocReader::read_size(const XmlFile& xml, VocAnnotation& annotation) {
  const pugi::xml_node size = xml.root().child("size");
  if (!size) return;
  try {
    annotation.stated = {static_cast<int>(xml.number(size, "width")),
                         static_cast<int>(xml.number(size, "height"))};
  } catch (const Error& error) {
    notes_.add(ForeignNote::size_differs, error.what());
  }
}

void VocReader::read_objects(const XmlFile& xml, const std::string& name, ForeignImage& image) {
  for (const pugi::xml_node object : xml.root().children("object")) {
    const bool difficult = object.child("difficult").text().as_int() != 0;
    if (difficult && options_.difficult == VocOptions::Difficult::leave_out) {
      notes_.add(ForeignNote::box_difficult, name);
      continue;
    }
    try {
      if (auto box = read_box(xml, object, name)) image.boxes.push_back(std::move(*box));
    } catch (const Error& error) {
      notes_.add(ForeignNote::object_unreadable, error.what());
    }
  }
}

std::optional<ForeignBox> VocReader::read_box(const XmlFile& xml, pugi::xml_node object,
                                              const std::string& name) {
  const std::string category(trimmed(object.child_value("name")));
  if (category.empty()) xml.fail(object, "has no <name>");
  const auto edges = voc_edges(xml, object);
  if (!edges) xml.fail(object, "has no <bndbox>");
  if (object.child("bndbox").next_sibling("bndbox"))
    notes_.add(ForeignNote::object_unreadable,
               fmt::format("{}: <{}> has several <bndbox>, of which the first is taken; make objects of them",
                           name, category));
  const double one = options_.pixels == VocOptions::Pixels::one_based ? 1 : 0;
  const double left = edges->left - one, top = edges->top - one;
  const double width = edges->right - left, height = edges->bottom - top;
  if (width <= 0 || height <= 0) {
    notes_.add(ForeignNote::box_without_size,
               fmt::format("{}: <{}> at {}, {} to {}, {}", name, category, edges->left, edges->top,
                           edges->right, edges->bottom));
    return std::nullopt;
  }
  if (edges->of_shape) notes_.add(ForeignNote::polygon_boxed, name);
  return ForeignBox{category, {left, top, width, height}};
}

void VocReader::note_unused_images() {
  std::set<std::string> used = unusable_;
  for (const ForeignImage& image : images_) used.insert(image.name);
  for (const fs::path& image_file : source_.image_files()) {
    const std::string name = source_.name_of(image_file);
    if (!used.contains(name)) notes_.add(ForeignNote::image_without_annotation, name);
  }
}

void VocReader::settle_sizes() {
  std::vector<Orientation> orientations;
  read_image_sizes(images_, options_.common, orientations, notes_);
  for (std::size_t i = 0; i < images_.size(); ++i) {
    ForeignImage& image = images_[i];
    const VocAnnotation& annotation = annotations_.at(image.name);
    const VocSize& stated = annotation.stated;
    const bool unstated = stated.width <= 0 && orientations[i] != Orientation{};
    if (!image.boxes.empty() && (unstated || is_ambiguous(orientations[i], image.width, image.height)))
      notes_.add(ForeignNote::image_orientation_ambiguous, image.name);
    if (orientations[i].transpose && stated.width == image.height && stated.height == image.width) {
      std::swap(image.width, image.height);
    } else if (stated.width > 0 && (stated.width != image.width || stated.height != image.height)) {
      notes_.add(ForeignNote::size_differs, annotation.xml);
    }
    note_boxes_over_edge(image, annotation.xml, notes_);
  }
}

std::vector<std::string> class_names(const std::vector<ForeignImage>& images) {
  std::set<std::string> names;
  for (const ForeignImage& image : images) {
    for (const ForeignBox& box : image.boxes) names.insert(box.category);
  }
  return {names.begin(), names.end()};
}

}  // namespace

ForeignSet read_voc(const fs::path& source, const VocOptions& options) {
  const SourceFiles files({source}, options.common.except);
  if (files.xml_files().empty()) {
    throw Error(
        "{}: got no xml file below it, expected Pascal VOC annotations; for YOLO's text files import as yolo",
        source.string());
  }
  ForeignSet set{
      .root = files.root(), .images = {}, .classes = options.common.classes, .splits_from = {}, .notes = {}};
  note_unreadable(files, set.notes);
  set.images = VocReader(files, options, set.notes).read();
  set.splits_from = assign_splits(set.images, files, options.common, set.notes);
  if (set.classes.empty()) set.classes = class_names(set.images);
  note_classes_alike(set);
  refuse_faults(set.notes, options.common, source);
  return set;
}

}  // namespace ssd
