// The step as it is lowered for GPUs, against golden values, on a CPU plugin.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "testing/cpu_plugin.h"
#include "verify/verify.h"

namespace ssd {
namespace {

TEST(Verify, TheStepAsLoweredForGpusHolds) {
  SSD_NEEDS_CPU_PLUGIN();
  const std::string prefix = std::string(SSD_SOURCE_DIR) + "/../shared/golden/resnet18";
  if (!std::filesystem::exists(prefix + ".json"))
    GTEST_SKIP() << prefix << ".json is missing: no golden values";
  const VerifyReport report = verify(prefix, *pjrt::cpu_device(1, stablehlo::Target::gpu), {});
  EXPECT_TRUE(report.ok()) << to_text(report);
}

}  // namespace
}  // namespace ssd
