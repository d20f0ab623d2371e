#include "bench/expand.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/expand.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h
#include <hwy/highway.h>

#include "boxes/default_boxes.h"

HWY_BEFORE_NAMESPACE();
namespace ssd {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// `count` RGB pixels to three planes, each value times its scale plus its shift.
void normalize(const std::uint8_t* rgb, std::size_t count, const float* scale, const float* shift,
               float* planes) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<std::int32_t, decltype(d)> d32;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::Vec<decltype(d8)> r, g, b;
    hn::LoadInterleaved3(d8, rgb + 3 * i, r, g, b);
    const auto put = [&](hn::Vec<decltype(d8)> values, std::size_t c) HWY_ATTR {
      const auto v = hn::ConvertTo(d, hn::PromoteTo(d32, values));
      hn::StoreU(hn::MulAdd(v, hn::Set(d, scale[c]), hn::Set(d, shift[c])), d, planes + c * count + i);
    };
    put(r, 0);
    put(g, 1);
    put(b, 2);
  }
  for (; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      planes[c * count + i] = static_cast<float>(rgb[3 * i + c]) * scale[c] + shift[c];
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ssd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd {
namespace {

HWY_EXPORT(normalize);

constexpr std::size_t pixels = std::size_t{image_size} * image_size;

void expand_image(const Batch& batch, std::size_t slot, ExpandedBatch& expanded) {
  std::array<float, 3> scale{}, shift{};
  for (std::size_t c = 0; c < 3; ++c) {
    scale[c] = static_cast<float>(1 / (255 * pixel_deviation[c]));
    shift[c] = static_cast<float>(-pixel_mean[c] / pixel_deviation[c]);
  }
  HWY_DYNAMIC_DISPATCH(normalize)
  (batch.images.as<std::uint8_t>().data() + slot * 3 * pixels, pixels, scale.data(), shift.data(),
   expanded.images.as<float>().data() + slot * 3 * pixels);
}

void expand_targets(const Batch& batch, std::size_t slot, ExpandedBatch& expanded) {
  const auto room = static_cast<std::size_t>(batch.labels.shape()[1]);
  const std::int32_t* match = batch.match.as<std::int32_t>().data() + slot * default_box_count;
  const float* boxes = batch.boxes.as<float>().data() + slot * room * 4;
  const std::int32_t* labels = batch.labels.as<std::int32_t>().data() + slot * room;
  float* offsets = expanded.offsets.as<float>().data() + slot * default_box_count * 4;
  std::int32_t* out = expanded.labels.as<std::int32_t>().data() + slot * default_box_count;
  std::fill_n(offsets, default_box_count * 4, 0.0f);
  std::fill_n(out, default_box_count, 0);
  const std::span<const CenterBox> defaults = ssd300_default_boxes().centers();
  for (std::size_t i = 0; i < default_box_count; ++i) {
    if (match[i] < 0) continue;
    const float* box = boxes + 4 * match[i];
    const CenterBox& d = defaults[i];
    offsets[4 * i] = (box[0] - d.cx) / d.width / static_cast<float>(scale_xy);
    offsets[4 * i + 1] = (box[1] - d.cy) / d.height / static_cast<float>(scale_xy);
    offsets[4 * i + 2] = std::log(box[2] / d.width) / static_cast<float>(scale_wh);
    offsets[4 * i + 3] = std::log(box[3] / d.height) / static_cast<float>(scale_wh);
    out[i] = labels[match[i]];
  }
}

}  // namespace

ExpandedBatch::ExpandedBatch(int batch_size)
    : images(DType::f32, {batch_size, 3, image_size, image_size}),
      offsets(DType::f32, {batch_size, default_box_count, 4}),
      labels(DType::i32, {batch_size, default_box_count}) {}

void expand_sample(const Batch& batch, std::size_t slot, ExpandedBatch& expanded) {
  expand_image(batch, slot, expanded);
  expand_targets(batch, slot, expanded);
}

}  // namespace ssd
#endif
