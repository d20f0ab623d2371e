#include "graph/graph.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "graph/cost.h"
#include "testing/message_of.h"

namespace ssd::graph {
namespace {

// conv (2,9,9,3) -> (2,5,5,4) -> batch norm, as a small stand-in for a network.
struct SmallGraph {
  Graph graph;
  Value x = graph.input("x", {DType::f32, {2, 9, 9, 3}});
  Value weight = graph.parameter("w", {DType::f32, {4, 3, 3, 3}});
  ConvolutionAttributes attributes{.stride = 2, .padding = 1, .kernel = 3};
  Value y{graph.append(Kind::convolution, "conv", {x, weight}, attributes)};
};

TEST(Graph, InfersTheShapeOfAStridedConvolution) {
  SmallGraph small;
  EXPECT_EQ(small.graph.type(small.y).shape, Shape({2, 5, 5, 4}));
}

TEST(Graph, AMismatchedWeightIsAnErrorThatNamesTheNodeAndTheShapes) {
  SmallGraph small;
  const Value wrong = small.graph.parameter("wrong", {DType::f32, {4, 5, 3, 3}});
  const std::string message = message_of([&] {
    small.graph.append(Kind::convolution, "layer7", {small.x, wrong}, small.attributes);
  });
  EXPECT_NE(message.find("layer7"), std::string::npos) << message;
  EXPECT_NE(message.find("(4, 5, 3, 3)"), std::string::npos) << message;
  EXPECT_NE(message.find("(4, 3, 3, 3)"), std::string::npos) << message;
}

TEST(Graph, NamesOfInputsAndParametersAreUnique) {
  SmallGraph small;
  EXPECT_THROW(small.graph.parameter("w", {DType::f32, {1}}), Error);
}

TEST(Graph, AnUpdateKeepsTheParametersType) {
  SmallGraph small;
  EXPECT_THROW(small.graph.update(small.weight, small.y), Error);
}

TEST(Graph, RoundsToEightBitsInInferenceInF32Alone) {
  SmallGraph small;
  const Value bias = small.graph.parameter("b", {DType::f32, {4}});
  const auto append = [&](Kind kind, double scale, DType compute) {
    std::vector<Value> inputs{small.graph.nodes()[small.y.node].inputs[0], small.weight, bias};
    ConvolutionAttributes a{.stride = 2, .padding = 1, .kernel = 3, .compute = compute};
    a.x_rounding = a.y_rounding = {.scale = scale};
    small.graph.append(kind, "rounded", inputs, a);
  };
  EXPECT_NO_THROW(append(Kind::fused_convolution, 0.1, DType::f32));
  EXPECT_NE(to_string(small.graph).find(", x in u8 of 0.1, y in u8 of 0.1"), std::string::npos);
  EXPECT_THROW(append(Kind::convolution, 0.1, DType::f32), Error);
  EXPECT_THROW(append(Kind::fused_convolution, 0.1, DType::bf16), Error);
  EXPECT_THROW(append(Kind::fused_convolution, -0.1, DType::f32), Error);
  EXPECT_THROW(append(Kind::fused_convolution, std::numeric_limits<double>::infinity(), DType::f32), Error);
}

// By hand: 2 * 5 * 5 * 4 outputs of 3 * 3 * 3 products, two operations a product.
TEST(Cost, CountsMultiplyAddsTwice) {
  SmallGraph small;
  const Cost cost = graph::cost(small.graph, small.y.node);
  EXPECT_EQ(cost.flops, 2.0 * 200 * 27);
  EXPECT_EQ(cost.bytes, 4.0 * (2 * 9 * 9 * 3 + 4 * 27 + 200));
}

TEST(Print, NamesEachNodeOnALineOfItsOwn) {
  SmallGraph small;
  small.graph.output("y", small.y, true);
  const std::string text = to_string(small.graph);
  EXPECT_NE(text.find("%2 = convolution(%0, %1) kernel 3, stride 2, padding 1 : f32 (2, 5, 5, 4)  # conv"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("output y = %2"), std::string::npos) << text;
}

}  // namespace
}  // namespace ssd::graph
