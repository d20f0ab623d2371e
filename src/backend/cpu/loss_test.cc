// The loss and its gradient against the float64 interpreter.
#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "testing/cpu_programs.h"

namespace ssd::cpu {
namespace {

using graph::Kind;
using graph::Value;

// Two images, the second without positives.
Trial loss_trial(std::int64_t count, std::int64_t classes, const std::vector<int>& matched,
                 const graph::LossAttributes& attributes = {0.1, 0.2, 3}) {
  Trial trial;
  const Value loc = trial.f32("loc", {2, count, 4}), conf = trial.f32("conf", {2, count, classes});
  const Value match = trial.graph.input("match", {DType::i32, {2, count}});
  const Value boxes = trial.graph.input("boxes", {DType::f32, {2, 3, 4}});
  const Value labels = trial.graph.input("labels", {DType::i32, {2, 3}});
  const Value defaults = trial.f32("defaults", {count, 4});
  const Value seed = trial.f32("seed", {});
  std::vector<Value> inputs{loc, conf, match, boxes, labels, defaults};
  const int loss = trial.graph.append(Kind::multibox_loss, "loss", inputs, attributes);
  inputs.insert(inputs.begin(), seed);
  inputs.push_back({loss, 3});
  inputs.push_back({loss, 4});
  const int grad = trial.graph.append(Kind::multibox_loss_grad, "grad", inputs, attributes);
  trial.output_all(loss);
  trial.graph.output("dloc", {grad, 0}, false);
  trial.graph.output("dconf", {grad, 1}, false);
  trial.fill();
  for (const char* name : {"boxes", "defaults"})
    for (double& value : trial.feeds[name].values) value = static_cast<float>(0.5 + 0.3 * value);
  trial.feeds["labels"] = graph::Array({2, 3}, {1, 2, 3, 2, 1, 3});
  for (double& value : trial.feeds["match"].values) value = -1;
  for (std::size_t i = 0; i < matched.size(); ++i)
    trial.feeds["match"].values[matched[i]] = static_cast<double>(i % 3);
  return trial;
}

TEST(MultiboxLoss, LossAndGradient) {
  Trial trial = loss_trial(50, 5, {3, 8, 40});
  expect_like_interpreter(trial);
}

constexpr graph::LossAttributes tuned_loss{.scale_xy = 0.1,
                                           .scale_wh = 0.2,
                                           .negatives_per_positive = 3,
                                           .label_smoothing = 0.2,
                                           .loc_weight = 2,
                                           .conf_weight = 0.5,
                                           .background_negatives = 3};

TEST(MultiboxLoss, SmoothedLabelsAndWeights) {
  Trial trial = loss_trial(50, 5, {3, 8, 40}, tuned_loss);
  expect_like_interpreter(trial);
}

TEST(MultiboxLoss, TiesGoToTheLowerIndexAndPositivesMayCountTwice) {
  Trial trial = loss_trial(20, 5, {0, 1, 2, 10, 15});
  for (double& value : trial.feeds["conf"].values) value = 0;
  expect_like_interpreter(trial);
  Trial confident = loss_trial(20, 5, {0, 1, 2, 10, 15});
  // Background so sure that negatives lose exactly nothing: positives rank beside them.
  for (std::size_t i = 0; i < confident.feeds["conf"].values.size(); i += 5)
    confident.feeds["conf"].values[i] = 200;
  expect_like_interpreter(confident);
}

TEST(MultiboxLoss, KeepsEveryDefaultBoxWhenPositivesAreMany) {
  Trial trial = loss_trial(16, 81, {0, 1, 2, 3, 4, 5, 9, 10});
  expect_like_interpreter(trial);
}

TEST(MultiboxLoss, LogitsThatAreNotNumbersShow) {
  Trial trial = loss_trial(20, 21, {4});
  trial.feeds["conf"].values[7 * 21 + 3] = std::nan("");
  trial.fill();
  const auto program = make_device()->compile({trial.graph});
  program->load(parameters_of(trial));
  const std::vector<Tensor> inputs = inputs_of(trial);
  EXPECT_TRUE(std::isnan(program->run({inputs.begin(), inputs.end()})[0].as<float>()[0]));
}

}  // namespace
}  // namespace ssd::cpu
