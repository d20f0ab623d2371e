#include "verify/verify.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/text_file.h"
#include "boxes/default_boxes.h"
#include "boxes/match.h"
#include "detect/detector.h"
#include "model/formula_weights.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "model/training_program.h"
#include "verify/largest.h"
#include "weights/safetensors.h"

namespace ssd {
namespace {

// Tolerances of bf16; verify.h says why.
constexpr double bf16_unit = 1.0 / 512;
const std::map<std::string_view, double> bf16_tolerances{
    {"eval_outputs", 20 * bf16_unit},
    {"train_outputs", 128 * bf16_unit},
    {"gradient_norm", 460 * bf16_unit},
    {"gradient_first", 345 * bf16_unit},
    {"gradient_norm_median", 25 * bf16_unit},
    {"loss", 1 * bf16_unit},  // of the first step, before any update
    {"later_loss", 10 * bf16_unit},
    {"after_parameters", 3e-3},
    {"after_running", 52 * bf16_unit},
};

constexpr std::size_t logit_stride = 97;  // the golden keeps the logits of every 97th default box

nlohmann::json read_json(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw Error("{}: cannot be read; verify takes the common PREFIX of a .json and a .safetensors file",
                path.string());
  const auto json = nlohmann::json::parse(read_text_file(path, budget::state), nullptr, false);
  if (!json.is_object() || !json.contains("tolerance"))
    throw Error("{}: not a golden file: expected an object with 'tolerance'", path.string());
  return json;
}

double relative(double got, double expected) {
  return std::abs(got - expected) / std::max(1e-3, std::abs(expected));
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

// A golden, the device under test, and the rows so far.
class Verification {
 public:
  Verification(const std::filesystem::path& prefix, graph::Device& device, const VerifyOptions& options)
      : device_(device),
        progress_(options.progress),
        golden_(read_json(prefix.string() + ".json")),
        file_(prefix.string() + ".safetensors") {
    model_.backbone = model::backbone_named(golden_.at("backbone").get<std::string>());
    model_.compute = options.compute;
    report_.backbone = model_.backbone;
    report_.arithmetic = golden_.value("arithmetic", "float32");
  }

  VerifyReport run() {
    say("default boxes and matching");
    check_default_boxes();
    check_matching();
    const TensorMap weights = model::formula_weights(model_);
    say("inference");
    check_inference(weights);
    say("training");
    check_training(weights);
    say("post-processing");
    check_detections();
    return std::move(report_);
  }

 private:
  void say(const std::string& what) const {
    if (progress_) progress_(what);
  }
  double tolerance(const char* name) const {
    if (model_.compute == DType::bf16) return bf16_tolerances.at(name);
    return golden_.at("tolerance").at(name).get<double>();
  }
  double loss_tolerance(std::size_t step) const {
    if (model_.compute == DType::bf16) return bf16_tolerances.at(step == 0 ? "loss" : "later_loss");
    return golden_.at("tolerance").at("loss")[step].get<double>();
  }
  std::int64_t images() const { return file_.view("images").shape[0]; }

  void check_default_boxes() {
    const auto expected = file_.view("default_boxes").as<float>();
    const auto got = ssd300_default_boxes().centers();
    Largest largest("default boxes", 1e-7);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::array<float, 4> box{got[i].cx, got[i].cy, got[i].width, got[i].height};
      for (std::size_t k = 0; k < 4; ++k)
        largest.add(std::abs(box[k] - expected[4 * i + k]), fmt::format("default box {}", i));
    }
    report_.rows.push_back(largest.row());
  }

  // The boxes of image i as given (ltrb).
  std::vector<Box> boxes_of(std::int64_t i) const {
    const auto values = file_.view(fmt::format("boxes.{}", i)).as<float>();
    std::vector<Box> boxes(values.size() / 4);
    for (std::size_t b = 0; b < boxes.size(); ++b)
      boxes[b] = {values[4 * b], values[4 * b + 1], values[4 * b + 2], values[4 * b + 3]};
    return boxes;
  }

  // Also fills the inputs that the training step takes.
  void check_matching() {
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < images(); ++i)
      most = std::max(most, file_.view(fmt::format("labels.{}", i)).shape[0]);
    const std::int64_t defaults = default_box_count;
    match_ = Tensor(DType::i32, {images(), defaults});
    boxes_ = Tensor(DType::f32, {images(), most, 4});
    labels_ = Tensor(DType::i32, {images(), most});
    Largest matches("match", 0), labels("target label", 0), targets("target box", 1e-7);
    MatchScratch scratch;
    for (std::int64_t i = 0; i < images(); ++i) {
      const std::vector<Box> boxes = boxes_of(i);
      const auto matched = match_.as<std::int32_t>().subspan(i * defaults, defaults);
      match(boxes, ssd300_default_boxes(), matched, scratch);
      const auto given = file_.view(fmt::format("labels.{}", i)).as<std::int32_t>();
      std::copy(given.begin(), given.end(), labels_.as<std::int32_t>().begin() + i * most);
      for (std::size_t b = 0; b < boxes.size(); ++b) {
        const CenterBox c = to_center(boxes[b]);
        const std::array<float, 4> values{c.cx, c.cy, c.width, c.height};
        std::copy(values.begin(), values.end(),
                  boxes_.as<float>().begin() + (i * most + static_cast<std::int64_t>(b)) * 4);
      }
      compare_targets(i, matched, matches, labels, targets);
    }
    for (const Largest* largest : {&matches, &labels, &targets}) report_.rows.push_back(largest->row());
  }

  void compare_targets(std::int64_t image, std::span<const std::int32_t> matched, Largest& matches,
                       Largest& labels, Largest& targets) const {
    const std::size_t defaults = matched.size(), first = static_cast<std::size_t>(image) * defaults;
    const std::int64_t most = labels_.shape()[1];
    const auto golden_match = file_.view("match").as<std::int32_t>();
    const auto golden_label = file_.view("target_label").as<std::int32_t>();
    const auto golden_box = file_.view("target_box").as<float>();
    for (std::size_t d = 0; d < defaults; ++d) {
      const std::string where = fmt::format("image {}, default box {}", image, d);
      matches.add(std::abs(matched[d] - golden_match[first + d]), where);
      const std::int64_t box = image * most + matched[d];
      const int label = matched[d] < 0 ? 0 : labels_.as<std::int32_t>()[box];
      labels.add(std::abs(label - golden_label[first + d]), where);
      if (matched[d] < 0) continue;
      for (std::size_t k = 0; k < 4; ++k)
        targets.add(std::abs(boxes_.as<float>()[box * 4 + static_cast<std::int64_t>(k)] -
                             golden_box[(first + d) * 4 + k]),
                    where);
    }
  }

  // Ours (N,D,C) against the golden's (N,C,D'), which holds every stride-th default box. Relative to the
  // golden's largest value.
  void compare_outputs(const Tensor& got, const char* name, std::size_t stride, Largest& largest) const {
    const TensorView& golden = file_.view(name);
    const auto expected = golden.as<float>();
    const auto values = got.as<float>();
    float scale = 0;
    for (const float value : expected) scale = std::max(scale, std::abs(value));
    const std::size_t parts = golden.shape[1], kept = golden.shape[2], defaults = got.shape()[1];
    for (std::size_t n = 0; n < static_cast<std::size_t>(golden.shape[0]); ++n)
      for (std::size_t c = 0; c < parts; ++c)
        for (std::size_t d = 0; d < kept; ++d) {
          const float ours = values[(n * defaults + d * stride) * parts + c];
          const double error = std::abs(ours - expected[(n * parts + c) * kept + d]) / scale;
          if (largest.exceeded_by(error)) largest.add(error, fmt::format("{}, image {}", name, n));
        }
  }

  void check_inference(const TensorMap& weights) {
    const auto program = device_.compile({model::inference_graph(model_, images())});
    program->load(model::inference_parameters(model_, weights));
    const std::vector<Tensor> outputs = program->run({file_.view("images")});
    Largest largest("inference outputs", tolerance("eval_outputs"));
    compare_outputs(outputs[0], "eval.loc", 1, largest);
    compare_outputs(outputs[1], "eval.conf_every_97th", logit_stride, largest);
    report_.rows.push_back(largest.row());
  }

  void check_training(const TensorMap& weights) {
    const model::TrainingOptions options{
        .batch = images(),
        .max_boxes = labels_.shape()[1],
        .optimizer = {.weight_decay = golden_.at("weight_decay"), .momentum = golden_.at("momentum")},
        .inspect = true};
    model::TrainingProgram program(device_, model_, options);
    program.load({.weights = clone(weights), .slots = {}, .averages = {}});
    Tensor rate(DType::f32, {}), scale(DType::f32, {}), number(DType::f32, {});
    rate.as<float>()[0] = golden_.at("lr").get<float>();
    scale.as<float>()[0] = 1;
    const model::TrainingInputs inputs{file_.view("images"), match_, boxes_, labels_, rate, scale, number};
    std::vector<double> losses;
    Largest positives("positives", 0);
    for (std::size_t step = 0; step < golden_.at("loss").size(); ++step) {
      say(fmt::format("training, step {} of {}", step + 1, golden_.at("loss").size()));
      number.as<float>()[0] = static_cast<float>(step + 1);
      program.start(0, 1, inputs);
      const model::TrainingOutputs outputs = program.finish();
      losses.push_back(outputs.loss.as<float>()[0]);
      const auto counts = outputs.positives.as<std::int32_t>();
      for (std::size_t i = 0; i < counts.size(); ++i)
        positives.add(std::abs(counts[i] - golden_.at("positives")[step][i].get<int>()),
                      fmt::format("step {}, image {}", step, i));
      if (step == 0) check_first_step(outputs.inspected);
    }
    report_.rows.push_back(positives.row());
    check_losses(losses);
    check_after(program.save().weights);
  }

  void check_first_step(const TensorMap& outputs) {
    Largest largest("training outputs", tolerance("train_outputs"));
    compare_outputs(outputs.at("loc"), "train.loc", 1, largest);
    compare_outputs(outputs.at("conf"), "train.conf_every_97th", logit_stride, largest);
    report_.rows.push_back(largest.row());

    constexpr std::string_view prefix = "gradient/";
    TensorMap by_parameter;
    for (const auto& [name, tensor] : outputs)
      if (name.starts_with(prefix)) by_parameter.emplace(name.substr(prefix.size()), tensor.clone());
    const TensorMap gradients = model::by_state_name(model_, by_parameter);
    Largest norms("gradient norm", tolerance("gradient_norm")),
        firsts("gradient, first values", tolerance("gradient_first"));
    for (const auto& [name, expected] : golden_.at("gradient").items()) {
      const auto values = gradients.at(name).as<float>();
      const double length = expected.at("norm");
      norms.add(relative(norm(values), length), name);
      for (std::size_t k = 0; k < expected.at("first").size(); ++k)
        firsts.add(std::abs(values[k] - expected.at("first")[k].get<double>()) / std::max(1e-3, length),
                   name);
    }
    report_.rows.push_back(norms.row());
    report_.rows.push_back(
        {"gradient norm, median", norms.median(), tolerance("gradient_norm_median"), "all tensors"});
    report_.rows.push_back(firsts.row());
  }

  void check_losses(const std::vector<double>& losses) {
    for (std::size_t step = 0; step < losses.size(); ++step) {
      const double expected = golden_.at("loss")[step];
      report_.rows.push_back({fmt::format("loss, step {}", step + 1), relative(losses[step], expected),
                              loss_tolerance(step),
                              fmt::format("{:.6f}, expected {:.6f}", losses[step], expected)});
    }
  }

  void check_after(const TensorMap& tensors) {
    Largest trained("parameters after", tolerance("after_parameters")),
        running("running statistics after", tolerance("after_running"));
    for (const auto& [name, expected] : golden_.at("after").items())
      (name.find("running_") == std::string::npos ? trained : running)
          .add(relative(norm(tensors.at(name).as<float>()), expected.at("norm")), name);
    report_.rows.push_back(trained.row());
    report_.rows.push_back(running.row());
  }

  // The golden's (C, D) as (1, D, C).
  Tensor transposed(const std::string& name) const {
    const Tensor values = to_f32(file_.view(name));
    const std::int64_t parts = values.shape()[0], defaults = values.shape()[1];
    Tensor result(DType::f32, {1, defaults, parts});
    for (std::int64_t c = 0; c < parts; ++c)
      for (std::int64_t d = 0; d < defaults; ++d)
        result.as<float>()[d * parts + c] = values.as<float>()[c * defaults + d];
    return result;
  }

  void check_detections() {
    Largest largest("detections", golden_.at("tolerance").at("detections"));
    for (std::size_t image = 0; image < golden_.at("detections").size(); ++image) {
      const Tensor loc = transposed(fmt::format("detect.loc.{}", image));
      const Tensor conf = transposed(fmt::format("detect.conf.{}", image));
      const std::vector<Detection> got = detect({loc, conf})[0];
      const auto& expected = golden_.at("detections")[image];
      const std::string where = fmt::format("image {}", image);
      if (got.size() != expected.size())
        largest.add(NAN, fmt::format("{}: {} detections, expected {}", where, got.size(), expected.size()));
      for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
        const Detection& d = got[i];
        const std::array<double, 6> values{
            d.box.left, d.box.top, d.box.right, d.box.bottom, static_cast<double>(d.label), d.score};
        for (std::size_t k = 0; k < 6; ++k)
          largest.add(std::abs(values[k] - expected[i][k].get<double>()),
                      fmt::format("{}, detection {}", where, i));
      }
    }
    report_.rows.push_back(largest.row());
  }

  graph::Device& device_;
  std::function<void(const std::string&)> progress_;
  nlohmann::json golden_;
  SafetensorsFile file_;
  model::ModelOptions model_;
  Tensor match_, boxes_, labels_;
  VerifyReport report_;
};

}  // namespace

bool VerifyReport::ok() const {
  return std::all_of(rows.begin(), rows.end(), [](const VerifyRow& row) { return row.ok(); });
}

VerifyReport verify(const std::filesystem::path& prefix, graph::Device& device,
                    const VerifyOptions& options) {
  return Verification(prefix, device, options).run();
}

std::string to_text(const VerifyReport& report) {
  std::string text =
      fmt::format("{:<26} {:>12} {:>12}  {:<4} {}\n", "quantity", "error", "tolerance", "", "largest at");
  for (const VerifyRow& row : report.rows)
    text += fmt::format("{:<26} {:>12.3e} {:>12.3e}  {:<4} {}\n", row.quantity, row.error, row.tolerance,
                        row.ok() ? "ok" : "FAIL", row.where);
  if (!report.note.empty()) text += report.note + "\n";
  return text;
}

std::string to_json(const VerifyReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const VerifyRow& row : report.rows)
    rows.push_back({{"quantity", row.quantity},
                    {"error", row.error},
                    {"tolerance", row.tolerance},
                    {"ok", row.ok()},
                    {"where", row.where}});
  nlohmann::ordered_json json{
      {"backbone", model::name_of(report.backbone)}, {"ok", report.ok()}, {"rows", std::move(rows)}};
  if (!report.note.empty()) json["note"] = report.note;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ssd
