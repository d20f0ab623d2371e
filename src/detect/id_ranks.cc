#include "detect/id_ranks.h"

#include <algorithm>

namespace ssd {

void IdRanks::rank(std::vector<WrittenId> ids) {
  const auto is_text = [](const WrittenId& id) { return !id.first.empty(); };
  if (std::ranges::none_of(ids, is_text)) return;
  std::ranges::sort(ids);  // numbers have no text and come first
  ranks_.reserve(ids.size());
  for (const WrittenId& id : ids) ranks_.emplace(id.second, static_cast<std::int64_t>(ranks_.size()));
}

std::int64_t IdRanks::of(std::int64_t id) const {
  if (!needed()) return id;
  const auto rank = ranks_.find(id);
  return rank == ranks_.end() ? -1 : rank->second;
}

}  // namespace ssd
