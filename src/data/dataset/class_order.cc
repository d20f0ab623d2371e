#include "data/dataset/class_order.h"

#include <algorithm>

#include "base/error.h"

namespace ssd {
namespace {

using Categories = std::vector<CocoCategory>;

constexpr const char* advice = "evaluate on the classes that the network was trained on";

[[noreturn]] void fail_missing(const CocoCategory& wanted, const Categories& categories,
                               std::string_view name) {
  const auto same_id = std::ranges::find(categories, wanted.id, &CocoCategory::id);
  if (same_id == categories.end())
    throw Error("{}: got no category \"{}\", expected it with id {}; {}", name, wanted.name,
                written_id(wanted), advice);
  throw Error("{}: got category {} \"{}\", expected \"{}\"; {}", name, written_id(wanted), same_id->name,
              wanted.name, advice);
}

// The place of a class in the data set's list.
std::size_t find_category(const CocoCategory& wanted, const Categories& categories, std::string_view name) {
  const auto same = [&](const CocoCategory& c) { return c.name == wanted.name; };
  const auto count = std::ranges::count_if(categories, same);
  const auto exact =
      std::ranges::find_if(categories, [&](const CocoCategory& c) { return same(c) && c.id == wanted.id; });
  if (exact != categories.end()) return static_cast<std::size_t>(exact - categories.begin());
  if (count > 1)
    throw Error("{}: got {} categories \"{}\", expected one, or one with id {}; {}", name, count, wanted.name,
                written_id(wanted), advice);
  if (count == 0) fail_missing(wanted, categories, name);
  return static_cast<std::size_t>(std::ranges::find_if(categories, same) - categories.begin());
}

}  // namespace

void order_classes(Dataset& dataset, std::span<const CocoCategory> classes, std::string_view name) {
  std::vector<std::int32_t> labels(dataset.categories.size(), 0);  // new ones, by place; 0: unknown
  Categories ordered;
  for (const CocoCategory& wanted : classes) {
    const std::size_t place = find_category(wanted, dataset.categories, name);
    ordered.push_back(dataset.categories[place]);
    labels[place] = static_cast<std::int32_t>(ordered.size());
  }
  for (const Sample& sample : dataset.samples)
    for (const LabeledBox& box : sample.boxes) {
      const auto place = static_cast<std::size_t>(box.label - 1);
      if (labels[place] == 0)
        throw Error("{}: got boxes of \"{}\", which is none of the network's {} classes; {}", name,
                    dataset.categories[place].name, classes.size(), advice);
    }
  for (Sample& sample : dataset.samples)
    for (LabeledBox& box : sample.boxes) box.label = labels[static_cast<std::size_t>(box.label - 1)];
  dataset.categories = std::move(ordered);
}

}  // namespace ssd
