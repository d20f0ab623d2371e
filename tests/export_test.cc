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
    const Outcome outcome = run_program(
        small_training(*folder_ / "data", *folder_ / "run", {"--stride-in", "3x3", "--seed", "3"}));
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  static Outcome export_as(const std::string& format, const std::string& out,
                           const std::vector<std::string>& more = {}) {
    return run_program(
        with({"export", "--checkpoint", *folder_ / "run", "--format", format, "--out", out}, more));
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

// A stranger's run of the model: noise through ONNX Runtime, its input and outputs saved with numpy.savez,
// the noise also as images (BMP: rows from the bottom, blue first).
constexpr const char* run_model = R"(
import struct, sys
import numpy as np, onnxruntime
model, folder = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
images = np.random.default_rng(3).integers(0, 256, (2, 300, 300, 3), np.uint8)
for i, image in enumerate(images):
    with open(f"{folder}/{i}.bmp", "wb") as file:
        file.write(struct.pack("<2sIIIIiiHHIIiiII", b"BM", 270054, 0, 54, 40, 300, 300, 1, 24, 0, 0, 0, 0, 0, 0))
        file.write(image[::-1, :, ::-1].tobytes())
names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(names, {"images": images})))
np.savez(f"{folder}/outputs.npz", **outputs)
np.savez(f"{folder}/all.npz", images=images, **outputs)
)";

TEST_F(Export, VerifyTakesTheOutputsOfAnotherRuntime) {
  const std::string python = "PYTHONPATH='" SSD_SOURCE_DIR "/.deps/onnx' /usr/bin/python3 -B ";
  if (run_program({"-c", python + "-c 'import onnxruntime'"}, "sh").exit_status != 0)
    GTEST_SKIP() << "no onnxruntime; scripts/setup --dev installs it";
  write_file(*folder_ / "run.py", run_model);
  // The scores of a network that has hardly been trained are all alike, so that a share of their range is
  // next to nothing: verify_test has boxes and detections.
  const std::string model = *folder_ / "model.onnx";
  ASSERT_EQ(export_as("onnx", model, {"--postprocess", "none", "--batch", "2"}).exit_status, 0);
  const TemporaryFolder out;
  const Outcome ran = run_program(
      {"-c", python + *folder_ / "run.py" + " '" + model + "' '" + out.path().string() + "'"}, "sh");
  ASSERT_EQ(ran.exit_status, 0) << ran.err;
  const auto verify = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"verify", "--checkpoint", *folder_ / "run"});
    return run_program(more);
  };
  const Outcome saved = verify({"--exported-outputs", out / "all.npz"});
  EXPECT_EQ(saved.exit_status, 0) << saved.out << saved.err;
  const Outcome both =
      verify({"--exported-outputs", out / "all.npz", "--images", out / "0.bmp", out / "1.bmp"});
  EXPECT_EQ(both.exit_status, 0) << both.out << both.err;
  EXPECT_NE(both.out.find("images, in levels             0.000e+00"), std::string::npos) << both.out;
  const Outcome swapped =
      verify({"--exported-outputs", out / "outputs.npz", "--images", out / "1.bmp", out / "0.bmp"});
  EXPECT_EQ(swapped.exit_status, 1) << swapped.out << swapped.err;
  EXPECT_NE(swapped.out.find("NOT ok"), std::string::npos) << swapped.out;
}

TEST_F(Export, VerifySaysInOneLineWhatItLacks) {
  const std::string outputs = SSD_SOURCE_DIR "/src/weights/testdata/types.npz";
  const std::vector<std::vector<std::string>> refused = {
      {"verify"},
      {"verify", "golden", "--checkpoint", "a"},
      {"verify", "golden", "--exported-outputs", outputs},
      {"verify", "--exported-outputs", outputs},
      {"verify", "--exported-outputs", outputs, "--checkpoint", "a"},
      {"verify", "--exported-outputs", outputs, "--checkpoint", "a", "--precision", "f32"},
      {"verify", "--exported-outputs", outputs, "--checkpoint", "a", "--images", "b.jpg", "--score", "0.1"}};
  for (const std::vector<std::string>& words : refused) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.exit_status, 2) << words.back() << " " << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
  }
}

}  // namespace
}  // namespace ssd
