#include "detect/image_ranks.h"

#include <algorithm>
#include <utility>

namespace ssd {

ImageRanks::ImageRanks(const std::vector<CocoImage>& images) {
  const auto is_text = [](const CocoImage& image) { return !image.id_text.empty(); };
  if (std::ranges::none_of(images, is_text)) return;
  std::vector<std::pair<std::string_view, std::int64_t>> order;  // numbers have no text and come first
  order.reserve(images.size());
  for (const CocoImage& image : images) order.emplace_back(image.id_text, image.id);
  std::ranges::sort(order);
  ranks_.reserve(order.size());
  for (const auto& one : order) ranks_.emplace(one.second, static_cast<std::int64_t>(ranks_.size()));
}

std::int64_t ImageRanks::of(std::int64_t id) const {
  const auto rank = ranks_.find(id);
  return rank == ranks_.end() ? -1 : rank->second;
}

}  // namespace ssd
