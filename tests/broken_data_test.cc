// One broken thing of a data set or a list of detections costs one thing, and is named.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Three images that only their ids tell apart, an object in each.
Json truth_with(const std::vector<Json>& ids) {
  Json truth{{"images", Json::array()},
             {"annotations", Json::array()},
             {"categories", {{{"id", 1}, {"name", "cat"}}}}};
  for (const Json& id : ids) {
    truth["images"].push_back({{"id", id}, {"file_name", "x.jpg"}, {"width", 100}, {"height", 100}});
    truth["annotations"].push_back({{"id", truth["images"].size()},
                                    {"image_id", id},
                                    {"category_id", 1},
                                    {"bbox", {0, 0, 10, 10}},
                                    {"area", 100},
                                    {"iscrowd", 0}});
  }
  return truth;
}

Json detection(const Json& image, int left, double score) {
  return {{"image_id", image}, {"category_id", 1}, {"bbox", {left, 0, 10, 10}}, {"score", score}};
}

class EvalOfBrokenFiles : public testing::Test {
 protected:
  Outcome evaluate(const Json& truth, const std::string& detections,
                   std::vector<std::string> more = {}) const {
    write_file(folder_ / "truth.json", truth.dump());
    write_file(folder_ / "found.json", detections);
    more.insert(more.begin(), {"eval", "--ground-truth", folder_ / "truth.json", "--detections",
                               folder_ / "found.json", "--json", folder_ / "numbers.json"});
    return run_program(more);
  }
  double precision() const {
    return Json::parse(read_file(folder_ / "numbers.json"))["numbers"].begin().value();
  }

  TemporaryFolder folder_;
};

// The number is pycocotools 2.0.11's for the entries that remain.
TEST_F(EvalOfBrokenFiles, OneBrokenEntryCostsThatEntry) {
  const Json truth = truth_with({1, 2, 3});
  std::string found = "[" + detection(1, 0, 0.9).dump() +
                      R"(, {"image_id": 1, "bbox": [1, 2, 3], "category_id": 1},
    "x", {"image_id": 2, "category_id": 1, "bbox": [0, 0, 10, 10], "score": null}, )" +
                      detection(77, 0, 0.8).dump() + "," + detection(2, 50, 0.7).dump() + "," +
                      detection(3, 0, 0.5).dump() + "]";
  const Outcome outcome = evaluate(truth, found);
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(precision(), 0.5544554455445545);
  EXPECT_TRUE(contains(outcome.err, "3 detections were left out: byte ")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "detection 3: got null, expected a number")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err,
                       "1 detection was left out, of images that the ground truth lacks: detection 1 is of "
                       "image 77"))
      << outcome.err;
  const Outcome strict = evaluate(truth, found, {"--strict"});
  EXPECT_EQ(strict.exit_status, 1);
  EXPECT_TRUE(contains(strict.err, "--strict stops at 3 detections were left out")) << strict.err;
  // Another set's.
  const Outcome other = evaluate(truth, "[" + detection(77, 0, 0.8).dump() + "]");
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_TRUE(contains(other.err, "got image_id 77, expected an image of the ground truth")) << other.err;
}

// pycocotools 2.0.11 on the same files: of equal scores the image whose text comes first counts first.
TEST_F(EvalOfBrokenFiles, IdsOfImagesMayBeTexts) {
  for (const bool texts : {false, true}) {
    const auto id = [&](int number) { return texts ? Json(std::to_string(number) + ".jpg") : Json(number); };
    const Json found{detection(id(9), 0, 0.5), detection(id(10), 50, 0.5), detection(id(8), 50, 0.4)};
    const Outcome outcome = evaluate(truth_with({id(8), id(9), id(10)}), found.dump());
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(precision(), texts ? 0.16831683168316833 : 0.3366336633663366);
    EXPECT_EQ(contains(outcome.err, "3 images have texts as ids, which are kept: \"8.jpg\", ..."), texts)
        << outcome.err;
  }
}

// pycocotools 2.0.11 on the same files.
TEST_F(EvalOfBrokenFiles, IdsOfCategoriesMayBeTexts) {
  Json truth = truth_with({1, 2});
  truth["categories"] = {{{"id", "c2"}, {"name", "x"}}, {{"id", "c10"}, {"name", "y"}}};
  for (Json& object : truth["annotations"]) object["category_id"] = "c10";
  truth["annotations"].push_back(truth["annotations"][0]);
  truth["annotations"][2]["id"] = 3, truth["annotations"][2]["category_id"] = "c2";
  const auto of = [](const char* category, Json one) { return one["category_id"] = category, one; };
  Json found{of("c2", detection(1, 0, 0.5)), of("c10", detection(1, 0, 0.5)),
             of("c10", detection(2, 50, 0.4)), of("c2", detection(2, 0, 0.4))};
  found[0]["bbox"] = {0, 0, 10, 8};
  ASSERT_EQ(evaluate(truth, found.dump()).exit_status, 0);
  EXPECT_EQ(precision(), 0.6024752475247523);
  const Json categories = Json::parse(read_file(folder_ / "numbers.json"))["categories"];
  EXPECT_DOUBLE_EQ(categories["x"], 0.7);
  EXPECT_DOUBLE_EQ(categories["y"], 0.5049504950495048);
  // What the ground truth lacks is named as the file writes it.
  found.push_back(of("c3", detection(1, 0, 0.9)));
  found.push_back(of("c2", detection("z.jpg", 0, 0.9)));
  const Outcome strange = evaluate(truth, found.dump());
  EXPECT_EQ(precision(), 0.6024752475247523);
  EXPECT_TRUE(contains(strange.err, "detection 5 is of image \"z.jpg\"")) << strange.err;
  EXPECT_TRUE(contains(strange.err, "1 detection is of categories that are not listed, the first of \"c3\""))
      << strange.err;
  const Outcome other = evaluate(truth, "[" + found[5].dump() + "]");
  EXPECT_TRUE(contains(other.err, "got image_id \"z.jpg\", expected an image of the ground truth"))
      << other.err;
}

// The blood cells with two images each, ids of images and categories as texts, polygons for boxes, and an
// entry of each kind that is broken.
void write_broken_data(const fs::path& folder) {
  const fs::path source = sample_data();
  for (const char* split : {"train2017", "val2017"}) {
    const std::string name = std::string("annotations/instances_") + split + ".json";
    const Json all = Json::parse(read_file(source / name));
    fs::create_directories(folder / split), fs::create_directories(folder / "annotations");
    Json some{{"images", Json::array()}, {"annotations", Json::array()}, {"categories", all["categories"]}};
    const auto text_id = [](const Json& id) { return "cell-" + std::to_string(id.get<int>()); };
    const auto text_class = [](const Json& id) { return "class-" + std::to_string(id.get<int>()); };
    for (Json& category : some["categories"]) category["id"] = text_class(category["id"]);
    for (std::size_t i = 0; i < 2; ++i) {
      Json image = all["images"][i];
      const std::string file = image["file_name"];
      fs::copy_file(source / split / file, folder / split / file);
      for (Json object : all["annotations"]) {
        if (object["image_id"] != image["id"]) continue;
        const double left = object["bbox"][0], top = object["bbox"][1], width = object["bbox"][2],
                     height = object["bbox"][3];
        object["segmentation"] = {{left, top, left + width, top, left + width, top + height}};
        object["image_id"] = text_id(image["id"]);
        object["category_id"] = text_class(object["category_id"]);
        object.erase("bbox"), object.erase("id");
        some["annotations"].push_back(object);
      }
      image["id"] = text_id(image["id"]);
      some["images"].push_back(image);
      if (i == 0) some["images"].push_back(image);  // once more
    }
    some["images"].push_back({{"id", "cell-nowhere"}});
    some["annotations"].push_back({{"image_id", "cell-1"}, {"category_id", "class-1"}});
    some["categories"].push_back({{"name", "nothing"}});
    write_file(folder / name, some.dump());
  }
}

TEST(BrokenData, IsTrainedOnWithoutWhatIsBroken) {
  const TemporaryFolder folder;
  write_broken_data(folder.path() / "data");
  const std::vector<std::string> train{"train",
                                       "--pretrained",
                                       "none",
                                       "--data",
                                       folder / "data",
                                       "--backbone",
                                       "resnet18",
                                       "--batch-size",
                                       "2",
                                       "--iterations",
                                       "1",
                                       "--batch-norm-images",
                                       "0",
                                       "--preset",
                                       "reference",
                                       "--evaluation",
                                       "-1",
                                       "--save",
                                       folder / "run"};
  const Outcome outcome = run_program(train);
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  for (const char* part :
       {"2 images have texts as ids, which are kept: \"cell-", "1 image is listed twice and taken once",
        "3 categories have texts as ids, which are kept: \"class-1\", ...",
        "annotations have no box, that of their segmentation is taken", "annotations have no id and get one",
        "1 image was left out: byte ", "1 box was left out: byte ", "1 category was left out: byte "})
    EXPECT_TRUE(contains(outcome.err, part)) << part << "\n" << outcome.err;
  std::vector<std::string> strict = train;
  strict.back() = folder / "strict", strict.push_back("--strict");
  EXPECT_TRUE(contains(run_program(strict).err, "--strict stops at 1 image was left out"));

  const Outcome eval = run_program({"eval", "--checkpoint", folder / "run", "--data", folder / "data",
                                    "--save-detections", folder / "found.json", "--json", folder / "a.json"});
  ASSERT_EQ(eval.exit_status, 0) << eval.err;
  const Json found = Json::parse(read_file(folder / "found.json"));
  ASSERT_FALSE(found.empty());
  for (const Json& one : found) {
    EXPECT_TRUE(one["image_id"].get<std::string>().starts_with("cell-"));
    EXPECT_TRUE(one["category_id"].get<std::string>().starts_with("class-"));
  }
  const Outcome again =
      run_program({"eval", "--ground-truth", folder / "data/annotations/instances_val2017.json",
                   "--detections", folder / "found.json", "--json", folder / "b.json"});
  ASSERT_EQ(again.exit_status, 0) << again.err;
  EXPECT_EQ(Json::parse(read_file(folder / "a.json"))["numbers"],
            Json::parse(read_file(folder / "b.json"))["numbers"]);

  const Outcome detect = run_program({"detect", "--checkpoint", folder / "run", folder / "data/val2017",
                                      "--score", "0.01", "--no-drawings", "--out", folder / "seen"});
  ASSERT_EQ(detect.exit_status, 0) << detect.err;
  for (const Json& image : Json::parse(read_file(folder / "seen/detections.json")))
    for (const Json& one : image["detections"])
      EXPECT_TRUE(one["category_id"].get<std::string>().starts_with("class-"));
}

TEST(BrokenData, ACacheIsMadeWithoutWhatIsBrokenOrNotAtAll) {
  const TemporaryFolder folder;
  write_broken_data(folder.path() / "data");
  std::vector<std::string> cache{"data", "cache", "--data", folder / "data", "--out", folder / "train.cache"};
  const Outcome outcome = run_program(cache);
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "1 image was left out: byte ")) << outcome.err;
  cache.back() = folder / "strict.cache", cache.push_back("--strict");
  const Outcome strict = run_program(cache);
  EXPECT_EQ(strict.exit_status, 1);
  EXPECT_TRUE(contains(strict.err, "--strict stops at 1 image was left out")) << strict.err;
  EXPECT_FALSE(fs::exists(folder / "strict.cache"));

  fs::create_directories(folder.path() / "yolo");
  write_jpeg(folder.path() / "yolo/a.jpg", 64, 48);
  write_file(folder.path() / "yolo/a.txt", "0 0.5 0.5 0.5 0.5\n0 0.5\n");
  write_file(folder.path() / "yolo/classes.txt", "cat\n");
  const Outcome yolo = run_program({"data", "cache", "--data", folder / "yolo", "--split", "train", "--out",
                                    folder / "strict.cache", "--strict"});
  EXPECT_EQ(yolo.exit_status, 1);
  EXPECT_TRUE(contains(yolo.err, "--strict stops at 1 box left out")) << yolo.err;
}

TEST(BrokenData, AYoloValThatIsNotThereIsNoReasonToStop) {
  const TemporaryFolder folder;
  for (int i = 0; i < 4; ++i) {
    const std::string stem = std::to_string(i);
    fs::create_directories(folder.path() / "data/images"),
        fs::create_directories(folder.path() / "data/labels");
    write_jpeg(folder.path() / "data/images" / (stem + ".jpg"), 64, 48);
    write_file(folder.path() / "data/labels" / (stem + ".txt"), "0 0.5 0.5 0.5 0.5\n");
  }
  write_file(folder.path() / "data/data.yaml", "train: images\nval: ../valid/images\nnames: [cat]\n");
  const Outcome outcome =
      run_program({"train", "--pretrained", "none", "--data", folder / "data", "--backbone", "resnet18",
                   "--batch-size", "2", "--iterations", "1", "--batch-norm-images", "0", "--preset",
                   "reference", "--evaluation", "-1", "--save", folder / "run"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err,
                       "3 training images and 1 for validation of 1 class, by data file: a share of 10%"))
      << outcome.err;
  EXPECT_TRUE(contains(
      outcome.err, "data.yaml:2: got ../valid/images, expected a folder or a list that is there, for val"))
      << outcome.err;
}

}  // namespace
}  // namespace ssd
