#include "cli/data_notes.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "cli/output.h"
#include "data/dataset/box_format.h"
#include "data/dataset/class_names.h"

namespace ssd::cli {
namespace {

constexpr std::pair<CocoLeftOut::What, const char*> left_out_texts[] = {
    {CocoLeftOut::What::image, "images were left out"},
    {CocoLeftOut::What::annotation, "boxes were left out"},
    {CocoLeftOut::What::category, "categories were left out"},
    {CocoLeftOut::What::image_of_same_id, "images were left out: their ids occur twice"},
    {CocoLeftOut::What::category_of_same_id, "categories were left out: their ids occur twice"},
    {CocoLeftOut::What::root_category, "category was left out"},
};
constexpr std::pair<CocoMended::What, const char*> mended_texts[] = {
    {CocoMended::What::box_of_segmentation, "annotations have no box, that of their segmentation is taken"},
    {CocoMended::What::annotation_numbered, "annotations have no id and get one"},
    {CocoMended::What::area_of_box, "annotations have no usable area, that of their box is taken"},
    {CocoMended::What::category_named, "categories have no name and are called by their ids"},
    {CocoMended::What::image_repeated, "images are listed twice and taken once"},
    {CocoMended::What::category_repeated, "categories are listed twice and taken once"},
};

template <typename Item>
std::size_t count_of(const std::vector<Item>& items, const decltype(Item::what)& what) {
  return static_cast<std::size_t>(std::ranges::count(items, what, &Item::what));
}

void tell_text_ids(const std::string& name, const CocoFile& coco) {
  const auto is_text = [](const CocoImage& image) { return has_text_id(image); };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(coco.images, is_text));
  if (count == 0) return;
  const CocoImage& first = *std::ranges::find_if(coco.images, is_text);
  tell("{}: {} images have texts as ids, which are kept: \"{}\"{}\n", name, count, first.id_text,
       count > 1 ? ", ..." : "");
}

}  // namespace

void tell_left_out(const std::string& name, std::size_t count, std::string_view what,
                   const std::string& first, bool strict) {
  if (strict)
    throw Error("{}: --strict stops at {} {}: {}{}", name, count, what, first, count > 1 ? ", ..." : "");
  tell("{}: {} {}: {}{}\n", name, count, what, first, count > 1 ? ", ..." : "");
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
  tell_text_ids(name, coco);
}

void tell_classes(const std::string& name, const CocoFile& coco) {
  if (const auto shared = names_shared(coco.categories); !shared.empty())
    tell_left_out(name, shared.size(), "categories have the name of another and stay classes of their own",
                  shared.front(), false);
  if (const auto alike = names_alike(coco.categories); !alike.empty())
    tell_left_out(name, alike.size(), "classes differ from another in capitals alone and stay apart",
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
    throw Error("{}: none of its {} images is there, the first is {}; {}", read.name, images, missing.front(),
                advice);
  if (!helped.empty())
    tell_left_out(read.name, helped.size(), "images were found by the last part of their names",
                  helped.front(), false);
  if (!missing.empty())
    tell_left_out(read.name, missing.size(), fmt::format("of {} images are not there", images),
                  missing.front(), strict);
  if (!split.measured.empty())
    tell_left_out(read.name, split.measured.size(), "images have no size here, it was taken from their files",
                  split.measured.front(), false);
  if (const BoxFormat format = guess_box_format(split.coco); !format.text.empty())
    tell("{}: {}\n", read.name, format.text);
  tell_entries(read.name, split.coco, strict);
}

}  // namespace ssd::cli
