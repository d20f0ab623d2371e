#include "boxes/decode.h"

#include <cmath>

#include "boxes/default_boxes.h"

namespace ssd {
namespace {

constexpr auto xy = static_cast<float>(scale_xy), wh = static_cast<float>(scale_wh);

}  // namespace

Box decode(const Offsets& offsets, const CenterBox& default_box) {
  return to_corners({offsets[0] * xy * default_box.width + default_box.cx,
                     offsets[1] * xy * default_box.height + default_box.cy,
                     std::exp(offsets[2] * wh) * default_box.width,
                     std::exp(offsets[3] * wh) * default_box.height});
}

Offsets encode(const CenterBox& box, const CenterBox& default_box) {
  return {(box.cx - default_box.cx) / default_box.width / xy,
          (box.cy - default_box.cy) / default_box.height / xy, std::log(box.width / default_box.width) / wh,
          std::log(box.height / default_box.height) / wh};
}

}  // namespace ssd
