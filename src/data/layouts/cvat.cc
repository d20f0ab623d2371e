#include "data/layouts/cvat.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <numbers>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "data/layouts/foreign_splits.h"
#include "data/layouts/source_files.h"
#include "data/layouts/xml_file.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// Left, top, right, bottom in pixels; empty until a point is added.
class Extent {
 public:
  void add(double x, double y) {
    left_ = std::min(left_, x), right_ = std::max(right_, x);
    top_ = std::min(top_, y), bottom_ = std::max(bottom_, y);
  }
  std::array<double, 4> bbox() const { return {left_, top_, right_ - left_, bottom_ - top_}; }

 private:
  double left_ = INFINITY, top_ = INFINITY, right_ = -INFINITY, bottom_ = -INFINITY;
};

bool has_rotation(pugi::xml_node shape) { return shape.attribute("rotation").as_double() != 0; }

// A rectangle or an ellipse, turned about its centre by the degrees of "rotation".
std::array<double, 4> turned_extent(pugi::xml_node shape, double cx, double cy, double rx, double ry,
                                    bool is_ellipse) {
  const double angle = shape.attribute("rotation").as_double() * std::numbers::pi / 180;
  const double c = std::abs(std::cos(angle)), s = std::abs(std::sin(angle));
  const double x = is_ellipse ? std::hypot(rx * c, ry * s) : rx * c + ry * s;
  const double y = is_ellipse ? std::hypot(rx * s, ry * c) : rx * s + ry * c;
  return {cx - x, cy - y, 2 * x, 2 * y};
}

// "1.5,2;3,4"
std::array<double, 4> extent_of_points(const XmlFile& xml, pugi::xml_node shape) {
  const std::string_view text = shape.attribute("points").value();
  Extent extent;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at < end) {
    std::array<double, 2> point{};
    for (double& value : point) {
      const auto [rest, error] = std::from_chars(at, end, value);
      if (error != std::errc() || !(std::abs(value) < 1e9) || (rest < end && *rest != ',' && *rest != ';'))
        xml.fail(shape, fmt::format("got points=\"{}\", expected x,y;x,y", text.substr(0, 80)));
      at = rest < end ? rest + 1 : end;
    }
    extent.add(point[0], point[1]);
  }
  if (text.empty()) xml.fail(shape, "has no points");
  return extent.bbox();
}

// The front face's corners and those of the face behind.
std::array<double, 4> extent_of_cuboid(const XmlFile& xml, pugi::xml_node shape) {
  Extent extent;
  for (const std::string corner : {"tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2"})
    extent.add(xml.attribute(shape, ("x" + corner).c_str()), xml.attribute(shape, ("y" + corner).c_str()));
  return extent.bbox();
}

// Its points are elements of their own.
std::array<double, 4> extent_of_skeleton(const XmlFile& xml, pugi::xml_node shape) {
  Extent extent;
  if (!shape.child("points")) xml.fail(shape, "has no points");
  for (const pugi::xml_node point : shape.children("points")) {
    const auto [left, top, width, height] = extent_of_points(xml, point);
    extent.add(left, top), extent.add(left + width, top + height);
  }
  return extent.bbox();
}

// left, top, width, height of a shape. Throws for shapes of other kinds.
std::array<double, 4> bbox_of(const XmlFile& xml, pugi::xml_node shape) {
  const std::string_view kind = shape.name();
  const auto value = [&](const char* name) { return xml.attribute(shape, name); };
  if (kind == "box") {
    const double left = value("xtl"), top = value("ytl"), right = value("xbr"), bottom = value("ybr");
    if (!has_rotation(shape)) return {left, top, right - left, bottom - top};
    return turned_extent(shape, (left + right) / 2, (top + bottom) / 2, (right - left) / 2,
                         (bottom - top) / 2, false);
  }
  if (kind == "ellipse")
    return turned_extent(shape, value("cx"), value("cy"), value("rx"), value("ry"), true);
  if (kind == "mask") return {value("left"), value("top"), value("width"), value("height")};
  if (kind == "polygon" || kind == "polyline" || kind == "points") return extent_of_points(xml, shape);
  if (kind == "cuboid") return extent_of_cuboid(xml, shape);
  if (kind == "skeleton") return extent_of_skeleton(xml, shape);
  xml.fail(shape, "is no box, ellipse, mask, polygon, polyline, points, cuboid or skeleton");
}

// The task's labels, in their order.
std::vector<std::string> labels_of(const XmlFile& xml) {
  std::vector<std::string> names;
  for (const pugi::xml_node owner : xml.root().child("meta").children())
    for (const pugi::xml_node label : owner.child("labels").children("label")) {
      std::string name(trimmed(label.child_value("name")));
      if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  return names;
}

ForeignSplit split_of(std::string_view subset) {
  if (subset.starts_with("train") || subset.starts_with("Train")) return ForeignSplit::train;
  for (const std::string_view start : {"val", "Val", "test", "Test"})
    if (subset.starts_with(start)) return ForeignSplit::val;
  return ForeignSplit::none;
}

class CvatReader {
 public:
  CvatReader(const SourceFiles& source, const fs::path& file, ForeignSet& set)
      : source_(source), file_(file), xml_(file), set_(set) {}

  void read(const ForeignOptions& options);

 private:
  void read_image(pugi::xml_node node);
  void read_shape(pugi::xml_node shape, ForeignImage& image);
  void settle_sizes(const ForeignOptions& options);
  void settle_splits(const ForeignOptions& options);

  const SourceFiles& source_;
  const fs::path& file_;
  XmlFile xml_;
  ForeignSet& set_;
  std::map<std::string, std::array<int, 2>> stated_;  // width and height, by image
};

void CvatReader::read(const ForeignOptions& options) {
  if (xml_.root().child("track"))
    throw Error("{}: got tracks of a video, expected images; export the task as \"CVAT for images\"",
                file_.string());
  for (const pugi::xml_node node : xml_.root().children("image")) read_image(node);
  std::set<std::string> used;
  for (const ForeignImage& image : set_.images) used.insert(image.name);
  for (const fs::path& file : source_.image_files())
    if (const std::string name = source_.name_of(file); !used.contains(name))
      set_.notes.add(ForeignNote::image_without_annotation, name);
  settle_sizes(options);
  if (set_.classes.empty()) set_.classes = labels_of(xml_);
  std::set<std::string> others;  // of an export without its list
  for (const ForeignImage& image : set_.images)
    for (const ForeignBox& box : image.boxes)
      if (std::ranges::find(set_.classes, box.category) == set_.classes.end()) others.insert(box.category);
  if (options.classes.empty()) set_.classes.insert(set_.classes.end(), others.begin(), others.end());
  settle_splits(options);
}

void CvatReader::read_image(pugi::xml_node node) {
  const char* name = node.attribute("name").value();
  const auto file = source_.find_image(name, file_);
  if (!file) {
    set_.notes.add(ForeignNote::annotation_without_image,
                   fmt::format("{}: image {}", source_.name_of(file_), name));
    return;
  }
  ForeignImage image{.file = *file, .name = source_.name_of(*file), .boxes = {}};
  const std::array<int, 2> size{node.attribute("width").as_int(), node.attribute("height").as_int()};
  if (!stated_.emplace(image.name, size).second) {
    set_.notes.add(ForeignNote::object_unreadable,
                   fmt::format("{}: image {} is there twice", source_.name_of(file_), name));
    return;
  }
  image.split = split_of(node.attribute("subset").value());
  for (const pugi::xml_node shape : node.children())
    if (shape.type() == pugi::node_element && std::string_view(shape.name()) != "tag")
      read_shape(shape, image);
  set_.images.push_back(std::move(image));
}

void CvatReader::read_shape(pugi::xml_node shape, ForeignImage& image) {
  try {
    std::string label(trimmed(shape.attribute("label").value()));
    if (label.empty()) xml_.fail(shape, "has no label");
    const std::array<double, 4> bbox = bbox_of(xml_, shape);
    const std::string place = fmt::format("{}: {} of {}", source_.name_of(file_), shape.name(), image.name);
    if (!(bbox[2] > 0 && bbox[3] > 0)) {
      set_.notes.add(ForeignNote::box_without_size, place);
      return;
    }
    if (std::string_view(shape.name()) != "box" || has_rotation(shape))
      set_.notes.add(ForeignNote::polygon_boxed, place);
    image.boxes.push_back({std::move(label), bbox});
  } catch (const Error& error) {
    set_.notes.add(ForeignNote::object_unreadable, error.what());
  }
}

void CvatReader::settle_sizes(const ForeignOptions& options) {
  std::vector<Orientation> orientations;
  read_image_sizes(set_.images, options, orientations, set_.notes);
  for (std::size_t i = 0; i < set_.images.size(); ++i) {
    ForeignImage& image = set_.images[i];
    const auto& [width, height] = stated_.at(image.name);
    if (!image.boxes.empty() && is_ambiguous(orientations[i], image.width, image.height))
      set_.notes.add(ForeignNote::image_orientation_ambiguous, image.name);
    if (orientations[i].transpose && width == image.height && height == image.width)
      std::swap(image.width, image.height);
    else if (width > 0 && (width != image.width || height != image.height))
      set_.notes.add(ForeignNote::size_differs, image.name);
    note_boxes_over_edge(image, image.name, set_.notes);
  }
}

void CvatReader::settle_splits(const ForeignOptions& options) {
  const auto has = [&](ForeignSplit split) {
    return std::ranges::any_of(set_.images, [&](const ForeignImage& image) { return image.split == split; });
  };
  set_.splits_from = has(ForeignSplit::train) && has(ForeignSplit::val)
                         ? "subsets: train for training, val or test for validation"
                         : assign_splits(set_.images, source_, options, set_.notes);
}

}  // namespace

bool is_cvat_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(4096, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  return text.find("<annotations>") != std::string::npos;
}

std::optional<fs::path> find_cvat_file(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;  // what cannot be looked into holds nothing
  std::vector<fs::path> places{folder};
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_directory(ignored)) places.push_back(entry.path());
  for (const fs::path& place : places) {
    for (const fs::directory_entry& entry : fs::directory_iterator(place, ignored))
      if (entry.path().extension() == ".xml" && is_cvat_file(entry.path())) found.push_back(entry.path());
  }
  if (found.size() > 1) {
    std::ranges::sort(found);
    throw Error("{}: got several files of CVAT ({}, {}), expected one; give the file itself", folder.string(),
                found[0].lexically_relative(folder).string(), found[1].lexically_relative(folder).string());
  }
  return found.empty() ? std::nullopt : std::optional(found[0]);
}

ForeignSet read_cvat(const fs::path& source, const ForeignOptions& options) {
  const auto file = fs::is_directory(source) ? find_cvat_file(source) : std::optional(source);
  if (!file) throw Error("{}: got no XML of CVAT, expected annotations.xml; check the path", source.string());
  fs::path folder = fs::is_directory(source) ? source : fs::absolute(source).parent_path();
  const SourceFiles files({folder}, options.except);
  ForeignSet set{
      .root = files.root(), .images = {}, .classes = options.classes, .splits_from = {}, .notes = {}};
  note_unreadable(files, set.notes);
  CvatReader(files, *file, set).read(options);
  refuse_faults(set.notes, options, source);
  return set;
}

}  // namespace ssd
