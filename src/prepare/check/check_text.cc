#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/counted.h"
#include "base/error.h"
#include "base/one_line.h"
#include "prepare/check/check.h"

namespace ssd {
namespace {

constexpr std::size_t classes_shown = 20;
constexpr std::size_t bar_length = 30;

CheckProblem problem_at(std::size_t index) { return static_cast<CheckProblem>(index); }

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string text_of(const CheckSpread& spread) {
  return fmt::format("{:.5g} to {:.5g}, median {:.5g}", spread.min, spread.max, spread.median);
}

std::string images_text(const CheckSummary& summary) {
  std::string text = fmt::format("  images           {} of {} readable, {:.1f} MB", summary.images_decoded,
                                 summary.images, static_cast<double>(summary.image_bytes) / 1e6);
  if (summary.gray > 0) text += fmt::format(", {} gray", summary.gray);
  if (summary.cmyk > 0) text += fmt::format(", {} CMYK", summary.cmyk);
  if (summary.exif_oriented > 0) text += fmt::format(", {} not stored upright", summary.exif_oriented);
  text += fmt::format("\n  width, height    {}; {}\n", text_of(summary.width), text_of(summary.height));
  return text;
}

// The classes with the most boxes, each with a bar, and how many more there are.
std::string classes_text(const CheckSummary& summary) {
  auto classes = summary.classes;
  for (auto& [name, boxes] : classes) name = printable(name);
  std::ranges::stable_sort(classes, std::greater<>(), &std::pair<std::string, std::size_t>::second);
  const std::size_t shown = std::min(classes.size(), classes_shown);
  const std::size_t most = classes.empty() ? 0 : classes[0].second;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < shown; ++i) longest = std::max(longest, classes[i].first.size());
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [name, boxes] = classes[i];
    const std::size_t bar = most == 0 ? 0 : (boxes * bar_length + most - 1) / most;
    text += fmt::format("    {:<{}} {:>8}  {}\n", name, longest, boxes, std::string(bar, '#'));
  }
  const std::size_t empty = static_cast<std::size_t>(
      std::ranges::count(classes, std::size_t{0}, &std::pair<std::string, std::size_t>::second));
  if (classes.size() > shown)
    text += fmt::format("    and {} with fewer boxes\n", counted(classes.size() - shown, "class[es]"));
  if (empty > 0) text += fmt::format("    {} no box here\n", counted(empty, "class[es] [has|have]"));
  return text;
}

std::string boxes_text(const CheckSummary& summary) {
  std::string text = fmt::format("  boxes            {}, of which {} crowd; an image has {}\n", summary.boxes,
                                 summary.crowd_boxes, text_of(summary.boxes_per_image));
  text += fmt::format("  without boxes    {}\n", counted(summary.images_without_boxes, "image[s]"));
  text += fmt::format("  box sizes        width {}; height {}\n", text_of(summary.box_width),
                      text_of(summary.box_height));
  text += fmt::format(
      "  box areas        small (below 32x32) {} ({:.0f}%), medium {} ({:.0f}%), large (96x96 and above) "
      "{} ({:.0f}%)\n",
      summary.small, percent(summary.small, summary.boxes), summary.medium,
      percent(summary.medium, summary.boxes), summary.large, percent(summary.large, summary.boxes));
  text += fmt::format("  boxes a class    {}\n", counted(summary.classes.size(), "class[es]"));
  return text + classes_text(summary);
}

nlohmann::ordered_json json_of(const CheckSpread& spread) {
  return {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
}

nlohmann::ordered_json json_of(const CheckSummary& summary) {
  nlohmann::ordered_json json = {{"name", summary.name},
                                 {"images", summary.images},
                                 {"width", json_of(summary.width)},
                                 {"height", json_of(summary.height)},
                                 {"images_readable", summary.images_decoded},
                                 {"image_bytes", summary.image_bytes},
                                 {"gray", summary.gray},
                                 {"cmyk", summary.cmyk},
                                 {"exif_oriented", summary.exif_oriented}};
  if (!summary.annotated) return json;
  json["boxes"] = summary.boxes;
  json["crowd_boxes"] = summary.crowd_boxes;
  json["images_without_boxes"] = summary.images_without_boxes;
  json["boxes_per_image"] = json_of(summary.boxes_per_image);
  json["box_width"] = json_of(summary.box_width);
  json["box_height"] = json_of(summary.box_height);
  json["box_areas"] = {{"small", summary.small}, {"medium", summary.medium}, {"large", summary.large}};
  json["classes"] = nlohmann::ordered_json::array();
  for (const auto& [name, boxes] : summary.classes)
    json["classes"].push_back({{"name", name}, {"boxes", boxes}});
  return json;
}

}  // namespace

// Over 60 lines: two for each problem.
const char* name_of(CheckProblem problem) {
  switch (problem) {
    case CheckProblem::annotations_unreadable:
      return "annotations_unreadable";
    case CheckProblem::duplicate_image_id:
      return "duplicate_image_id";
    case CheckProblem::duplicate_file_name:
      return "duplicate_file_name";
    case CheckProblem::duplicate_annotation_id:
      return "duplicate_annotation_id";
    case CheckProblem::duplicate_category:
      return "duplicate_category";
    case CheckProblem::unknown_image:
      return "unknown_image";
    case CheckProblem::unknown_category:
      return "unknown_category";
    case CheckProblem::box_without_size:
      return "box_without_size";
    case CheckProblem::box_outside:
      return "box_outside";
    case CheckProblem::image_missing:
      return "image_missing";
    case CheckProblem::image_broken:
      return "image_broken";
    case CheckProblem::size_differs:
      return "size_differs";
    case CheckProblem::cache_damaged:
      return "cache_damaged";
    case CheckProblem::no_boxes:
      return "no_boxes";
    case CheckProblem::boxes_normalized:
      return "boxes_normalized";
    case CheckProblem::boxes_as_corners:
      return "boxes_as_corners";
    case CheckProblem::path_unreadable:
      return "path_unreadable";
    case CheckProblem::orientation_ambiguous:
      return "orientation_ambiguous";
    case CheckProblem::split_of_other_name:
      return "split_of_other_name";
    case CheckProblem::entry_left_out:
      return "entry_left_out";
    case CheckProblem::classes_miscounted:
      return "classes_miscounted";
    case CheckProblem::image_in_two_splits:
      return "image_in_two_splits";
    case CheckProblem::image_elsewhere:
      return "image_elsewhere";
    case CheckProblem::size_missing:
      return "size_missing";
    case CheckProblem::root_category:
      return "root_category";
    case CheckProblem::annotation_id_zero:
      return "annotation_id_zero";
    case CheckProblem::image_without_labels:
      return "image_without_labels";
    case CheckProblem::file_passed_over:
      return "file_passed_over";
    case CheckProblem::polygon_boxed:
      return "polygon_boxed";
    case CheckProblem::track_passed_over:
      return "track_passed_over";
    case CheckProblem::box_difficult:
      return "box_difficult";
    case CheckProblem::field_filled:
      return "field_filled";
    case CheckProblem::ids_are_texts:
      return "ids_are_texts";
    case CheckProblem::label_repeated:
      return "label_repeated";
    case CheckProblem::classes_alike:
      return "classes_alike";
  }
  return "";
}

// Over 60 lines: two for each problem.
const char* describe(CheckProblem problem) {
  switch (problem) {
    case CheckProblem::annotations_unreadable:
      return "annotation file[s] that cannot be read";
    case CheckProblem::duplicate_image_id:
      return "image id[s] that [occurs|occur] twice";
    case CheckProblem::duplicate_file_name:
      return "file name[s] that [occurs|occur] twice";
    case CheckProblem::duplicate_annotation_id:
      return "annotation id[s] that [occurs|occur] twice";
    case CheckProblem::duplicate_category:
      return "categor[y|ies] that [occurs|occur] twice";
    case CheckProblem::unknown_image:
      return "annotation[s] of unknown images";
    case CheckProblem::unknown_category:
      return "annotation[s] of unknown categories";
    case CheckProblem::box_without_size:
      return "box[es] without width or height";
    case CheckProblem::box_outside:
      return "box[es] that [reaches|reach] outside [its|their] image";
    case CheckProblem::image_missing:
      return "image[s] missing";
    case CheckProblem::image_broken:
      return "image[s] broken";
    case CheckProblem::size_differs:
      return "image[s] of another size than annotated";
    case CheckProblem::cache_damaged:
      return "record cache[s] that cannot be opened";
    case CheckProblem::no_boxes:
      return "annotation file[s] without anything to train on";
    case CheckProblem::boxes_normalized:
      return "annotation file[s] whose boxes seem to be in normalized coordinates";
    case CheckProblem::boxes_as_corners:
      return "annotation file[s] whose boxes seem to be left, top, right, bottom";
    case CheckProblem::path_unreadable:
      return "folder[s] or link[s] that cannot be followed";
    case CheckProblem::orientation_ambiguous:
      return "image[s] whose EXIF orientation does not change [its|their] size (note: [its|their] boxes are "
             "read on "
             "the image as stored)";
    case CheckProblem::split_of_other_name:
      return "annotation file[s] that training leaves aside (note: it has to be given [its path|their "
             "paths])";
    case CheckProblem::entry_left_out:
      return "image[s], annotation[s] or categor[y|ies] that cannot be used and [is|are] left out";
    case CheckProblem::classes_miscounted:
      return "data file[s] that [counts|count] more or fewer classes than [it names|they name]";
    case CheckProblem::image_in_two_splits:
      return "validation image[s] that [is a training image|are training images] too (note: [its|their] "
             "numbers say little of "
             "others)";
    case CheckProblem::image_elsewhere:
      return "image[s] found by the last part of [its name|their names] (note)";
    case CheckProblem::size_missing:
      return "image[s] without a size in the annotations (note: it is taken from [its file|their files])";
    case CheckProblem::root_category:
      return "categor[y|ies] that only [names|name] the others (note: [it is no class|they are no classes])";
    case CheckProblem::annotation_id_zero:
      return "annotation[s] with id 0 (note: COCO's evaluation never counts [it|them] as found)";
    case CheckProblem::image_without_labels:
      return "image[s] without a file of labels (note)";
    case CheckProblem::file_passed_over:
      return "file[s] that no split uses (note)";
    case CheckProblem::polygon_boxed:
      return "polygon[s] or mask[s] of which the bounding box is taken (note)";
    case CheckProblem::track_passed_over:
      return "box[es] with a tracker's numbers or key points behind [it|them] (note: these are passed over)";
    case CheckProblem::box_difficult:
      return "box[es] marked difficult (note)";
    case CheckProblem::field_filled:
      return "annotation[s] without an id or an area, or categor[y|ies] without a name (note: [it gets|they "
             "get] one)";
    case CheckProblem::ids_are_texts:
      return "list[s] of images or categories that [has|have] texts as ids (note: they are kept)";
    case CheckProblem::label_repeated:
      return "line[s] of labels that [stands|stand] twice in [its|their] file (note: taken once)";
    case CheckProblem::classes_alike:
      return "class[es] whose [name differs|names differ] from another in capitals alone (note: [it "
             "stays|they stay] apart)";
  }
  return "";
}

std::string CheckReport::to_text(std::size_t named) const {
  std::string text;
  if (!layout.empty()) text += fmt::format("{}: {}\n", printable(path), printable(layout));
  if (!unused.empty()) text += fmt::format("{}: not used: {}\n", printable(path), printable(unused));
  for (const CheckSummary& summary : summaries) {
    text += printable(summary.name) + ": " + counted(summary.images, "image[s]");
    text += summary.annotated ? ", " + counted(summary.boxes, "box[es]") + "\n" : "\n";
    text += images_text(summary);
    if (summary.annotated) text += boxes_text(summary);
  }
  for (std::size_t i = 0; i < check_problem_count; ++i) {
    const std::size_t total = count(problem_at(i));
    if (total == 0) continue;
    text += counted(total, describe(problem_at(i))) + ":\n";
    std::size_t shown = 0;
    for (const CheckFinding& finding : findings) {
      if (finding.problem != problem_at(i) || shown == named) continue;
      text += fmt::format("  {}{}{}\n", printable(finding.place), finding.detail.empty() ? "" : ": ",
                          printable(finding.detail));
      ++shown;
    }
    if (total > shown) text += fmt::format("  and {} more\n", total - shown);
  }
  return text + (good() ? fmt::format("no problems found in {:.1f} s\n", seconds)
                        : fmt::format("{} found in {:.1f} s\n", counted(problems(), "problem[s]"), seconds));
}

std::string CheckReport::to_json() const {
  nlohmann::ordered_json json = {{"path", path},
                                 {"layout", layout},
                                 {"unused", unused},
                                 {"good", good()},
                                 {"problems", problems()},
                                 {"counts", nlohmann::ordered_json::object()},
                                 {"summaries", nlohmann::ordered_json::array()},
                                 {"findings", nlohmann::ordered_json::array()},
                                 {"seconds", seconds}};
  for (std::size_t i = 0; i < check_problem_count; ++i)
    json["counts"][name_of(problem_at(i))] = count(problem_at(i));
  for (const CheckSummary& summary : summaries) json["summaries"].push_back(json_of(summary));
  for (const CheckFinding& finding : findings) {
    json["findings"].push_back(
        {{"problem", name_of(finding.problem)}, {"place", finding.place}, {"detail", finding.detail}});
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ssd
