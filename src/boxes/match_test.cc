#include "boxes/match.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>

#include "base/random.h"
#include "testing/golden_file.h"

namespace ssd {
namespace {

// The definition, box by box.
std::vector<std::int32_t> match_plainly(const std::vector<Box>& boxes, const DefaultBoxes& defaults) {
  std::vector<std::int32_t> matched(default_box_count, -1);
  std::vector<float> best(default_box_count, 0.5f);
  std::vector<std::size_t> closest;
  for (std::size_t g = 0; g < boxes.size(); ++g) {
    std::size_t top = 0;
    float top_iou = 0;
    for (std::size_t d = 0; d < default_box_count; ++d) {
      const float overlap = iou(boxes[g], defaults.corners()[d]);
      if (overlap > top_iou) {
        top_iou = overlap;
        top = d;
      }
      if (overlap > best[d]) {
        best[d] = overlap;
        matched[d] = static_cast<std::int32_t>(g);
      }
    }
    closest.push_back(top);
  }
  for (std::size_t g = 0; g < boxes.size(); ++g) matched[closest[g]] = static_cast<std::int32_t>(g);
  return matched;
}

std::vector<std::int32_t> run_match(const std::vector<Box>& boxes) {
  std::vector<std::int32_t> matched(default_box_count);
  MatchScratch scratch;
  match(boxes, ssd300_default_boxes(), matched, scratch);
  return matched;
}

TEST(Match, EqualsGoldenExactly) {
  SSD_NEEDS_GOLDEN("resnet18.safetensors");
  const GoldenFile golden("resnet18.safetensors");
  const auto expected = golden.get<std::int32_t>("match");
  ASSERT_EQ(expected.size() % default_box_count, 0u);
  for (std::size_t i = 0; i < expected.size() / default_box_count; ++i) {
    const auto boxes = golden.get<Box>("boxes." + std::to_string(i));
    const auto first = expected.begin() + static_cast<std::ptrdiff_t>(i * default_box_count);
    EXPECT_EQ(run_match(boxes), std::vector<std::int32_t>(first, first + default_box_count)) << "image " << i;
  }
}

TEST(Match, EqualsTheDefinitionOnRandomBoxes) {
  Random random(1, 2, 3);
  MatchScratch scratch;
  std::vector<std::int32_t> matched(default_box_count);
  for (int image = 0; image < 150; ++image) {
    std::vector<Box> boxes(random.below(25));
    for (Box& box : boxes) {
      const double width = std::exp(random.uniform(std::log(0.004), 0.0));
      const double height = std::exp(random.uniform(std::log(0.004), 0.0));
      const double left = random.uniform(0, 1 - width);
      const double top = random.uniform(0, 1 - height);
      box = {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + width),
             static_cast<float>(top + height)};
    }
    match(boxes, ssd300_default_boxes(), matched, scratch);
    ASSERT_EQ(matched, match_plainly(boxes, ssd300_default_boxes())) << "image " << image;
  }
}

TEST(Match, EqualsTheDefinitionWhereOverlapsTie) {
  // Boxes on the cells' corners and edges overlap several default boxes alike; equal boxes tie everywhere.
  std::vector<Box> boxes;
  for (const float size : {0.07f, 0.1f, 0.2f, 0.5f}) {
    for (const float at : {0.0f, 0.25f, 0.5f}) {
      boxes.push_back({at, at, at + size, at + size});
      boxes.push_back({at, at, at + size, at + size});
    }
  }
  for (const Box& corner : ssd300_default_boxes().corners().subspan(1400, 40)) boxes.push_back(corner);
  EXPECT_EQ(run_match(boxes), match_plainly(boxes, ssd300_default_boxes()));
}

TEST(Match, BoxesWithoutAreaAndTheWholeImageAreMatched) {
  const std::vector<Box> boxes{
      {0.3f, 0.3f, 0.3f, 0.6f}, {0, 0, 1, 1}, {0.5f, 0.5f, 0.5f, 0.5f}, {0, 0, 1e-6f, 1e-6f}};
  EXPECT_EQ(run_match(boxes), match_plainly(boxes, ssd300_default_boxes()));
}

TEST(Match, EveryBoxHasADefaultBoxAndALaterBoxWins) {
  const Box box{0.4f, 0.4f, 0.6f, 0.6f};
  const auto matched = run_match({box, box});
  EXPECT_GT(std::count(matched.begin(), matched.end(), 1), 0);
  const auto alone = run_match({{0.501f, 0.501f, 0.503f, 0.503f}});
  EXPECT_EQ(std::count(alone.begin(), alone.end(), 0), 1);
}

// Restricts run-time dispatch to one instruction set while it lives.
class OnlyTarget {
 public:
  explicit OnlyTarget(std::int64_t target) { choose(target); }
  ~OnlyTarget() { choose(0); }
  OnlyTarget(const OnlyTarget&) = delete;
  OnlyTarget& operator=(const OnlyTarget&) = delete;

 private:
  static void choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

TEST(Match, EveryInstructionSetGivesTheSameBits) {
  std::vector<Box> boxes;
  Random random(11, 0, 0);
  for (int i = 0; i < 60; ++i) {
    const auto left = static_cast<float>(random.uniform(0, 0.8));
    const auto top = static_cast<float>(random.uniform(0, 0.8));
    boxes.push_back({left, top, left + static_cast<float>(random.uniform(0.01, 0.2)), top + 0.11f});
  }
  const auto expected = match_plainly(boxes, ssd300_default_boxes());
  std::int64_t targets = hwy::SupportedTargets();
  ASSERT_NE(targets, 0);
  for (; targets != 0; targets &= targets - 1) {
    const OnlyTarget only(targets & -targets);
    EXPECT_EQ(run_match(boxes), expected) << hwy::TargetName(targets & -targets);
  }
}

TEST(Match, NoBoxesMatchNothing) {
  EXPECT_EQ(run_match({}), std::vector<std::int32_t>(default_box_count, -1));
}

TEST(Match, ScratchIsFreshForEveryImage) {
  MatchScratch scratch;
  std::vector<std::int32_t> matched(default_box_count);
  const std::vector<Box> crowd(30, Box{0, 0, 1, 1});
  match(crowd, ssd300_default_boxes(), matched, scratch);
  const std::vector<Box> one{{0.1f, 0.2f, 0.3f, 0.5f}};
  match(one, ssd300_default_boxes(), matched, scratch);
  EXPECT_EQ(matched, match_plainly(one, ssd300_default_boxes()));
}

}  // namespace
}  // namespace ssd
