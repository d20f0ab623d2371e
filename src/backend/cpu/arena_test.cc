#include "backend/cpu/arena.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace ssd::cpu {
namespace {

bool alive_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// Nothing that is alive at the same time shares a byte, everything is aligned and inside the arena.
void expect_sound(const std::vector<Lifetime>& lifetimes, const ArenaPlan& plan) {
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % arena_alignment, 0u);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!alive_together(lifetimes[i], lifetimes[j])) continue;
      const bool apart = plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  }
}

TEST(Arena, NothingAliveOverlaps) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed, 0, 0);
    std::vector<Lifetime> lifetimes;
    for (int i = 0; i < 80; ++i) {
      const int first = static_cast<int>(random.below(50));
      lifetimes.push_back({.bytes = 1 + random.below(5000),
                           .first = first,
                           .last = first + static_cast<int>(random.below(12))});
    }
    expect_sound(lifetimes, plan_arena(lifetimes));
  }
}

TEST(Arena, ReusesMemoryOfTheDead) {
  const std::vector<Lifetime> chain{{640, 0, 1}, {640, 1, 2}, {640, 2, 3}, {640, 3, 4}};
  const ArenaPlan plan = plan_arena(chain);
  expect_sound(chain, plan);
  EXPECT_EQ(plan.bytes, 2u * 640);
}

TEST(Arena, PrefersTheTightestGap) {
  // A gap of 128 bytes and one of 64 lie between long-lived neighbours; 64 bytes go into the second.
  const std::vector<Lifetime> lifetimes{{1024, 0, 9}, {512, 0, 1}, {256, 0, 9},
                                        {192, 0, 1},  {128, 0, 9}, {64, 3, 4}};
  const ArenaPlan plan = plan_arena(lifetimes);
  expect_sound(lifetimes, plan);
  EXPECT_EQ(plan.offsets[5], plan.offsets[3]);
}

}  // namespace
}  // namespace ssd::cpu
