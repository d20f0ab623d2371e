#include "prepare/import/import_voc.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <pugixml.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/text_file.h"
#include "prepare/import/import_source.h"
#include "prepare/import/import_splits.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// An xml file in memory, able to say on which line a node stands.
class XmlFile {
 public:
  explicit XmlFile(const fs::path& path) : path_(path) {
    text_ = read_text_file(path, budget::xml);
    const pugi::xml_parse_result result = document_.load_buffer(text_.data(), text_.size());
    if (!result)
      throw Error("{}: {}; mend the file or remove it", where(result.offset), result.description());
  }

  pugi::xml_node root() const { return document_.document_element(); }

  [[noreturn]] void fail(pugi::xml_node node, std::string_view problem) const {
    throw Error("{}: <{}> {}; mend the file or remove it", where(node.offset_debug()), node.name(), problem);
  }

  double number(pugi::xml_node parent, const char* name) const {
    const pugi::xml_node node = parent.child(name);
    if (!node) fail(parent, fmt::format("has no <{}>", name));
    const std::string_view text = trimmed(node.text().get());
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(std::abs(value) < 1e9)) {
      fail(node, fmt::format("got \"{}\", expected a number", text));
    }
    return value;
  }

 private:
  std::string where(std::ptrdiff_t offset) const {
    const auto end = text_.begin() + std::clamp<std::ptrdiff_t>(offset, 0, std::ssize(text_));
    return fmt::format("{}:{}", path_.string(), 1 + std::count(text_.begin(), end, '\n'));
  }

  fs::path path_;
  std::string text_;
  pugi::xml_document document_;
};

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

class VocImporter {
 public:
  VocImporter(const ImportSource& source, const VocImportOptions& options, ImportReport& report)
      : source_(source), options_(options), report_(report) {}

  std::vector<ImportedImage> read();

 private:
  std::optional<fs::path> image_of(const fs::path& xml) const;
  void read_xml(const fs::path& path);
  void add(ImportedImage image, VocAnnotation annotation);
  void read_objects(const XmlFile& xml, const std::string& name, ImportedImage& image);
  std::optional<ImportedBox> read_box(const XmlFile& xml, pugi::xml_node object, const std::string& name);
  void settle_sizes();
  void note_unused_images();

  const ImportSource& source_;
  const VocImportOptions& options_;
  ImportReport& report_;
  std::vector<ImportedImage> images_;
  std::map<std::string, VocAnnotation> annotations_;  // by image
  std::set<std::string> unusable_;                    // images whose annotations cannot be read
};

std::vector<ImportedImage> VocImporter::read() {
  for (const fs::path& path : source_.xml_files()) {
    try {
      read_xml(path);
    } catch (const Error& error) {
      report_.note(ImportNote::annotation_unreadable, error.what());
      if (const auto image_file = image_of(path)) unusable_.insert(source_.name_of(*image_file));
    }
  }
  note_unused_images();
  std::ranges::sort(images_, {}, &ImportedImage::name);
  settle_sizes();
  return std::move(images_);
}

// The image that has the annotation file's name.
std::optional<fs::path> VocImporter::image_of(const fs::path& xml) const {
  return source_.find_image(xml.stem().string() + ".jpg", xml);
}

void VocImporter::read_xml(const fs::path& path) {
  const XmlFile xml(path);
  const std::string name = source_.name_of(path);
  if (std::string_view(xml.root().name()) != "annotation") {
    report_.note(ImportNote::not_an_annotation, name);
    return;
  }
  auto image_file = image_of(path);
  if (!image_file) image_file = source_.find_image(xml.root().child_value("filename"), path);
  if (!image_file) {
    report_.note(ImportNote::annotation_without_image, name);
    return;
  }
  ImportedImage image;
  image.file = *image_file;
  image.name = source_.name_of(*image_file);
  VocAnnotation annotation{.stated = {}, .path = path, .xml = name};
  if (const pugi::xml_node size = xml.root().child("size")) {
    annotation.stated = {static_cast<int>(xml.number(size, "width")),
                         static_cast<int>(xml.number(size, "height"))};
  }
  read_objects(xml, name, image);
  add(std::move(image), std::move(annotation));
}

// An annotation whose own image is missing finds that of another folder: of two with one image, the
// nearer one has it.
void VocImporter::add(ImportedImage image, VocAnnotation annotation) {
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
  report_.note(ImportNote::annotation_without_image,
               fmt::format("{} ({} has {})", annotation.xml, other->first, present.xml));
}

void VocImporter::read_objects(const XmlFile& xml, const std::string& name, ImportedImage& image) {
  for (const pugi::xml_node object : xml.root().children("object")) {
    const bool difficult = object.child("difficult").text().as_int() != 0;
    if (difficult && options_.difficult == VocImportOptions::Difficult::leave_out) {
      report_.note(ImportNote::box_difficult, name);
    } else if (auto box = read_box(xml, object, name)) {
      image.boxes.push_back(std::move(*box));
    }
  }
}

std::optional<ImportedBox> VocImporter::read_box(const XmlFile& xml, pugi::xml_node object,
                                                 const std::string& name) {
  const std::string category(trimmed(object.child_value("name")));
  if (category.empty()) xml.fail(object, "has no <name>");
  const pugi::xml_node corners = object.child("bndbox");
  if (!corners) xml.fail(object, "has no <bndbox>");
  const double one = options_.pixels == VocImportOptions::Pixels::one_based ? 1 : 0;
  const double left = xml.number(corners, "xmin") - one, top = xml.number(corners, "ymin") - one;
  const double width = xml.number(corners, "xmax") - left, height = xml.number(corners, "ymax") - top;
  if (width <= 0 || height <= 0) {
    report_.note(ImportNote::box_without_size, name);
    return std::nullopt;
  }
  return ImportedBox{category, {left, top, width, height}};
}

void VocImporter::note_unused_images() {
  std::set<std::string> used = unusable_;
  for (const ImportedImage& image : images_) used.insert(image.name);
  for (const fs::path& image_file : source_.image_files()) {
    const std::string name = source_.name_of(image_file);
    if (!used.contains(name)) report_.note(ImportNote::image_without_annotation, name);
  }
}

void VocImporter::settle_sizes() {
  std::vector<Orientation> orientations;
  read_image_sizes(images_, options_.common, orientations, report_);
  for (std::size_t i = 0; i < images_.size(); ++i) {
    ImportedImage& image = images_[i];
    const VocAnnotation& annotation = annotations_.at(image.name);
    const VocSize& stated = annotation.stated;
    const bool unstated = stated.width <= 0 && orientations[i] != Orientation{};
    if (!image.boxes.empty() && (unstated || is_ambiguous(orientations[i], image.width, image.height)))
      report_.note(ImportNote::image_orientation_ambiguous, image.name);
    if (orientations[i].transpose && stated.width == image.height && stated.height == image.width) {
      std::swap(image.width, image.height);
    } else if (stated.width > 0 && (stated.width != image.width || stated.height != image.height)) {
      report_.note(ImportNote::size_differs, annotation.xml);
    }
    note_boxes_over_edge(image, annotation.xml, report_);
  }
}

std::vector<std::string> class_names(const std::vector<ImportedImage>& images) {
  std::set<std::string> names;
  for (const ImportedImage& image : images) {
    for (const ImportedBox& box : image.boxes) names.insert(box.category);
  }
  return {names.begin(), names.end()};
}

}  // namespace

ImportReport import_voc(const fs::path& source, const fs::path& target, const VocImportOptions& options) {
  check_import_target(target, source);
  const ImportSource files({source}, target);
  if (files.xml_files().empty()) {
    throw Error(
        "{}: got no xml file below it, expected Pascal VOC annotations; for YOLO's text files import as yolo",
        source.string());
  }
  ImportReport report;
  note_unreadable(files, report);
  std::vector<ImportedImage> images = VocImporter(files, options, report).read();
  report.splits_from = assign_splits(images, files, options.common, report);
  const auto& given = options.common.classes;
  write_coco_folder(images, given.empty() ? class_names(images) : given, target, report);
  return report;
}

}  // namespace ssd
