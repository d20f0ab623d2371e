#include "data/dataset/class_names.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "storage/comparable_name.h"

namespace ssd {

std::vector<std::string> names_alike(const std::vector<CocoCategory>& categories) {
  std::map<std::string, std::string_view> first;  // by the comparable name
  std::vector<std::string> pairs;
  for (const CocoCategory& category : categories) {
    const auto [before, fresh] = first.emplace(comparable_name(category.name), category.name);
    if (!fresh && before->second != category.name)
      pairs.push_back(fmt::format("{} and {}", before->second, category.name));
  }
  return pairs;
}

std::vector<std::string> names_shared(const std::vector<CocoCategory>& categories) {
  std::map<std::string_view, const CocoCategory*> first;
  std::vector<std::string> shared;
  for (const CocoCategory& category : categories) {
    const auto [before, fresh] = first.emplace(category.name, &category);
    if (!fresh)
      shared.push_back(
          fmt::format("{} ({} and {})", category.name, written_id(*before->second), written_id(category)));
  }
  return shared;
}

}  // namespace ssd
