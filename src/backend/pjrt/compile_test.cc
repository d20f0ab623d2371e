// A small data-parallel step through the TPUs' and the GPUs' own compilers. Label "tpu".
#include "backend/pjrt/compile.h"

#include <algorithm>

#include "backend/pjrt/plugins.h"
#include "backend/stablehlo/lower.h"
#include "base/error.h"
#include "graph/cost.h"
#include "testing/small_ssd.h"

namespace ssd::pjrt {
namespace {

bool has_compiler(const char* device) {
  try {
    find_plugin(device);
    return true;
  } catch (const Error&) {
    return false;
  }
}

int collectives_of_tensors(const CompileReport& report) {
  return static_cast<int>(std::count_if(report.module.collectives.begin(), report.module.collectives.end(),
                                        [](const Collective& collective) { return !collective.scalars(); }));
}

TEST(Compile, ASmallBf16StepForEightTpuCoresHasOneAllReduceAndBf16Convolutions) {
  if (!has_compiler("tpu")) GTEST_SKIP() << "libtpu is not installed: no TPU compiler";
  const int cores = step_target("v3:2x2").devices;
  ASSERT_EQ(cores, 8);
  const SmallSsd small(cores, 1, DType::bf16);
  const CompileReport report = compile_for_topology("v3:2x2", stablehlo::lower(small.step));
  EXPECT_TRUE(report.fits) << report.problem;
  EXPECT_EQ(report.replicas, 8);
  EXPECT_GT(report.seconds, 0);
  const double expected_flops = graph::cost(small.step).flops;
  EXPECT_GT(report.flops, 0.5 * expected_flops);
  EXPECT_LT(report.flops, 2 * expected_flops);
  EXPECT_GT(report.temporary_bytes, 0);
  EXPECT_EQ(collectives_of_tensors(report), 1);
  ASSERT_FALSE(report.module.convolutions.empty());
  // The matrix unit sums bf16 products in f32 whatever the result's type; a bf16 result is rounded once,
  // behind the sum. Where the sums are needed as they are, in weight gradients at least, the result is f32.
  for (const auto& [kind, number] : report.module.convolutions)
    EXPECT_TRUE(kind == "bf16 x bf16 -> f32" || kind == "bf16 x bf16 -> bf16") << kind;
  EXPECT_GE(report.module.convolutions.at("bf16 x bf16 -> f32"), 7);
  EXPECT_FALSE(report.executable.empty());
  RecordProperty("flops_of_expected", std::to_string(report.flops / expected_flops));
}

TEST(Compile, ASmallBf16StepForEightGpusHasOneAllReduceAndBf16Convolutions) {
  if (!has_compiler("cuda")) GTEST_SKIP() << "the CUDA plugin is not installed: no GPU compiler";
  const StepTarget target = step_target("h100:8");
  ASSERT_EQ(target.devices, 8);
  const SmallSsd small(target.devices, 1, DType::bf16);
  const CompileReport report = compile_for_topology(
      "h100:8", stablehlo::lower(small.step, stablehlo::options_for(target.lowered_for)));
  EXPECT_TRUE(report.fits) << report.problem;
  EXPECT_GT(report.memory_limit, 0);
  EXPECT_GT(report.temporary_bytes, 0);
  EXPECT_EQ(collectives_of_tensors(report), 1);
  const std::map<std::string, int> expected{{"bf16 x bf16 -> bf16", 7 + 7 + 6}};
  EXPECT_EQ(report.module.convolutions, expected);
}

TEST(Compile, AProgramForMoreReplicasThanTheTargetHasIsAnError) {
  if (!has_compiler("tpu")) GTEST_SKIP() << "libtpu is not installed: no TPU compiler";
  EXPECT_THROW(compile_for_topology("v5e:2x2", stablehlo::lower(SmallSsd(8).step)), Error);
  EXPECT_THROW(step_target("v99:2x2"), Error);
}

}  // namespace
}  // namespace ssd::pjrt
