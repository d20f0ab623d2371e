// `singleshot export`: what it writes detects as the checkpoint does.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

class Export : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    make_small_data(*folder_ / "data", 2);
    const Outcome outcome = run_program({"train",
                                         "--pretrained",
                                         "none",
                                         "--data",
                                         *folder_ / "data",
                                         "--backbone",
                                         "resnet18",
                                         "--stride-in",
                                         "3x3",
                                         "--preset",
                                         "reference",
                                         "--batch-size",
                                         "2",
                                         "--iterations",
                                         "1",
                                         "--batch-norm-images",
                                         "2",
                                         "--evaluation",
                                         "-1",
                                         "--seed",
                                         "3",
                                         "--save",
                                         *folder_ / "run"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  static Outcome export_as(const std::string& format, const std::string& out,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "export", "--checkpoint", *folder_ / "run", "--format", format, "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  // Of an image of the sample data.
  static nlohmann::json detections(const std::string& checkpoint) {
    const TemporaryFolder found;
    const Outcome outcome =
        run_program({"detect", "--checkpoint", checkpoint, "--score", "0.01", "--out", found.path().string(),
                     "--no-drawings", sample_data() + "/val2017/BloodImage_00007.jpg"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return nlohmann::json::parse(read_file(found / "detections.json"));
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(Export, TensorFilesDetectAsTheCheckpointDoes) {
  const nlohmann::json expected = detections(*folder_ / "run");
  ASSERT_FALSE(expected.at(0).at("detections").empty()) << expected;
  for (const std::string format : {"torch", "safetensors"}) {
    const std::string file = *folder_ / format;
    const Outcome outcome = export_as(format, file);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(count_lines(outcome.out), 1) << outcome.out;
    EXPECT_EQ(detections(file), expected) << format;
  }
}

TEST_F(Export, WhatCannotBeWrittenIsOneLine) {
  const Outcome dash = export_as("torch", "-");
  EXPECT_EQ(dash.exit_status, 2);
  EXPECT_EQ(count_lines(dash.err), 1) << dash.err;
  for (const std::string& out : {*folder_ / "no/such/file.pt", *folder_ / "run"}) {
    const Outcome outcome = export_as("torch", out);
    EXPECT_EQ(outcome.exit_status, 1) << out;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(out), std::string::npos) << outcome.err;
  }
}

TEST_F(Export, OptionsThatWouldDoNothingOrAreNoneAreRefused) {
  const std::vector<std::vector<std::string>> refused = {{"torch", "--input", "f32-nchw"},
                                                         {"safetensors", "--batch", "2"},
                                                         {"torch", "--top", "2"},
                                                         {"stablehlo", "--postprocess", "nms"},
                                                         {"stablehlo", "--batch", "dynamic"},
                                                         {"stablehlo", "--precision", "f16"},
                                                         {"onnx", "--precision", "bf16"},
                                                         {"onnx", "--batch", "0"},
                                                         {"onnx", "--batch", "1.5"},
                                                         {"onnx", "--batch", "many"},
                                                         {"onnx", "--score", "1"},
                                                         {"onnx", "--postprocess", "boxes", "--iou", "0.4"}};
  for (const std::vector<std::string>& words : refused) {
    const Outcome outcome = export_as(words[0], *folder_ / "refused", {words.begin() + 1, words.end()});
    EXPECT_EQ(outcome.exit_status, 2) << words[0] << " " << words[1] << " " << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(words[words.size() - 2]), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(*folder_ / "refused"));
}

// Read back by ONNX's own library.
TEST_F(Export, OnnxModelsFollowTheOptions) {
  const std::string python = "PYTHONPATH='" SSD_SOURCE_DIR "/.deps/onnx' /usr/bin/python3 -B -c ";
  if (run_program({"-c", python + "'import onnx'"}, "sh").exit_status != 0)
    GTEST_SKIP() << "no onnx; scripts/setup --dev installs it";
  const std::string file = *folder_ / "model.onnx";
  const auto ports = [&](const std::vector<std::string>& options) {
    const Outcome outcome = export_as("onnx", file, options);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    const std::string script =
        "import onnx, sys; m = onnx.load(sys.argv[1]); "
        "print(*(v.name + str([d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) "
        "for v in [*m.graph.input, *m.graph.output]), "
        "{i.data_type for i in m.graph.initializer if i.name.startswith(\"heads\")}, "
        "{p.key: p.value for p in m.metadata_props}.get(\"iou\"))";
    return run_program({"-c", python + "'" + script + "' '" + file + "'"}, "sh").out;
  };
  EXPECT_EQ(ports({"--top", "7", "--iou", "0.25"}),
            "images[1, 300, 300, 3] boxes[1, 7, 4] scores[1, 7] labels[1, 7] count[1] {1} 0.25\n");
  EXPECT_EQ(ports({"--postprocess", "boxes", "--batch", "dynamic"}),
            "images['batch', 300, 300, 3] boxes['batch', 8732, 4] scores['batch', 8732, 4] {1} None\n");
  EXPECT_EQ(ports({"--postprocess", "none", "--batch", "3", "--input", "f32-nchw", "--precision", "f16"}),
            "images[3, 3, 300, 300] loc[3, 4, 8732] conf[3, 4, 8732] {10} None\n");
}

}  // namespace
}  // namespace ssd
