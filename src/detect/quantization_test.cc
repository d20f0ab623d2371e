// Quantised checkpoints: what is written is read, and what was damaged is refused.
#include "detect/quantization.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/formula_weights.h"
#include "model/ssd300.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 3};

Quantization some_quantization() {
  Quantization result{.activation_scales = {}, .images = 7};
  for (const std::string& name : model::rounded_activations(small))
    result.activation_scales[name] = 0.01 * static_cast<double>(1 + result.activation_scales.size());
  return result;
}

TrainedModel some_model() {
  TrainedModel trained;
  trained.model = small;
  trained.knows_names = true;
  trained.categories = {{1, "cat"}, {5, "dog"}};
  trained.weights = model::formula_weights(small);
  return trained;
}

std::string refusal_of(const std::string& json) {
  try {
    parse_quantization(json, small, "quantization.json");
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Quantization, RoundsEveryConvolutionButTheHeads) {
  const std::vector<std::string> names = model::rounded_activations(small);
  EXPECT_EQ(names.size(), 1 + 15 + 10);  // images, backbone, additional blocks
  EXPECT_EQ(names.front(), "normalize");
  model::ModelOptions quantised = small;
  quantised.activation_scales = some_quantization().activation_scales;
  const graph::Graph graph = model::inference_graph(quantised, 1);
  for (const graph::Node& node : graph.nodes()) {
    if (node.kind != graph::Kind::fused_convolution) continue;
    const auto& a = node.as<graph::ConvolutionAttributes>();
    EXPECT_TRUE(a.x_rounding) << node.name;
    EXPECT_EQ(static_cast<bool>(a.y_rounding), !node.name.starts_with("heads.")) << node.name;
    EXPECT_EQ(a.y_rounding && a.y_rounding.has_sign, a.y_rounding && !a.relu) << node.name;
  }
  EXPECT_EQ(to_string(model::inference_graph(small, 1)).find(" in u8 "), std::string::npos);
}

TEST(Quantization, IsReadAsItWasWritten) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "q";
  const TrainedModel written = some_model();
  write_quantised_model(path, written, some_quantization());
  const TrainedModel read = read_model(path);
  EXPECT_EQ(read.model.activation_scales, some_quantization().activation_scales);
  EXPECT_EQ(read.model.classes, 3);
  ASSERT_EQ(read.categories.size(), 2u);
  EXPECT_EQ(read.categories[1].id, 5);
  EXPECT_EQ(read.categories[1].name, "dog");
  EXPECT_EQ(read.weights.size(), written.weights.size());
}

TEST(Quantization, DamagedFilesAreRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "q", file = path / "quantization.json";
  write_quantised_model(path, some_model(), some_quantization());
  std::ofstream(file, std::ios::app) << " ";
  EXPECT_THROW(read_model(path), Error);
  fs::remove(file);
  EXPECT_THROW(read_model(path), Error);
}

TEST(Quantization, EveryFieldIsChecked) {
  const auto whole = nlohmann::json::parse(to_json(some_quantization()));
  EXPECT_EQ(refusal_of(whole.dump()), "");
  const auto with = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json changed = whole;
    changed[nlohmann::json::json_pointer(pointer)] = value;
    return refusal_of(changed.dump());
  };
  for (const auto& [pointer, value] : std::initializer_list<std::pair<std::string, nlohmann::json>>{
           {"/format", 2},
           {"/format", "1"},
           {"/images", 0},
           {"/images", -3},
           {"/activation_scales", nlohmann::json::array()},
           {"/activation_scales/normalize", 0},
           {"/activation_scales/normalize", -0.1},
           {"/activation_scales/normalize", "0.1"},
           {"/activation_scales/normalize", nullptr},
           {"/activation_scales/normalize", 1e300},
           {"/activation_scales/another", 0.1}}) {
    const std::string refusal = with(pointer, value);
    EXPECT_NE(refusal.find("quantization.json: not the quantization"), std::string::npos) << pointer << value;
    EXPECT_EQ(refusal.find('\n'), std::string::npos);
  }
  for (const char* key : {"format", "images", "activation_scales"}) {
    nlohmann::json changed = whole;
    changed.erase(key);
    EXPECT_NE(refusal_of(changed.dump()), "") << key;
  }
  EXPECT_NE(refusal_of("{"), "");
  EXPECT_NE(refusal_of("[]"), "");
}

}  // namespace
}  // namespace ssd
