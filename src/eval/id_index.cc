#include "eval/id_index.h"

#include <algorithm>

namespace ssd {

IdIndex::IdIndex(std::span<const std::int64_t> ids) : ids_(ids.begin(), ids.end()) {
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  if (ids_.empty()) return;
  const std::uint64_t range =
      static_cast<std::uint64_t>(ids_.back()) - static_cast<std::uint64_t>(ids_.front());
  const std::uint64_t affordable = (std::uint64_t{1} << 20) + 64 * ids_.size();
  if (range < affordable) {
    table_.assign(range + 1, absent);
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      table_[static_cast<std::uint64_t>(ids_[i]) - static_cast<std::uint64_t>(ids_.front())] =
          static_cast<std::uint32_t>(i);
    }
  } else {
    map_.reserve(ids_.size());
    for (std::size_t i = 0; i < ids_.size(); ++i) map_.emplace(ids_[i], static_cast<std::uint32_t>(i));
  }
}

}  // namespace ssd
