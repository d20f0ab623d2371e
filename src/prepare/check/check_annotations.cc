#include "prepare/check/check_annotations.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "data/dataset/box_format.h"
#include "data/dataset/class_names.h"
#include "data/dataset/dataset.h"
#include "prepare/check/check_images.h"

namespace ssd {
namespace {

constexpr double edge_tolerance = 0.5;  // pixels
constexpr double small_area = 32.0 * 32.0;
constexpr double medium_area = 96.0 * 96.0;

// Goes through one annotation file.
class AnnotationChecker {
 public:
  AnnotationChecker(const CocoFile& coco, const std::string& file, std::vector<CheckFinding>& findings)
      : coco_(coco), file_(file), findings_(findings) {}

  void run() {
    check_images();
    check_categories();
    std::unordered_set<std::int64_t> ids;
    for (const CocoAnnotation& annotation : coco_.annotations) {
      if (!ids.insert(annotation.id).second) {
        add(CheckProblem::duplicate_annotation_id, annotation, "the id occurs before");
      }
      if (annotation.id == 0)
        add(CheckProblem::annotation_id_zero, annotation, "give the file's annotations ids from 1 on");
      check_references(annotation);
      check_box(annotation);
    }
    check_format();
  }

  std::size_t usable() {
    for (const CocoImage& image : coco_.images) images_.emplace(image.id, &image);
    for (const CocoCategory& category : coco_.categories) categories_.insert(category.id);
    return static_cast<std::size_t>(std::ranges::count_if(coco_.annotations, [&](const auto& annotation) {
      const auto image = images_.find(annotation.image_id);
      return image != images_.end() && categories_.contains(annotation.category_id) &&
             remains(annotation, *image->second);
    }));
  }

 private:
  void check_images() {
    std::unordered_set<std::string_view> names;
    for (const CocoImage& image : coco_.images) {
      const std::string place = fmt::format("{}: image {} ({})", file_, written_id(image), image.file_name);
      if (!images_.emplace(image.id, &image).second) {
        findings_.push_back({CheckProblem::duplicate_image_id, place, "the id occurs before"});
      }
      if (!names.insert(image.file_name).second) {
        findings_.push_back({CheckProblem::duplicate_file_name, place, "the file name occurs before"});
      }
    }
  }

  void check_categories() {
    std::unordered_set<std::string_view> names;
    for (const CocoCategory& category : coco_.categories) {
      const std::string place =
          fmt::format("{}: category {} ({})", file_, written_id(category), category.name);
      if (!categories_.insert(category.id).second) {
        findings_.push_back({CheckProblem::duplicate_category, place, "the id occurs before"});
      } else if (!names.insert(category.name).second) {
        findings_.push_back({CheckProblem::duplicate_category, place, "the name occurs before"});
      }
    }
    for (std::string& pair : names_alike(coco_.categories))
      findings_.push_back({CheckProblem::classes_alike, file_, std::move(pair)});
  }

  void check_references(const CocoAnnotation& annotation) {
    if (!images_.contains(annotation.image_id)) {
      add(CheckProblem::unknown_image, annotation,
          fmt::format("got image {}, which is not listed", unlisted_id(coco_, annotation.image_id)));
    }
    if (!categories_.contains(annotation.category_id)) {
      add(CheckProblem::unknown_category, annotation,
          fmt::format("got category {}, which is not listed{}", unlisted_id(coco_, annotation.category_id),
                      name_hint(annotation)));
    }
  }

  // Of a category that is given by its name.
  std::string name_hint(const CocoAnnotation& annotation) const {
    const auto text = coco_.unlisted_ids.find(annotation.category_id);
    if (text == coco_.unlisted_ids.end()) return {};
    const auto named = std::ranges::find(coco_.categories, text->second, &CocoCategory::name);
    return named == coco_.categories.end()
               ? ""
               : fmt::format(": it is the name of {}, write that", written_id(*named));
  }

  void check_box(const CocoAnnotation& annotation) {
    const auto& [left, top, width, height] = annotation.bbox;
    const std::string box = fmt::format("got box [{}, {}, {}, {}]", left, top, width, height);
    if (!(width > 0 && height > 0)) {
      add(CheckProblem::box_without_size, annotation, box + ", expected a positive width and height");
      return;
    }
    const auto image = images_.find(annotation.image_id);
    if (image == images_.end()) return;
    const bool outside = left < -edge_tolerance || top < -edge_tolerance ||
                         left + width > image->second->width + edge_tolerance ||
                         top + height > image->second->height + edge_tolerance;
    if (outside) {
      add(CheckProblem::box_outside, annotation,
          fmt::format("{}, expected it inside {}x{} ({})", box, image->second->width, image->second->height,
                      image->second->file_name));
    } else if (!remains(annotation, *image->second)) {
      add(CheckProblem::box_without_size, annotation,
          fmt::format("{}, of which nothing is left within {}x{}", box, image->second->width,
                      image->second->height));
    }
  }

  static bool remains(const CocoAnnotation& annotation, const CocoImage& image) {
    const Box box = normalized_box(annotation.bbox, image.width, image.height);
    return box.left < box.right && box.top < box.bottom;
  }

  void check_format() {
    const BoxFormat format = guess_box_format(coco_);
    switch (format.kind) {
      case BoxFormat::Kind::pixels:
        return;
      case BoxFormat::Kind::normalized:
        findings_.push_back({CheckProblem::boxes_normalized, file_, format.text});
        return;
      case BoxFormat::Kind::corners:
        findings_.push_back({CheckProblem::boxes_as_corners, file_, format.text});
    }
  }

  void add(CheckProblem problem, const CocoAnnotation& annotation, std::string detail) {
    findings_.push_back({problem, fmt::format("{}: annotation {}", file_, annotation.id), std::move(detail)});
  }

  const CocoFile& coco_;
  const std::string& file_;
  std::vector<CheckFinding>& findings_;
  std::unordered_map<std::int64_t, const CocoImage*> images_;
  std::unordered_set<std::int64_t> categories_;
};

void count_sizes(const CocoFile& coco, CheckSummary& summary) {
  std::vector<double> widths, heights;
  for (const CocoImage& image : coco.images) {
    widths.push_back(image.width);
    heights.push_back(image.height);
  }
  summary.width = spread_of(std::move(widths));
  summary.height = spread_of(std::move(heights));
}

void count_boxes(const CocoFile& coco, CheckSummary& summary) {
  std::unordered_map<std::int64_t, std::size_t> classes, images;
  for (const CocoCategory& category : coco.categories) {
    classes.emplace(category.id, summary.classes.size());
    summary.classes.emplace_back(category.name, 0);
  }
  for (const CocoImage& image : coco.images) images.emplace(image.id, 0);
  std::vector<double> widths, heights;
  for (const CocoAnnotation& annotation : coco.annotations) {
    summary.crowd_boxes += annotation.iscrowd;
    (annotation.area < small_area    ? summary.small
     : annotation.area < medium_area ? summary.medium
                                     : summary.large) += 1;
    widths.push_back(annotation.bbox[2]);
    heights.push_back(annotation.bbox[3]);
    if (const auto found = classes.find(annotation.category_id); found != classes.end()) {
      ++summary.classes[found->second].second;
    }
    if (const auto found = images.find(annotation.image_id); found != images.end()) ++found->second;
  }
  summary.box_width = spread_of(std::move(widths));
  summary.box_height = spread_of(std::move(heights));
  std::vector<double> counts;
  for (const auto& [id, count] : images) {
    counts.push_back(static_cast<double>(count));
    summary.images_without_boxes += count == 0;
  }
  summary.boxes_per_image = spread_of(std::move(counts));
}

}  // namespace

void find_annotation_problems(const CocoFile& coco, const std::string& file,
                              std::vector<CheckFinding>& findings) {
  AnnotationChecker(coco, file, findings).run();
}

std::size_t usable_boxes(const CocoFile& coco) {
  std::vector<CheckFinding> none;
  return AnnotationChecker(coco, "", none).usable();
}

void summarize_annotations(const CocoFile& coco, CheckSummary& summary) {
  summary.annotated = true;
  summary.images = coco.images.size();
  summary.boxes = coco.annotations.size();
  count_sizes(coco, summary);
  count_boxes(coco, summary);
}

}  // namespace ssd
