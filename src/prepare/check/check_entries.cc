#include "prepare/check/check_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/counted.h"

namespace ssd {
namespace {

CheckProblem problem_of(CocoLeftOut::What what) {
  switch (what) {
    case CocoLeftOut::What::image:
    case CocoLeftOut::What::annotation:
    case CocoLeftOut::What::category:
      return CheckProblem::entry_left_out;
    case CocoLeftOut::What::root_category:
      return CheckProblem::root_category;
    case CocoLeftOut::What::image_of_same_id:
      return CheckProblem::duplicate_image_id;
    case CocoLeftOut::What::category_of_same_id:
      return CheckProblem::duplicate_category;
  }
  return CheckProblem::entry_left_out;
}

CheckProblem problem_of(CocoMended::What what) {
  switch (what) {
    case CocoMended::What::box_of_segmentation:
      return CheckProblem::polygon_boxed;
    case CocoMended::What::annotation_numbered:
    case CocoMended::What::area_of_box:
    case CocoMended::What::category_named:
      return CheckProblem::field_filled;
    case CocoMended::What::image_repeated:
      return CheckProblem::duplicate_image_id;
    case CocoMended::What::category_repeated:
      return CheckProblem::duplicate_category;
  }
  return CheckProblem::field_filled;
}

template <typename Item>
void note_text_ids(const std::vector<Item>& items, std::string_view what, const std::string& file,
                   std::vector<CheckFinding>& findings) {
  const auto is_text = [](const Item& item) { return has_text_id(item); };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(items, is_text));
  if (const auto first = std::ranges::find_if(items, is_text); first != items.end())
    findings.push_back({CheckProblem::ids_are_texts, file,
                        fmt::format("{}, the first is \"{}\"", counted(count, what), first->id_text)});
}

}  // namespace

void add_split_findings(const CocoSplit& split, const std::string& file,
                        std::vector<CheckFinding>& findings) {
  for (const CocoLeftOut& one : split.coco.left_out)
    findings.push_back({problem_of(one.what), file, one.reason});
  for (const CocoMended& one : split.coco.mended) findings.push_back({problem_of(one.what), file, one.text});
  for (const std::string& one : split.located.helped)
    findings.push_back({CheckProblem::image_elsewhere, file, one});
  for (const std::string& one : split.measured) findings.push_back({CheckProblem::size_missing, file, one});
  note_text_ids(split.coco.images, "image[s]", file, findings);
  note_text_ids(split.coco.categories, "categor[y|ies]", file, findings);
}

}  // namespace ssd
