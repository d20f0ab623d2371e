// `singleshot eval` from files alone, and `singleshot verify` against the golden values.
#include <gtest/gtest.h>

#include "program.h"

namespace ssd {
namespace {

TEST(Verify, ResNet18HoldsOnTheCpu) {
  if (shared_file("golden/resnet18.json").empty()) GTEST_SKIP() << "../shared/golden is missing";
  const Outcome outcome = run_program({"verify", shared_file("golden") + "/resnet18"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

TEST(Eval, FailsWhereADetectionIsOfAnUnknownImage) {
  const TemporaryFolder folder;
  write_file(folder / "detections.json",
             R"([{"image_id": 123456, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}])");
  const Outcome outcome =
      run_program({"eval", "--ground-truth", sample_data() + "/annotations/instances_val2017.json",
                   "--detections", folder / "detections.json"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.out;
  EXPECT_NE(outcome.err.find("123456"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace ssd
