#include "backend/pjrt/gpu_target.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

TEST(GpuTarget, NamesAKindAndANumber) {
  const auto one = gpu_target("h100"), eight = gpu_target("a100:8");
  ASSERT_TRUE(one && eight);
  EXPECT_EQ(one->devices, 1);
  EXPECT_EQ(eight->devices, 8);
  EXPECT_EQ(std::get<std::string>(eight->topology.at("topology")), "1x1x8");
  EXPECT_NEAR(static_cast<double>(eight->memory), 80e9, 6e9);
  EXPECT_NE(std::get<std::string>(one->topology.at("target_config")).find("major: 9"), std::string::npos);
}

TEST(GpuTarget, KnowsATpuFromAGpuAndRefusesNumbersThatAreNone) {
  EXPECT_FALSE(gpu_target("v3:2x2"));
  EXPECT_FALSE(gpu_target("h100x"));
  for (const char* name : {"h100:", "h100:0", "h100:-1", "h100:two", "h100:8x", "h100:99999999999"})
    EXPECT_THROW(gpu_target(name), Error) << name;
}

}  // namespace
}  // namespace ssd::pjrt
