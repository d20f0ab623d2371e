#include "cli/data_notes.h"

#include <algorithm>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "cli/output.h"
#include "data/dataset/box_format.h"
#include "data/dataset/class_names.h"

namespace ssd::cli {
namespace {

constexpr std::pair<CocoLeftOut::What, const char*> left_out_texts[] = {
    {CocoLeftOut::What::image, "image[s] [was|were] left out"},
    {CocoLeftOut::What::annotation, "box[es] [was|were] left out"},
    {CocoLeftOut::What::category, "categor[y|ies] [was|were] left out"},
    {CocoLeftOut::What::image_of_same_id,
     "image[s] [was|were] left out: [its id occurs|their ids occur] twice"},
    {CocoLeftOut::What::category_of_same_id,
     "categor[y|ies] [was|were] left out: [its id occurs|their ids occur] twice"},
    {CocoLeftOut::What::root_category, "categor[y|ies] [was|were] left out"},
};
constexpr std::pair<CocoMended::What, const char*> mended_texts[] = {
    {CocoMended::What::box_of_segmentation,
     "annotation[s] [has|have] no box, that of [its|their] segmentation is taken"},
    {CocoMended::What::annotation_numbered, "annotation[s] [has|have] no id and [gets|get] one"},
    {CocoMended::What::area_of_box,
     "annotation[s] [has|have] no usable area, that of [its|their] box is taken"},
    {CocoMended::What::category_named,
     "categor[y|ies] [has|have] no name and [is|are] called by [its id|their ids]"},
    {CocoMended::What::image_repeated, "image[s] [is|are] listed twice and taken once"},
    {CocoMended::What::category_repeated, "categor[y|ies] [is|are] listed twice and taken once"},
};

template <typename Item>
std::size_t count_of(const std::vector<Item>& items, const decltype(Item::what)& what) {
  return static_cast<std::size_t>(std::ranges::count(items, what, &Item::what));
}

template <typename Item>
void tell_text_ids(const std::string& name, const std::vector<Item>& items, std::string_view what) {
  const auto is_text = [](const Item& item) { return has_text_id(item); };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(items, is_text));
  if (count == 0) return;
  tell_left_out(name, count, what, fmt::format("\"{}\"", std::ranges::find_if(items, is_text)->id_text),
                false);
}

}  // namespace

void tell_left_out(const std::string& name, std::size_t count, std::string_view what,
                   const std::string& first, bool strict) {
  if (strict)
    throw Error("{}: --strict stops at {}: {}{}", name, counted(count, what), first,
                count > 1 ? ", ..." : "");
  tell("{}: {}: {}{}\n", name, counted(count, what), first, count > 1 ? ", ..." : "");
}

void tell_entries(const std::string& name, const CocoFile& coco, bool strict) {
  for (const auto& one : left_out_texts)
    if (const std::size_t count = count_of(coco.left_out, one.first); count > 0)
      tell_left_out(name, count, one.second,
                    std::ranges::find(coco.left_out, one.first, &CocoLeftOut::what)->reason,
                    strict && one.first != CocoLeftOut::What::root_category);
  for (const auto& one : mended_texts)
    if (const std::size_t count = count_of(coco.mended, one.first); count > 0)
      tell_left_out(name, count, one.second,
                    std::ranges::find(coco.mended, one.first, &CocoMended::what)->text, false);
  tell_text_ids(name, coco.images,
                "image[s] [has a text as its id, which is|have texts as ids, which are] kept");
  tell_text_ids(name, coco.categories,
                "categor[y|ies] [has a text as its id, which is|have texts as ids, which are] kept");
}

void tell_classes(const std::string& name, const CocoFile& coco) {
  if (const auto shared = names_shared(coco.categories); !shared.empty())
    tell_left_out(name, shared.size(),
                  "categor[y has|ies have] the name of another and [stays a class of its own|stay classes of "
                  "their own]",
                  shared.front(), false);
  if (const auto alike = names_alike(coco.categories); !alike.empty())
    tell_left_out(name, alike.size(),
                  "class[es] [differs|differ] from another in capitals alone and [stays|stay] apart",
                  alike.front(), false);
}

void tell_notes(const ForeignSet& set, const std::string& data, bool strict) {
  for (const auto& [what, places] : set.notes)
    tell_left_out(data, places.size(), describe(what), places.front(), strict && is_fault(what));
}

void tell_split(const DataSplit& read, std::string_view advice, bool strict) {
  const CocoSplit& split = read.split;
  const std::size_t images = split.coco.images.size();
  const auto& [helped, missing] = split.located;
  if (images > 0 && missing.size() == images)
    throw Error("{}: none of its {} is there, the first is {}; {}", read.name, counted(images, "image[s]"),
                missing.front(), advice);
  if (!helped.empty())
    tell_left_out(read.name, helped.size(),
                  "image[s] [was|were] found by the last part of [its name|their names]", helped.front(),
                  false);
  if (!missing.empty())
    tell_left_out(read.name, missing.size(),
                  fmt::format("of {} [is|are] not there", counted(images, "image[s]")), missing.front(),
                  strict);
  if (!split.measured.empty())
    tell_left_out(read.name, split.measured.size(),
                  "image[s] [has|have] no size here, it was taken from [its file|their files]",
                  split.measured.front(), false);
  if (const BoxFormat format = guess_box_format(split.coco); !format.text.empty())
    tell("{}: {}\n", read.name, format.text);
  tell_entries(read.name, split.coco, strict);
}

}  // namespace ssd::cli
