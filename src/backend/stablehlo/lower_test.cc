#include "backend/stablehlo/lower.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "testing/message_of.h"

namespace ssd::stablehlo {
namespace {

TEST(Lower, RefusesTypesThatDevicesDoNotHold) {
  graph::Graph graph;
  graph.output("x", graph.input("x", {DType::f64, {2}}), false);
  EXPECT_THROW(lower(graph), Error);
}

TEST(Lower, RefusesQuantisedNetworksAndSaysWhatToTake) {
  graph::Graph graph;
  const graph::Value x = graph.parameter("x", {DType::f32, {1, 4, 4, 8}});
  const graph::Value weight = graph.parameter("weight", {DType::f32, {8, 8, 1, 1}});
  const graph::Value bias = graph.parameter("bias", {DType::f32, {8}});
  const int y = graph.append(graph::Kind::fused_convolution, "stem", {x, weight, bias},
                             graph::ConvolutionAttributes{.x_rounding = {.scale = 0.1}});
  graph.output("y", {y, 0}, false);
  const std::string message = message_of([&] { lower(graph); });
  EXPECT_NE(message.find("'stem': is of a quantised network"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd::stablehlo
