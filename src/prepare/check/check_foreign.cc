#include "prepare/check/check_foreign.h"

#include <optional>
#include <string>

namespace ssd {
namespace {

std::optional<CheckProblem> problem_of(ForeignNote note) {
  switch (note) {
    case ForeignNote::image_of_other_format:
    case ForeignNote::image_unreadable:
      return CheckProblem::image_broken;
    case ForeignNote::image_without_annotation:
      return CheckProblem::image_without_labels;
    case ForeignNote::image_in_no_split:
    case ForeignNote::not_an_annotation:
      return CheckProblem::file_passed_over;
    case ForeignNote::image_in_both_splits:
      return CheckProblem::image_in_two_splits;
    case ForeignNote::annotation_without_image:
    case ForeignNote::listed_without_image:
      return CheckProblem::image_missing;
    case ForeignNote::annotation_unreadable:
    case ForeignNote::object_unreadable:
      return CheckProblem::entry_left_out;
    case ForeignNote::size_differs:
      return CheckProblem::size_differs;
    case ForeignNote::box_without_size:
      return CheckProblem::box_without_size;
    case ForeignNote::box_difficult:
      return CheckProblem::box_difficult;
    case ForeignNote::polygon_boxed:
      return CheckProblem::polygon_boxed;
    case ForeignNote::object_repeated:
      return CheckProblem::label_repeated;
    case ForeignNote::box_tracked:
    case ForeignNote::box_with_key_points:
      return CheckProblem::track_passed_over;
    case ForeignNote::path_unreadable:
    case ForeignNote::split_missing:
      return CheckProblem::path_unreadable;
    case ForeignNote::classes_miscounted:
      return CheckProblem::classes_miscounted;
    case ForeignNote::image_orientation_ambiguous:  // found by the check of images, boxes and classes
    case ForeignNote::classes_alike:
    case ForeignNote::box_over_edge:
    case ForeignNote::split_empty:
    case ForeignNote::id_repeated:    // of COCO files alone
    case ForeignNote::name_not_utf8:  // of names in memory, which are the files' own
      return std::nullopt;
  }
  return std::nullopt;
}

// "b.txt:2: got ..." is a place and what is wrong there; a place alone has said it by its kind.
CheckFinding finding(CheckProblem problem, const std::string& note) {
  const auto colon = note.find(": ");
  if (colon == std::string::npos) return {problem, note, ""};
  return {problem, note.substr(0, colon), note.substr(colon + 2)};
}

}  // namespace

void note_foreign(const ForeignSet& set, CheckReport& report) {
  for (const auto& [what, places] : set.notes) {
    const auto problem = problem_of(what);
    if (!problem) continue;
    for (const std::string& place : places) report.findings.push_back(finding(*problem, place));
  }
}

}  // namespace ssd
