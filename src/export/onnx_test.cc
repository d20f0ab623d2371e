// Exported models, run by ONNX Runtime and held against the CPU backend by a script. Skipped where Python has
// no onnx and onnxruntime (scripts/setup --dev brings them).
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "boxes/default_boxes.h"
#include "detect/detector.h"
#include "export/export_format.h"
#include "export/onnx_model.h"
#include "testing/formula_network.h"
#include "testing/temporary_folder.h"
#include "weights/safetensors.h"

namespace ssd {
namespace {

using Input = ExportOptions::Input;
using Postprocess = ExportOptions::Postprocess;

// Debian's own Python, for which scripts/setup fetches the modules.
const std::string python =
    "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='" SSD_SOURCE_DIR "/.deps/onnx' /usr/bin/python3 ";

bool has_runtime() {
  return std::system((python + "-c 'import onnx, onnxruntime' 2>/dev/null").c_str()) == 0;
}

// What our own network and our own post-processing say of two images.
TensorMap expected_of(const ExportSource& source, const DetectorOptions& detector) {
  TensorMap result;
  Tensor pixels = noise_images();
  std::vector<Tensor> outputs = cpu_outputs(source, pixels);
  const auto found = detect({outputs[0], outputs[1]}, detector);
  std::vector<float> rows;  // image, label, score, box
  for (std::size_t image = 0; image < found.size(); ++image)
    for (const Detection& one : found[image])
      for (const float value : {static_cast<float>(image), static_cast<float>(one.label), one.score,
                                one.box.left, one.box.top, one.box.right, one.box.bottom})
        rows.push_back(value);
  const TensorView detections{DType::f32,
                              {static_cast<std::int64_t>(rows.size() / 7), 7},
                              reinterpret_cast<const std::byte*>(rows.data())};
  Tensor defaults(DType::f32, {static_cast<std::int64_t>(default_box_count), 4});
  std::memcpy(defaults.data(), ssd300_default_boxes().centers().data(), defaults.bytes());
  result.emplace("images", std::move(pixels));
  result.emplace("loc", std::move(outputs[0]));
  result.emplace("conf", std::move(outputs[1]));
  result.emplace("detections", Tensor::copy_of(detections));
  result.emplace("default_boxes", std::move(defaults));
  return result;
}

struct Case {
  const char* name;
  model::ModelOptions model;
  ExportOptions options;
  double tolerance = 1e-4;  // of an output's range
};

class OnnxExport : public testing::TestWithParam<Case> {};

TEST_P(OnnxExport, GivesInOnnxRuntimeWhatTheCpuBackendGives) {
  if (!has_runtime()) GTEST_SKIP() << "no onnx and onnxruntime; scripts/setup --dev installs them";
  const TemporaryFolder folder;
  const Case& test = GetParam();
  ExportSource source = formula_source(test.model);
  tame_heads(source, noise_images());
  const std::string file = (folder.path() / "a.onnx").string(), expected = (folder.path() / "e").string();
  export_format_named("onnx").write(source, test.options, file);
  write_safetensors(expected, expected_of(source, test.options.detector));
  const std::string script = SSD_SOURCE_DIR "/src/export/check_onnx.py ";
  const std::string command =
      python + script + file + " " + expected + " --tolerance " + std::to_string(test.tolerance);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};
const model::ModelOptions bottlenecks{
    .backbone = model::Backbone::resnet50, .stride_in = model::StrideIn::conv1x1, .classes = 21};

INSTANTIATE_TEST_SUITE_P(
    Cases, OnnxExport,
    testing::Values(
        Case{"raw", bottlenecks, {.postprocess = Postprocess::none, .batch = test_images}},
        Case{"boxes", small, {.postprocess = Postprocess::boxes, .batch = {}, .input = Input::f32_nchw}},
        Case{"nms", small, {.postprocess = Postprocess::nms, .batch = {}}},
        Case{"nms_of_few",
             bottlenecks,
             {.postprocess = Postprocess::nms,
              .batch = test_images,
              .detector = {.score = 0.1f, .iou = 0.3f, .total = 9}}},
        Case{"half",
             small,
             {.postprocess = Postprocess::none, .batch = test_images, .precision = DType::f16},
             2e-2}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(OnnxPrecision, WeightsBeyondHalfAreRefusedByName) {
  const TemporaryFolder folder;
  ExportSource source = formula_source(small);
  source.network.weights.at("loc.0.bias").as<float>()[0] = 1e6f;
  try {
    export_format_named("onnx").write(source, {.precision = DType::f16}, folder.path() / "a.onnx");
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'heads.0.bias'"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.onnx"));
}

TEST(OnnxModel, MoreThanTwoGibibytesAreRefused) {
  onnx::Model model;
  const std::byte nothing{};
  EXPECT_THROW(model.constant("a", {DType::f32, {1 << 20, 1 << 10}, &nothing}), Error);
}

}  // namespace
}  // namespace ssd
