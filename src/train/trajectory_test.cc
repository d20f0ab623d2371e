// Training against PyTorch's, step by step: testdata/make_trajectories.py wrote what it is held against.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "boxes/match.h"
#include "model/formula_weights.h"
#include "model/training_program.h"
#include "train/schedule.h"

namespace ssd {
namespace {

// Ours may differ from PyTorch's float64 by as many times what its float32 differs by.
constexpr double times = 3;
// PyTorch's two float32 runs do not show all that float32 may do: less than this is not asked for.
constexpr double loss_floor = 3e-7, change_floor = 3e-6;
// A change smaller than this share of a tensor is lost in float32's rounding (the script's RESOLUTION).
constexpr double resolution = 1e-6;

const nlohmann::json& golden() {
  static const nlohmann::json json = nlohmann::json::parse(
      std::ifstream(std::filesystem::path(SSD_SOURCE_DIR) / "src/train/testdata/trajectories.json"));
  return json;
}

// A formula's value as one of 0 .. count - 1.
int choice(double value, double count) { return static_cast<int>(std::floor((value + 1) * (count / 2))); }

// A micro-batch of the script's make_batch(), with the default boxes matched.
struct Batch {
  Tensor images, match, boxes, labels;

  explicit Batch(int index) {
    const std::int64_t n = golden().at("images"), g = golden().at("boxes");
    images = Tensor(DType::u8, {n, 300, 300, 3});
    match = Tensor(DType::i32, {n, default_box_count});
    boxes = Tensor(DType::f32, {n, g, 4});
    labels = Tensor(DType::i32, {n, g});
    paint(index, n);
    place_boxes(index, n, g);
  }

 private:
  void paint(int index, std::int64_t n) {
    const auto squares = model::formula_values(fmt::format("squares/{}", index), n * 300);
    const auto grain = model::formula_values(fmt::format("grain/{}", index), n * 270000);
    const auto bytes = images.as<std::uint8_t>();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::size_t channel = i % 3, x = i / 3 % 300, y = i / 900 % 300, image = i / 270000;
      const double square = squares[((image * 10 + y / 30) * 10 + x / 30) * 3 + channel];
      bytes[i] = static_cast<std::uint8_t>((3 * choice(square, 256) + choice(grain[i], 256)) / 4);
    }
  }

  void place_boxes(int index, std::int64_t n, std::int64_t g) {
    const auto u = model::formula_values(fmt::format("boxes/{}", index), n * g * 4);
    const auto classes = model::formula_values(fmt::format("labels/{}", index), n * g);
    const double objects = golden().at("classes").get<double>() - 1;
    std::vector<Box> corners;
    for (std::size_t b = 0; b < classes.size(); ++b) {
      const double width = 0.35 + 0.25 * u[4 * b + 2], height = 0.35 + 0.25 * u[4 * b + 3];
      const double cx = 0.5 + (1 - width) / 2 * u[4 * b], cy = 0.5 + (1 - height) / 2 * u[4 * b + 1];
      const std::array<double, 4> values{cx, cy, width, height};
      std::copy(values.begin(), values.end(), boxes.as<float>().begin() + 4 * static_cast<std::ptrdiff_t>(b));
      labels.as<std::int32_t>()[b] = 1 + choice(classes[b], objects);
      corners.push_back({static_cast<float>(cx - width / 2), static_cast<float>(cy - height / 2),
                         static_cast<float>(cx + width / 2), static_cast<float>(cy + height / 2)});
    }
    MatchScratch scratch;
    for (std::int64_t image = 0; image < n; ++image)
      ssd::match(std::span(corners).subspan(image * g, g), ssd300_default_boxes(),
                 match.as<std::int32_t>().subspan(image * default_box_count, default_box_count), scratch);
  }
};

const std::vector<Batch>& batches() {
  static const std::vector<Batch> all = [] {
    std::vector<Batch> made;
    for (int index = 0; index < golden().at("batches").get<int>(); ++index) made.emplace_back(index);
    return made;
  }();
  return all;
}

Schedule schedule_of(const nlohmann::json& run) {
  return {.rate = run.at("base_rate"),
          .shape = schedule_named(run.at("shape").get<std::string>()),
          .warmup = run.at("warmup"),
          .milestones = run.at("milestones"),
          .steps = run.at("steps")};
}

model::TrainingOptions options_of(const nlohmann::json& run) {
  return {.batch = golden().at("images"),
          .max_boxes = golden().at("boxes"),
          .optimizer = {.name = run.at("optimizer"),
                        .weight_decay = run.at("weight_decay"),
                        .momentum = run.at("momentum"),
                        .trust_coefficient = run.at("trust_coefficient"),
                        .epsilon = run.at("epsilon"),
                        .clip_norm = run.at("clip_norm")},
          .loss = {.label_smoothing = run.at("label_smoothing"),
                   .loc_weight = run.at("loc_weight"),
                   .conf_weight = run.at("conf_weight")},
          .ema = run.at("ema") > 0};
}

struct Trained {
  std::vector<double> losses;  // a step's mean over its micro-batches
  model::State first, last;
};

// One of the script's runs, by the program's own graphs, schedule, state and CPU backend.
class RecordedRun {
 public:
  explicit RecordedRun(const nlohmann::json& run) : run_(run), schedule_(schedule_of(run)) {
    model_.backbone = model::Backbone::resnet18;
    model_.classes = golden().at("classes");
    model_.frozen_stages = run.at("frozen_stages");
  }

  Trained train() {
    Trained trained{{}, {model::formula_weights(model_), {}, {}}, {}};
    model::TrainingProgram program(*device_, model_, options_of(run_), model::TrainingProgram::varying);
    program.load(trained.first);
    for (int step = 0; step < run_.at("steps"); ++step) {
      const int micros = step < run_.at("accumulate_from") ? 1 : 2;
      trained.losses.push_back(train_step(program, step, micros));
    }
    trained.last = program.save();
    return trained;
  }

 private:
  static void set(Tensor& scalar, double value) { scalar.as<float>()[0] = static_cast<float>(value); }

  double train_step(model::TrainingProgram& program, int step, int micros) {
    EXPECT_NEAR(schedule_.rate_at(step), run_.at("rate")[step].get<double>(), 1e-9 * schedule_.rate) << step;
    set(rate_, schedule_.rate_at(step));
    set(scale_, 1.0 / micros);
    set(number_, step + 1);
    set(decay_, run_.at("ema"));
    double loss = 0;
    for (int micro = 0; micro < micros; ++micro) {
      const std::size_t index = micro_batches_++ % batches().size();
      const Batch& batch = batches()[index];
      program.start(micro, micros,
                    {.images = batch.images,
                     .match = batch.match,
                     .boxes = batch.boxes,
                     .labels = batch.labels,
                     .learning_rate = rate_,
                     .loss_scale = scale_,
                     .step = number_,
                     .ema_decay = decay_});
      const model::TrainingOutputs outputs = program.finish();
      const auto positives = outputs.positives.as<std::int32_t>();
      EXPECT_EQ(std::vector<int>(positives.begin(), positives.end()),
                golden().at("positives")[index].get<std::vector<int>>());
      loss += static_cast<double>(outputs.loss.as<float>()[0]) / micros;
    }
    return loss;
  }

  const nlohmann::json& run_;
  Schedule schedule_;
  model::ModelOptions model_;
  std::unique_ptr<graph::Device> device_ = cpu::make_device({.threads = 2});
  Tensor rate_{DType::f32, {}}, scale_{DType::f32, {}}, number_{DType::f32, {}}, decay_{DType::f32, {}};
  std::size_t micro_batches_ = 0;
};

// A rounding that one step makes stays in the next: the bound never falls.
void expect_losses(const nlohmann::json& run, const std::vector<double>& got) {
  double own = 0, nearest = 0;
  ASSERT_EQ(got.size(), run.at("loss").size());
  for (std::size_t step = 0; step < got.size(); ++step) {
    const double expected = run.at("loss")[step];
    for (const auto& losses : run.at("float32_loss"))
      own = std::max(own, std::abs(losses[step].get<double>() - expected) / expected);
    const double bound = std::max(loss_floor, times * own), error = std::abs(got[step] - expected) / expected;
    nearest = std::max(nearest, error / bound);
    EXPECT_LE(error, bound) << "step " << step << ": " << got[step] << ", PyTorch " << expected;
  }
  testing::Test::RecordProperty("loss_error_of_bound", fmt::format("{:.3f}", nearest));
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// The script's row of a tensor: the norm of its change, and the change along a fixed direction.
std::array<double, 2> change(const std::string& name, std::span<const float> last,
                             std::span<const float> first) {
  const auto direction = model::formula_values("projection/" + name, last.size());
  double square = 0, along = 0;
  for (std::size_t i = 0; i < last.size(); ++i) {
    const double moved = static_cast<double>(last[i]) - first[i];
    square += moved * moved;
    along += moved * direction[i];
  }
  return {std::sqrt(square), along / std::sqrt(static_cast<double>(last.size()))};
}

void expect_differences(const nlohmann::json& run, const std::string& key, std::vector<double> got) {
  ASSERT_FALSE(got.empty()) << key;
  std::sort(got.begin(), got.end());
  const auto& own = run.at("float32_" + key);
  for (const auto& [name, value] :
       {std::pair{"median", got[got.size() / 2]}, std::pair{"largest", got.back()}}) {
    const double bound = std::max(change_floor, times * own.at(name).get<double>());
    EXPECT_LE(value, bound) << key << ", " << name;
    testing::Test::RecordProperty(fmt::format("{}_{}_error_of_bound", key, name),
                                  fmt::format("{:.3f} of {:.2e}", value / bound, bound));
  }
}

void expect_changes(const nlohmann::json& run, const std::string& key, const TensorMap& last,
                    const TensorMap& first) {
  std::vector<double> differences;
  for (const auto& [name, expected] : run.at(key).items()) {
    const auto start = first.at(name).as<float>();
    const auto [size, along] = change(name, last.at(name).as<float>(), start);
    const double scale = std::max(expected[0].get<double>(), resolution * norm(start));
    differences.push_back(
        std::max(std::abs(size - expected[0].get<double>()), std::abs(along - expected[1].get<double>())) /
        scale);
    EXPECT_FALSE(std::isnan(differences.back())) << name;
  }
  expect_differences(run, key, std::move(differences));
}

void expect_statistics(const nlohmann::json& run, const TensorMap& last) {
  std::vector<double> differences;
  for (const auto& [name, expected] : run.at("statistics").items()) {
    const double size = expected[0];
    // A frozen mean stays at 0.
    differences.push_back(std::abs(norm(last.at(name).as<float>()) - size) / (size > 0 ? size : 1));
    EXPECT_FALSE(std::isnan(differences.back())) << name;
  }
  expect_differences(run, "statistics", std::move(differences));
}

class Trajectory : public testing::TestWithParam<const char*> {};

TEST_P(Trajectory, IsPytorchs) {
  const nlohmann::json& run = golden().at("runs").at(GetParam());
  const Trained trained = RecordedRun(run).train();
  expect_losses(run, trained.losses);
  expect_changes(run, "changes", trained.last.weights, trained.first.weights);
  expect_statistics(run, trained.last.weights);
  if (run.contains("average_changes"))
    expect_changes(run, "average_changes", trained.last.averages.at(model::ema), trained.first.weights);
}

INSTANTIATE_TEST_SUITE_P(, Trajectory, testing::Values("adamw", "clipped", "lars", "tuned", "recipe"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace ssd
