// The box around a COCO segmentation.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace ssd {

// Left, top, width, height of what a "segmentation" covers, given as the JSON text of the field: of polygons
// (lists of x and y in turn, at least three corners; also one such list alone) the extent of their corners,
// as COCO's own boxes are; of a run-length encoded mask (`size` and `counts`, in numbers or compressed) what
// pycocotools' toBbox() gives (rleToBbox, rleFrString in cocoapi/common/maskApi.c). Nothing where it covers
// nothing or is broken.
std::optional<std::array<double, 4>> box_of_segmentation(std::string_view json);

}  // namespace ssd
