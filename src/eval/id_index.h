// Positions of ids.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace ssd {

// The distinct ids in ascending order, and the position of each. A table where the ids lie close together (as
// COCO's do), a hash map elsewhere.
class IdIndex {
 public:
  static constexpr std::uint32_t absent = 0xffffffffu;

  explicit IdIndex(std::span<const std::int64_t> ids);

  const std::vector<std::int64_t>& ids() const { return ids_; }
  std::size_t size() const { return ids_.size(); }

  // The position of the id among ids(), or `absent`.
  std::uint32_t find(std::int64_t id) const {
    if (!table_.empty()) {
      const std::uint64_t offset = static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(ids_.front());
      return offset < table_.size() ? table_[offset] : absent;
    }
    const auto found = map_.find(id);
    return found == map_.end() ? absent : found->second;
  }

 private:
  std::vector<std::int64_t> ids_;
  std::vector<std::uint32_t> table_;
  std::unordered_map<std::int64_t, std::uint32_t> map_;
};

}  // namespace ssd
