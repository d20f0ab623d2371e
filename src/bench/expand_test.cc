#include "bench/expand.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "boxes/default_boxes.h"

namespace ssd {
namespace {

Batch two_samples() {
  Batch batch;
  batch.images = Tensor(DType::u8, {2, 300, 300, 3});
  batch.match = Tensor(DType::i32, {2, 8732});
  batch.boxes = Tensor(DType::f32, {2, 16, 4});
  batch.labels = Tensor(DType::i32, {2, 16});
  Random random(1, 1, 1);
  for (std::uint8_t& value : batch.images.as<std::uint8_t>())
    value = static_cast<std::uint8_t>(random.next());
  for (float& value : batch.boxes.as<float>()) value = static_cast<float>(random.uniform(0.05, 0.9));
  for (std::int32_t& value : batch.labels.as<std::int32_t>())
    value = static_cast<std::int32_t>(random.below(80)) + 1;
  for (std::int32_t& value : batch.match.as<std::int32_t>())
    value = random.coin(0.01) ? static_cast<std::int32_t>(random.below(16)) : -1;
  return batch;
}

TEST(Expand, NormalizesImagesIntoPlanes) {
  const Batch batch = two_samples();
  ExpandedBatch expanded(2);
  expand_sample(batch, 1, expanded);
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  const auto rgb = batch.images.as<std::uint8_t>();
  const auto planes = expanded.images.as<float>();
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < 90000; ++i)
      ASSERT_NEAR(planes[270000 + 90000 * c + i], (rgb[270000 + 3 * i + c] / 255.0 - mean[c]) / deviation[c],
                  1e-5);
  for (std::size_t i = 0; i < 270000; ++i)
    ASSERT_EQ(planes[i], 0.0f) << "the other sample's slot was written";
}

// Offsets are checked by going back: from the default box by the offset to the matched box.
TEST(Expand, GivesOffsetsThatLeadBackToTheMatchedBox) {
  const Batch batch = two_samples();
  ExpandedBatch expanded(2);
  for (std::size_t slot = 0; slot < 2; ++slot) {
    expand_sample(batch, slot, expanded);
    for (std::size_t i = 0; i < default_box_count; ++i) {
      const std::int32_t match = batch.match.as<std::int32_t>()[slot * 8732 + i];
      const float* offset = expanded.offsets.as<float>().data() + (slot * 8732 + i) * 4;
      const std::int32_t label = expanded.labels.as<std::int32_t>()[slot * 8732 + i];
      if (match < 0) {
        ASSERT_EQ(label, 0);
        for (int k = 0; k < 4; ++k) ASSERT_EQ(offset[k], 0.0f);
        continue;
      }
      const std::size_t row = slot * 16 + static_cast<std::size_t>(match);
      const float* box = batch.boxes.as<float>().data() + row * 4;
      const CenterBox d = ssd300_default_boxes().centers()[i];
      ASSERT_EQ(label, batch.labels.as<std::int32_t>()[row]);
      ASSERT_NEAR(d.cx + 0.1 * offset[0] * d.width, box[0], 1e-5);
      ASSERT_NEAR(d.cy + 0.1 * offset[1] * d.height, box[1], 1e-5);
      ASSERT_NEAR(d.width * std::exp(0.2 * offset[2]), box[2], 1e-5);
      ASSERT_NEAR(d.height * std::exp(0.2 * offset[3]), box[3], 1e-5);
    }
  }
}

}  // namespace
}  // namespace ssd
