#include "boxes/decode.h"

#include <cmath>

#include "boxes/default_boxes.h"

namespace ssd {

Box decode(const Offsets& offsets, const CenterBox& default_box) {
  return to_corners({offsets[0] * scale_xy * default_box.width + default_box.cx,
                     offsets[1] * scale_xy * default_box.height + default_box.cy,
                     std::exp(offsets[2] * scale_wh) * default_box.width,
                     std::exp(offsets[3] * scale_wh) * default_box.height});
}

Offsets encode(const CenterBox& box, const CenterBox& default_box) {
  return {(box.cx - default_box.cx) / default_box.width / scale_xy,
          (box.cy - default_box.cy) / default_box.height / scale_xy,
          std::log(box.width / default_box.width) / scale_wh,
          std::log(box.height / default_box.height) / scale_wh};
}

}  // namespace ssd
