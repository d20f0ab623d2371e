#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "boxes/candidates.h"
#include "boxes/decode.h"
#include "boxes/default_boxes.h"
#include "boxes/nms.h"
#include "testing/golden_file.h"

namespace ssd {
namespace {

TEST(DefaultBoxes, EqualGolden) {
  SSD_NEEDS_GOLDEN("resnet18.safetensors");
  const auto expected = GoldenFile("resnet18.safetensors").get<CenterBox>("default_boxes");
  const auto boxes = ssd300_default_boxes().centers();
  ASSERT_EQ(boxes.size(), expected.size());
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_NEAR(boxes[i].cx, expected[i].cx, 1e-7) << i;
    EXPECT_NEAR(boxes[i].cy, expected[i].cy, 1e-7) << i;
    EXPECT_NEAR(boxes[i].width, expected[i].width, 1e-7) << i;
    EXPECT_NEAR(boxes[i].height, expected[i].height, 1e-7) << i;
  }
}

TEST(DefaultBoxes, ArraysHoldTheCorners) {
  const DefaultBoxes& boxes = ssd300_default_boxes();
  for (std::size_t i = 0; i < default_box_count; ++i) {
    const Box box = to_corners(boxes.centers()[i]);
    ASSERT_EQ(boxes.corners()[i], box);
    ASSERT_EQ((Box{boxes.left()[i], boxes.top()[i], boxes.right()[i], boxes.bottom()[i]}), box);
    ASSERT_EQ(boxes.areas()[i], area(box));
  }
}

TEST(DefaultBoxes, AGridSharesItsColumnsAndRows) {
  const DefaultBoxes& boxes = ssd300_default_boxes();
  std::size_t covered = 0;
  for (const DefaultBoxes::Grid& grid : boxes.grids()) {
    ASSERT_EQ(grid.first, covered);
    covered += grid.size * grid.size;
    for (std::size_t row = 0; row < grid.size; ++row) {
      for (std::size_t column = 0; column < grid.size; ++column) {
        const Box& box = boxes.corners()[grid.first + row * grid.size + column];
        ASSERT_EQ(box.left, boxes.corners()[grid.first + column].left);
        ASSERT_EQ(box.top, boxes.corners()[grid.first + row * grid.size].top);
        ASSERT_LE(box.right - box.left, grid.width);
        ASSERT_LE(box.bottom - box.top, grid.height);
        ASSERT_GE(area(box), grid.area);
      }
    }
  }
  EXPECT_EQ(covered, default_box_count);
}

TEST(Box, NotationsConvert) {
  const CenterBox center = to_center({0.25f, 0.5f, 0.75f, 0.625f});
  EXPECT_EQ(center, (CenterBox{0.5f, 0.5625f, 0.5f, 0.125f}));
  EXPECT_EQ(to_corners(center), (Box{0.25f, 0.5f, 0.75f, 0.625f}));
  EXPECT_FLOAT_EQ(iou({0, 0, 0.5f, 0.5f}, {0.25f, 0.25f, 0.75f, 0.75f}), 1.0f / 7);
  EXPECT_EQ(iou({0, 0, 0.5f, 0.5f}, {0.5f, 0, 1, 0.5f}), 0);
}

TEST(Decode, FollowsTheFormula) {
  const CenterBox d{0.5f, 0.4f, 0.2f, 0.1f};
  const Box box = decode({1, -2, 3, -1}, d);
  const double width = 0.2 * std::exp(0.6);
  const double height = 0.1 * std::exp(-0.2);
  EXPECT_NEAR(box.left, 0.52 - width / 2, 1e-6);
  EXPECT_NEAR(box.right, 0.52 + width / 2, 1e-6);
  EXPECT_NEAR(box.top, 0.38 - height / 2, 1e-6);
  EXPECT_NEAR(box.bottom, 0.38 + height / 2, 1e-6);
}

TEST(Decode, UndoesEncode) {
  Random random(7, 0, 0);
  for (const CenterBox& d : ssd300_default_boxes().centers().subspan(4000, 200)) {
    const CenterBox box{static_cast<float>(random.uniform()), static_cast<float>(random.uniform()),
                        static_cast<float>(random.uniform(0.01, 1)),
                        static_cast<float>(random.uniform(0.01, 1))};
    const CenterBox back = to_center(decode(encode(box, d), d));
    EXPECT_NEAR(back.cx, box.cx, 2e-6);
    EXPECT_NEAR(back.cy, box.cy, 2e-6);
    EXPECT_NEAR(back.width, box.width, 2e-6);
    EXPECT_NEAR(back.height, box.height, 2e-6);
  }
}

TEST(Nms, KeepsWhatNoKeptBoxCovers) {
  // The second overlaps the first by 0.6; the third overlaps the second (which is gone) but not the first
  // enough.
  const std::vector<Box> boxes{{0, 0, 0.4f, 1}, {0.1f, 0, 0.5f, 1}, {0.2f, 0, 0.6f, 1}, {0.7f, 0, 0.9f, 1}};
  NmsScratch scratch;
  std::vector<std::size_t> kept;
  nms(boxes, 0.5f, scratch, kept);
  EXPECT_EQ(kept, (std::vector<std::size_t>{0, 2, 3}));
  nms(boxes, 0.3f, scratch, kept);
  EXPECT_EQ(kept, (std::vector<std::size_t>{0, 3}));
}

TEST(Nms, EqualsThePairwiseDefinition) {
  Random random(5, 0, 0);
  std::vector<Box> boxes(200);
  for (Box& box : boxes) {
    const auto left = static_cast<float>(random.uniform(0, 0.7));
    const auto top = static_cast<float>(random.uniform(0, 0.7));
    box = {left, top, left + 0.3f, top + 0.25f};
  }
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const auto covers = [&](std::size_t k) { return iou(boxes[k], boxes[i]) > 0.4f; };
    if (std::none_of(expected.begin(), expected.end(), covers)) expected.push_back(i);
  }
  NmsScratch scratch;
  std::vector<std::size_t> kept;
  nms(boxes, 0.4f, scratch, kept);
  EXPECT_EQ(kept, expected);
}

TEST(Candidates, AreTheSoftmaxScoresAboveTheThreshold) {
  for (const std::size_t classes : {2u, 3u, 4u, 21u, 81u}) {
    for (const float threshold : {0.0f, 0.05f, 0.5f}) {
      Random random(classes, 0, 0);
      std::vector<float> logits(classes * 400);
      for (float& logit : logits) logit = static_cast<float>(3 * random.normal());
      std::vector<std::vector<Candidate>> found;
      find_candidates(logits, {.classes = classes, .score = threshold}, found);
      ASSERT_EQ(found.size(), classes);
      EXPECT_TRUE(found[0].empty());
      std::vector<float> scores(logits.size(), -1);
      for (std::size_t c = 0; c < classes; ++c) {
        for (const Candidate& candidate : found[c]) scores[candidate.box * classes + c] = candidate.score;
      }
      for (std::size_t box = 0; box < 400; ++box) {
        const float* row = logits.data() + box * classes;
        double sum = 0;
        for (std::size_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]));
        for (std::size_t c = 1; c < classes; ++c) {
          const double score = std::exp(static_cast<double>(row[c])) / sum;
          const double margin = score - static_cast<double>(threshold);
          if (margin > 1e-6) {
            EXPECT_NEAR(scores[box * classes + c], score, 1e-6);
          } else if (margin < -1e-6) {
            EXPECT_EQ(scores[box * classes + c], -1);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace ssd
