#include "backend/stablehlo/lower.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace ssd::stablehlo {
namespace {

TEST(Lower, RefusesTypesThatDevicesDoNotHold) {
  graph::Graph graph;
  graph.output("x", graph.input("x", {DType::f64, {2}}), false);
  EXPECT_THROW(lower(graph), Error);
}

}  // namespace
}  // namespace ssd::stablehlo
