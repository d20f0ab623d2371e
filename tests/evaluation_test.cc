// `singleshot eval`, `detect`, and `verify` against the golden values.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {
namespace {

TEST(Verify, ResNet18HoldsOnTheCpu) {
  if (shared_file("golden/resnet18.json").empty()) GTEST_SKIP() << "../shared/golden is missing";
  const Outcome outcome = run_program({"verify", shared_file("golden") + "/resnet18"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

// The set's own expected numbers, as pycocotools prints them with all digits.
void expect_numbers(const std::string& folder, const char* truth, const char* detections,
                    const char* expected) {
  const TemporaryFolder output;
  const Outcome outcome = run_program({"eval", "--ground-truth", folder + truth, "--detections",
                                       folder + detections, "--json", output / "numbers.json"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  const nlohmann::json ours = nlohmann::json::parse(read_file(output / "numbers.json")).at("numbers");
  nlohmann::json theirs = nlohmann::json::parse(read_file(folder + "/expected.json")).at(expected);
  if (theirs.contains("stats")) theirs = theirs["stats"];
  ASSERT_EQ(theirs.size(), 12u);
  for (const auto& [name, value] : theirs.items()) EXPECT_EQ(ours.at(name), value) << name;
}

TEST(Eval, GivesTheOfficialPairsNumbers) {
  const std::string folder = shared_file("data/coco-eval/cocoapi-fakebbox100");
  if (folder.empty()) GTEST_SKIP() << "../shared/data/coco-eval is missing";
  expect_numbers(folder, "/instances_val2014_100.json", "/instances_val2014_fakebbox100_results.json",
                 "full_bbox");
}

TEST(Eval, GivesThePublishedNumbersOfTheSampledSet) {
  const std::string folder = shared_file("data/coco-eval/coco-sampled-bbox-area");
  if (folder.empty()) GTEST_SKIP() << "../shared/data/coco-eval is missing";
  expect_numbers(folder, "/sampled_gts_bbox_area.json", "/sampled_bbox_results.json",
                 "pycocotools_2.0.11_here");
}

// pycocotools 2.0.11 on the same files: ids that it misreads cost what they cost there, and are named.
TEST(Eval, IdsThatAreMisreadAreNamed) {
  const std::string folder = shared_file("cases/annotation-ids");
  if (folder.empty()) GTEST_SKIP() << "../shared/cases/annotation-ids is missing";
  struct Case {
    const char* truth;
    double precision;
    const char* note;
  };
  for (const Case& one : {Case{"gt-good", 1.0, ""},
                          {"gt-from0", 0.8548, "1 object has the id 0"},
                          {"gt-per-image", 0.1585, "52 annotation ids occur before"}}) {
    const Outcome outcome = run_program({"eval", "--ground-truth", folder + "/" + one.truth + ".json",
                                         "--detections", folder + "/dt.json", "--json", "-"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_NEAR(nlohmann::json::parse(outcome.out).at("numbers").at("AP").get<double>(), one.precision, 5e-5);
    EXPECT_NE(outcome.err.find(one.note), std::string::npos) << outcome.err;
  }
}

TEST(Eval, FailsWhereADetectionIsOfAnUnknownImage) {
  const TemporaryFolder folder;
  write_file(folder / "detections.json",
             R"([{"image_id": 123456, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}])");
  const Outcome outcome =
      run_program({"eval", "--ground-truth", sample_data() + "/annotations/instances_val2017.json",
                   "--detections", folder / "detections.json"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.out;
  EXPECT_NE(outcome.err.find("detections.json: detection 0: got image_id 123456"), std::string::npos)
      << outcome.err;
}

// One object found, as files and as what a shell makes of them.
class EvalOfFiles : public testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "truth.json",
               R"({"images": [{"id": 1, "width": 9, "height": 9, "file_name": "a.jpg"}],
                   "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}],
                   "categories": [{"id": 1, "name": "bat"}]})");
    write_file(folder_ / "found.json",
               R"([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5}])");
  }
  Outcome evaluate(const std::string& truth, const std::string& found,
                   const std::vector<std::string>& more = {}) const {
    return run_program(
        with({"eval", "--ground-truth", folder_ / truth, "--detections", folder_ / found}, more));
  }

  const TemporaryFolder folder_;
};

TEST_F(EvalOfFiles, ReadsPipes) {
  const std::string command = "cat '" + (folder_ / "truth.json") +
                              "' | " SSD_PROGRAM " eval --ground-truth /dev/stdin --detections <(cat '" +
                              (folder_ / "found.json") + "') --json -";
  const Outcome outcome = run_program({"-c", command}, "bash");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NEAR(nlohmann::json::parse(outcome.out).at("numbers").at("AP").get<double>(), 1, 1e-9);
}

TEST_F(EvalOfFiles, NeedsNoMoreThanIdsOfImagesAndCategories) {
  write_file(folder_ / "bare.json",
             R"({"images": [{"id": 1}], "categories": [{"id": 1}],
                 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}]})");
  const Outcome outcome = evaluate("bare.json", "found.json", {"--json", "-"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(nlohmann::json::parse(outcome.out).at("categories").contains("1")) << outcome.out;
}

TEST_F(EvalOfFiles, TellsCategoriesOfTheSameNameApart) {
  const auto categories = [&](const std::string& list) {
    write_file(folder_ / "named.json",
               R"({"images": [{"id": 1}], "annotations": [], "categories": )" + list + "}");
    const Outcome outcome = evaluate("named.json", "found.json", {"--json", "-"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return nlohmann::ordered_json::parse(outcome.out).at("categories").dump();
  };
  EXPECT_EQ(categories(R"([{"id": 3, "name": "cat"}, {"id": 2, "name": "bat"}, {"id": 1, "name": "bat"}])"),
            R"j({"bat (1)":-1.0,"bat (2)":-1.0,"cat":-1.0})j");
  EXPECT_EQ(
      categories(R"j([{"id": 1, "name": "bat"}, {"id": 2, "name": "bat"}, {"id": 3, "name": "bat (2)"}])j"),
      R"j({"bat (1)":-1.0,"bat (2) (2)":-1.0,"bat (2)":-1.0})j");
  EXPECT_EQ(categories("[]"), "{}");
}

TEST_F(EvalOfFiles, NamesTheFolderGivenForAFile) {
  std::filesystem::create_directories(folder_ / "folder");
  for (const Outcome& outcome : {evaluate("folder", "found.json"), evaluate("truth.json", "folder")}) {
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find("folder: got a folder, expected a file"), std::string::npos) << outcome.err;
  }
}

TEST_F(EvalOfFiles, EachOutputNeedsAPlaceOfItsOwn) {
  const std::string out = folder_ / "out";
  const std::string same = (folder_ / ".") + "/out";
  for (const std::vector<std::string>& outputs :
       {std::vector<std::string>{"--json", out, "--arrays", same}, {"--arrays", "-"}}) {
    const Outcome outcome = evaluate("truth.json", "found.json", outputs);
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("--arrays"), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_FALSE(std::filesystem::exists("-"));
}

// One step on a few images: enough for a checkpoint.
class Trained : public testing::Test {
 protected:
  void SetUp() override {
    make_small_data(folder_ / "data", 3);
    const Outcome outcome =
        run_program({"train", "--pretrained", "none", "--data", folder_ / "data", "--backbone", "resnet18",
                     "--batch-size", "2", "--iterations", "1", "--evaluation", "-1", "--batch-norm-images",
                     "0", "--save", folder_ / "run"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  Outcome evaluate(const std::string& numbers, const std::vector<std::string>& more = {}) const {
    return run_program(with(
        {"eval", "--checkpoint", folder_ / "run", "--data", folder_ / "data", "--json", folder_ / numbers},
        more));
  }
  std::string annotations() const { return folder_ / "data/annotations/instances_val2017.json"; }

  const TemporaryFolder folder_;
};

TEST_F(Trained, TheReferencesEvaluationModeTakesTheConfigurationOfARun) {
  const Outcome outcome =
      run_program({"train", "--mode", "evaluation", "--config", folder_ / "run/config.json", "--checkpoint",
                   folder_ / "run", "--json-summary", folder_ / "mode.json"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("not used by --mode evaluation: "), std::string::npos) << outcome.err;
  ASSERT_EQ(evaluate("numbers.json").exit_status, 0);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "mode.json")).at("numbers"),
            nlohmann::json::parse(read_file(folder_ / "numbers.json")).at("numbers"));
}

// A file where the run's folder should be ends each command once the preset is told.
TEST_F(Trained, QuickTakesFewerEpochsFromTrainedWeights) {
  write_file(folder_ / "file", "");
  const auto told = [&](const std::string& option, const std::string& value) {
    return run_program({"train", "--preset", "quick", "--data", folder_ / "data", "--backbone", "resnet18",
                        option, value, "--save", folder_ / "file"})
        .err;
  };
  const std::string scratch = told("--pretrained", "none"), trained = told("--checkpoint", folder_ / "run");
  EXPECT_NE(scratch.find("--epochs 64: for 3 images\n"), std::string::npos) << scratch;
  EXPECT_NE(trained.find("--epochs 60: for 3 images and trained weights\n"), std::string::npos) << trained;
}

TEST_F(Trained, EvaluationFindsTheClassesInAnyOrderAndRefusesOthers) {
  const Outcome first = evaluate("first.json", {"--save-detections", folder_ / "detections.json"});
  ASSERT_EQ(first.exit_status, 0) << first.err;
  EXPECT_FALSE(nlohmann::json::parse(read_file(folder_ / "detections.json")).empty());

  nlohmann::json json = nlohmann::json::parse(read_file(annotations()));
  std::reverse(json["categories"].begin(), json["categories"].end());
  write_file(annotations(), json.dump());
  const Outcome reordered =
      evaluate("reordered.json", {"--save-detections", folder_ / "reordered-detections.json"});
  ASSERT_EQ(reordered.exit_status, 0) << reordered.err;
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "reordered.json")).at("numbers"),
            nlohmann::json::parse(read_file(folder_ / "first.json")).at("numbers"));
  EXPECT_EQ(read_file(folder_ / "reordered-detections.json"), read_file(folder_ / "detections.json"));

  json["categories"][1]["name"] = "unicorn";
  write_file(annotations(), json.dump());
  const Outcome refused = evaluate("refused.json");
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_EQ(count_lines(refused.err), 2) << refused.err;  // what the folder was taken for, and the fault
  EXPECT_NE(refused.err.find("unicorn"), std::string::npos) << refused.err;
}

TEST_F(Trained, EvaluationCountsImagesThatCannotBeReadAndFailsWhereAllCannot) {
  std::filesystem::path last;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "data/val2017")) last = entry.path();
  std::filesystem::remove(last);
  const Outcome some = evaluate("some.json");
  EXPECT_EQ(some.exit_status, 0) << some.err;
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "some.json")).at("bad_images"), 1);
  EXPECT_NE(some.out.find("1 image could not be read"), std::string::npos) << some.out;
  std::filesystem::create_directories(folder_ / "empty");
  const Outcome none = evaluate("none.json", {"--val-images", folder_ / "empty"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_NE(none.err.find("none of its 3 images"), std::string::npos) << none.err;
}

TEST_F(Trained, EvaluationThatCannotWriteFailsBeforeItsWork) {
  const Outcome outcome = evaluate("numbers.json", {"--save-detections", folder_ / "no/such/folder.json"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
  const Outcome full = run_program({"-c", SSD_PROGRAM " eval --checkpoint '" + (folder_ / "run") +
                                              "' --data '" + (folder_ / "data") + "' --json - > /dev/full"},
                                   "sh");
  EXPECT_EQ(full.exit_status, 1);
  EXPECT_NE(full.err.find("standard output"), std::string::npos) << full.err;
}

TEST_F(Trained, DetectWritesImagesUnderNamesOfTheirOwnAndDetections) {
  const std::string jpeg = read_file(sample_data() + "/val2017/BloodImage_00007.jpg");
  std::filesystem::create_directories(folder_ / "x");
  for (const char* name : {"a.jpg", "x/a.jpg", "a-2.jpg"}) write_file(folder_ / name, jpeg);
  write_file(folder_ / "broken.jpg", "no image");
  const Outcome outcome =
      run_program({"detect", "--checkpoint", folder_ / "run", "--out", folder_ / "found", folder_ / "a.jpg",
                   folder_ / "x/a.jpg", folder_ / "a-2.jpg", folder_ / "broken.jpg"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
  EXPECT_EQ(outcome.err.find("broken.jpg"), outcome.err.rfind("broken.jpg")) << outcome.err;
  int drawings = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "found"))
    drawings += entry.path().extension() == ".jpg";
  EXPECT_EQ(drawings, 3);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "found/detections.json")).size(), 3u);
}

TEST_F(Trained, DetectReplacesNoImageThatItWasGiven) {
  std::filesystem::create_directories(folder_ / "photos");
  const auto bytes = encode_png(test_image(40, 30));
  const std::string png(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const char* name : {"photos/a.png", "photos/b.jpg", "photos/b.png"}) write_file(folder_ / name, png);
  const Outcome outcome = run_program(
      {"detect", "--checkpoint", folder_ / "run", "--out", folder_ / "photos", folder_ / "photos"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  for (const char* name : {"photos/a.png", "photos/b.jpg", "photos/b.png"})
    EXPECT_EQ(read_file(folder_ / name), png);
  for (const char* name : {"photos/a.jpg", "photos/b-2.jpg", "photos/b-3.jpg"})
    EXPECT_TRUE(std::filesystem::exists(folder_ / name)) << name;
}

TEST_F(Trained, DetectFollowsFoldersAndReadsStandardInputAndSaysWhatItPassedOver) {
  const std::string jpeg = read_file(sample_data() + "/val2017/BloodImage_00007.jpg");
  for (const char* name : {"top/a", "top/b"}) {
    std::filesystem::create_directories(folder_ / name);
    write_file(folder_ / (std::string(name) + "/same.jpg"), jpeg);
  }
  write_file(folder_ / "top/notes.txt", "no image");
  const std::string common =
      SSD_PROGRAM " detect --format png --checkpoint '" + (folder_ / "run") + "' --out '";
  const Outcome outcome = run_program({"-c", common + (folder_ / "top/found") + "' '" + (folder_ / "top") +
                                                 "' - < '" + (folder_ / "top/a/same.jpg") + "'"},
                                      "sh");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("passed over: 1 file of other types (1 .txt)"), std::string::npos)
      << outcome.out;
  const auto list = nlohmann::json::parse(read_file(folder_ / "top/found/detections.json"));
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[2].at("file"), "-");
  EXPECT_EQ(list[2].at("width"), list[0].at("width"));
  for (const auto& [at, drawing] :
       {std::pair{0u, "same.png"}, {1u, "same-2.png"}, {2u, "standard-input.png"}}) {
    EXPECT_EQ(list[at].at("drawing"), drawing);
    EXPECT_TRUE(std::filesystem::exists(folder_ / (std::string("top/found/") + drawing))) << drawing;
  }
}

TEST_F(Trained, RefusesImagesAboveTheLimitOfPixels) {
  const std::string image = sample_data() + "/val2017/BloodImage_00007.jpg";
  const Outcome outcome = run_program({"detect", "--checkpoint", folder_ / "run", "--out", folder_ / "found",
                                       "--max-image-pixels", "1000", image});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(
      outcome.err.find("expected at most 1000 in all; scale the image down or raise --max-image-pixels"),
      std::string::npos)
      << outcome.err;
}

// Cairo draws on at most 32767 pixels a side.
TEST_F(Trained, DetectGoesOnAfterAnImageThatCannotBeDrawn) {
  write_jpeg(folder_ / "wide.jpg", 33000, 16);
  write_file(folder_ / "z.jpg", read_file(sample_data() + "/val2017/BloodImage_00007.jpg"));
  const Outcome outcome = run_program({"detect", "--checkpoint", folder_ / "run", "--out", folder_ / "found",
                                       folder_ / "wide.jpg", folder_ / "z.jpg"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("wide.jpg: image to draw on: got 33000 x 16"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("1 image could not be drawn"), std::string::npos) << outcome.out;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "found/z.jpg"));
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "found/detections.json")).size(), 2u);
}

}  // namespace
}  // namespace ssd
