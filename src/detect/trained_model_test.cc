// What is refused of a checkpoint before a network is made of it.
#include "detect/trained_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "base/error.h"
#include "model/formula_weights.h"
#include "model/state.h"
#include "testing/temporary_folder.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};
constexpr const char* state_json =
    R"({"model": {"backbone": "resnet18", "stride_in": "3x3", "classes": 4},
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]})";

// The message of the refusal; empty where it is read.
std::string refusal_of(const TensorMap& weights, const std::string& json = state_json) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), 1, {clone(weights), {}, json});
  try {
    read_model(folder.path());
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ReadModel, RefusesWeightsThatAreNotFiniteInEveryKindOfTensor) {
  TensorMap weights = model::formula_weights(small);
  EXPECT_EQ(refusal_of(weights), "");
  const std::string root = "feature_extractor.feature_extractor.";
  for (const std::string& name :
       {root + "0.weight", root + "1.weight", root + "1.bias", root + "1.running_mean",
        root + "1.running_var", std::string("additional_blocks.0.0.weight"), std::string("loc.3.bias"),
        std::string("conf.5.weight")})
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      float& value = weights.at(name).as<float>().back();
      const float was = value;
      value = bad;
      EXPECT_NE(refusal_of(weights).find("tensor '" + name + "'"), std::string::npos) << refusal_of(weights);
      value = was;
    }
}

// As a run does that keeps one checkpoint.
TEST(ReadModel, FindsACheckpointWhileARunWritesAndPrunes) {
  const TemporaryFolder folder;
  const TensorMap weights = model::formula_weights(small);
  write_checkpoint(folder.path(), 1, {clone(weights), {}, state_json});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::int64_t step = 2; !stop; ++step) {
      write_checkpoint(folder.path(), step, {clone(weights), {}, state_json});
      if (step % 3 == 0) write_checkpoint(folder.path(), step, {clone(weights), {}, state_json});
      prune_checkpoints(folder.path(), 1);
    }
  });
  for (int i = 0; i < 40; ++i) EXPECT_NO_THROW(read_model(folder.path()));
  stop = true;
  writer.join();
}

TEST(ReadModel, RefusesAnotherNumberOfCategoriesThanClasses) {
  std::string json = state_json;
  json.replace(json.find(R"(, {"id": 3, "name": "c"})"), 24, "");
  EXPECT_NE(refusal_of(model::formula_weights(small), json).find("got 2 categories, expected 3"),
            std::string::npos)
      << refusal_of(model::formula_weights(small), json);
}

}  // namespace
}  // namespace ssd
