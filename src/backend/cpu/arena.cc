#include "backend/cpu/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ssd::cpu {
namespace {

struct Extent {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::size_t aligned(std::size_t bytes) {
  return (bytes + arena_alignment - 1) / arena_alignment * arena_alignment;
}

// The offset of the smallest gap between `taken` (sorted by begin) that holds `bytes`, or the end.
std::size_t best_fit(const std::vector<Extent>& taken, std::size_t bytes) {
  std::size_t best = 0, best_gap = std::numeric_limits<std::size_t>::max(), end = 0;
  for (const Extent& extent : taken) {
    if (extent.begin > end && extent.begin - end >= bytes && extent.begin - end < best_gap) {
      best = end;
      best_gap = extent.begin - end;
    }
    end = std::max(end, extent.end);
  }
  return best_gap == std::numeric_limits<std::size_t>::max() ? end : best;
}

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes) {
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  ArenaPlan plan{std::vector<std::size_t>(lifetimes.size()), 0};
  std::vector<std::size_t> placed;
  for (const std::size_t i : order) {
    const std::size_t bytes = aligned(lifetimes[i].bytes);
    if (bytes == 0) continue;
    std::vector<Extent> taken;
    for (const std::size_t j : placed)
      if (lifetimes[j].first <= lifetimes[i].last && lifetimes[i].first <= lifetimes[j].last)
        taken.push_back({plan.offsets[j], plan.offsets[j] + aligned(lifetimes[j].bytes)});
    std::sort(taken.begin(), taken.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    plan.offsets[i] = best_fit(taken, bytes);
    plan.bytes = std::max(plan.bytes, plan.offsets[i] + bytes);
    placed.push_back(i);
  }
  return plan;
}

}  // namespace ssd::cpu
