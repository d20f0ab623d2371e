#include "data/layouts/voc_edges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

namespace ssd {
namespace {

VocEdges edges_of_polygon(const XmlFile& xml, pugi::xml_node polygon) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  VocEdges edges{infinity, infinity, -infinity, -infinity, true};
  const auto add = [&](pugi::xml_node parent, pugi::xml_node one) {
    const char axis = one.name()[0];
    if (axis != 'x' && axis != 'y') return;
    const double value = xml.number(parent, one.name());
    double& least = axis == 'x' ? edges.left : edges.top;
    double& most = axis == 'x' ? edges.right : edges.bottom;
    least = std::min(least, value), most = std::max(most, value);
  };
  for (const pugi::xml_node one : polygon.children()) {
    add(polygon, one);
    if (std::string_view(one.name()) == "pt")
      for (const pugi::xml_node part : one.children()) add(one, part);
  }
  if (!(edges.left <= edges.right && edges.top <= edges.bottom)) xml.fail(polygon, "has no corners");
  return edges;
}

VocEdges edges_of_rotated_box(const XmlFile& xml, pugi::xml_node box) {
  const double cx = xml.number(box, "cx"), cy = xml.number(box, "cy");
  const double w = xml.number(box, "w") / 2, h = xml.number(box, "h") / 2;
  const double cosine = std::abs(std::cos(xml.number(box, "angle"))),
               sine = std::abs(std::sin(xml.number(box, "angle")));
  const double x = w * cosine + h * sine, y = w * sine + h * cosine;
  return {cx - x, cy - y, cx + x, cy + y, true};
}

}  // namespace

std::optional<VocEdges> voc_edges(const XmlFile& xml, pugi::xml_node object) {
  if (const auto box = object.child("bndbox"))
    return VocEdges{xml.number(box, "xmin"), xml.number(box, "ymin"), xml.number(box, "xmax"),
                    xml.number(box, "ymax")};
  if (const auto polygon = object.child("polygon")) return edges_of_polygon(xml, polygon);
  if (const auto box = object.child("robndbox")) return edges_of_rotated_box(xml, box);
  return std::nullopt;
}

}  // namespace ssd
