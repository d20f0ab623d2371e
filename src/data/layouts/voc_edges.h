// Where an object of a VOC file lies.
#pragma once

#include <optional>

#include "data/layouts/xml_file.h"

namespace ssd {

// As written: pixels, the right and bottom ones included.
struct VocEdges {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool of_shape = false;  // the extent of a polygon or of a rotated box
};

// The object's <bndbox>; else the extent of its <polygon> (<x1>, <y1>, <x2>, ... or <pt> with <x> and <y>) or
// of its <robndbox>, a centre, width, height and an angle in radians as roLabelImg writes it. Nothing where
// it has none of them; throws Error for numbers that are none.
std::optional<VocEdges> voc_edges(const XmlFile& xml, pugi::xml_node object);

}  // namespace ssd
