#include "eval/coco_eval.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "base/error.h"
#include "eval/coco_summary.h"
#include "eval/detections_json.h"
#include "eval/id_index.h"

namespace ssd {
namespace {

using nlohmann::json;

// Everything that one evaluation takes.
struct EvalSet {
  std::vector<std::int64_t> image_ids, category_ids;
  std::vector<GroundTruthBox> ground_truth;
  std::vector<DetectedBox> detections;

  CocoEvalInput input() const { return {image_ids, category_ids, ground_truth, detections}; }
};

json read_json(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file);
}

const json& golden() {
  static const json values = read_json(std::string(SSD_SOURCE_DIR) + "/src/eval/testdata/coco_cases.json");
  return values;
}

// FNV-1a of the array's 64-bit words, as make_coco_cases.py computes it of pycocotools' arrays.
std::string digest(const std::vector<double>& values) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const double value : values) hash = (hash ^ std::bit_cast<std::uint64_t>(value)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

void expect_equal(const CocoEvalResult& result, const json& expected) {
  EXPECT_EQ(digest(result.precision), expected.at("precision").get<std::string>());
  EXPECT_EQ(digest(result.recall), expected.at("recall").get<std::string>());
  EXPECT_EQ(digest(result.scores), expected.at("scores").get<std::string>());
  const auto stats = expected.at("stats").get<CocoNumbers>();
  const CocoNumbers numbers = summarize(result);
  for (std::size_t i = 0; i < coco_number_count; ++i) EXPECT_EQ(numbers[i], stats[i]) << coco_number_names[i];
  EXPECT_EQ(average_precision_of_categories(result), expected.at("categories").get<std::vector<double>>());
}

EvalSet case_set(const json& values) {
  EvalSet set{.image_ids = values.at("image_ids"), .category_ids = values.at("categories")};
  for (const json& o : values.at("objects")) {
    set.ground_truth.push_back({.id = o[0],
                                .image_id = o[1],
                                .category_id = o[2],
                                .box = {o[3], o[4], o[5], o[6]},
                                .area = o[7],
                                .crowd = o[8] != 0});
  }
  for (const json& d : values.at("detections")) {
    set.detections.push_back(
        {.image_id = d[0], .category_id = d[1], .box = {d[2], d[3], d[4], d[5]}, .score = d[6]});
  }
  return set;
}

EvalSet annotation_set(const std::string& ground_truth, const std::string& detections) {
  EvalSet set{.detections = read_detections(detections)};
  const json truth = read_json(ground_truth);
  for (const json& image : truth.at("images")) set.image_ids.push_back(image.at("id"));
  for (const json& category : truth.at("categories")) set.category_ids.push_back(category.at("id"));
  for (const json& o : truth.at("annotations")) {
    set.ground_truth.push_back({.id = o.at("id"),
                                .image_id = o.at("image_id"),
                                .category_id = o.at("category_id"),
                                .box = o.at("bbox"),
                                .area = o.at("area"),
                                .crowd = o.at("iscrowd") != 0});
  }
  return set;
}

class CocoCase : public testing::TestWithParam<std::size_t> {};

TEST_P(CocoCase, EqualsPycocotoolsToTheLastBit) {
  const json& values = golden().at("cases").at(GetParam());
  SCOPED_TRACE(values.at("name").get<std::string>());
  const EvalSet set = case_set(values);
  expect_equal(evaluate_coco(set.input()), values.at("expected"));
}

INSTANTIATE_TEST_SUITE_P(Cases, CocoCase, testing::Range(std::size_t{0}, golden().at("cases").size()));

class CocoPublicSet : public testing::TestWithParam<const char*> {};

TEST_P(CocoPublicSet, EqualsPycocotoolsToTheLastBit) {
  const std::string folder = std::string(SSD_SOURCE_DIR) + "/../shared/data/coco-eval/" + GetParam() + "/";
  const json& values = golden().at("sets").at(GetParam());
  const std::string ground_truth = folder + values.at("ground_truth").get<std::string>();
  if (!std::ifstream(ground_truth).good()) GTEST_SKIP() << ground_truth << " is missing";
  const EvalSet set = annotation_set(ground_truth, folder + values.at("detections").get<std::string>());
  ThreadPool pool(3);
  expect_equal(evaluate_coco(set.input()), values.at("expected"));
  expect_equal(evaluate_coco(set.input(), &pool), values.at("expected"));
}

INSTANTIATE_TEST_SUITE_P(Sets, CocoPublicSet,
                         testing::Values("cocoapi-fakebbox100", "coco-sampled-bbox-area"),
                         [](const auto& set) { return set.index == 0 ? "Official" : "Sampled"; });

TEST(CocoEval, APerfectDetectorScoresOne) {
  const std::vector<std::int64_t> images{1, 2}, categories{4};
  std::vector<GroundTruthBox> truth{{1, 1, 4, {0, 0, 50, 50}, 2500, false},
                                    {2, 2, 4, {5, 5, 60, 60}, 3600, false}};
  const std::vector<DetectedBox> found{{1, 4, {0, 0, 50, 50}, 0.5}, {2, 4, {5, 5, 60, 60}, 0.75}};
  const CocoNumbers numbers = summarize(evaluate_coco({images, categories, truth, found}));
  const CocoNumbers expected{1, 1, 1, -1, 1, -1, 1, 1, 1, -1, 1, -1};
  EXPECT_EQ(numbers, expected);
}

// pycocotools: 0/0 and inf/inf are NaN, which is below no threshold.
TEST(CocoEval, AnOverlapThatIsNotANumberCountsAsAMatch) {
  const std::vector<std::int64_t> images{1}, categories{1};
  for (const double side : {1e-170, 1e200}) {
    const std::vector<GroundTruthBox> truth{
        {.id = 1, .image_id = 1, .category_id = 1, .box = {0, 0, side, side}}};
    const std::vector<DetectedBox> found{{1, 1, {0, 0, side, side}, 0.5}};
    EXPECT_NEAR(summarize(evaluate_coco({images, categories, truth, found}))[0], 1, 1e-12) << side;
  }
}

// pycocotools 2.0.11 on the same boxes: NumPy sorts what is no number to the end.
TEST(CocoEval, AScoreThatIsNoNumberComesLast) {
  const std::vector<std::int64_t> images{1}, categories{1};
  const std::vector<GroundTruthBox> truth{{1, 1, 1, {0, 0, 50, 50}, 2500, false},
                                          {2, 1, 1, {100, 100, 60, 60}, 3600, false}};
  const auto precision = [&](double score) {
    const std::vector<DetectedBox> found{
        {1, 1, {300, 300, 50, 50}, score}, {1, 1, {0, 0, 50, 50}, 0.5}, {1, 1, {100, 100, 60, 60}, 0.25}};
    return summarize(evaluate_coco({images, categories, truth, found}))[0];
  };
  EXPECT_NEAR(precision(NAN), 1, 1e-12);
  EXPECT_NEAR(precision(-NAN), 1, 1e-12);
  EXPECT_NEAR(precision(INFINITY), 2.0 / 3, 1e-12);
  EXPECT_NEAR(precision(-INFINITY), 1, 1e-12);
}

TEST(CocoEval, NothingToEvaluateGivesMinusOne) {
  const CocoEvalResult nothing = evaluate_coco({});
  EXPECT_TRUE(nothing.precision.empty());
  EXPECT_EQ(summarize(nothing)[0], -1);
  const std::vector<std::int64_t> images{1}, categories{1, 2};
  const CocoEvalResult absent = evaluate_coco({images, categories, {}, {}});
  EXPECT_EQ(absent.recall,
            std::vector<double>(coco_iou_count * 2 * coco_area_count * coco_limit_count, -1.0));
  EXPECT_EQ(average_precision_of_categories(absent), (std::vector<double>{-1, -1}));
}

// By evaluating a list of those images alone. Scores are rounded, so that many are equal.
TEST(CocoEval, ImagesWithObjectsCountAsIfNoOthersWereListed) {
  std::mt19937 random(5);
  const auto number = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  std::vector<std::int64_t> images, with_objects;
  const std::vector<std::int64_t> categories{3, 5, 8};
  std::vector<GroundTruthBox> truth;
  std::vector<DetectedBox> found;
  const auto box = [&] {
    return PixelBox{1.0 * number(40), 1.0 * number(40), 10.0 + number(60), 10.0 + number(60)};
  };
  for (int image = 1; image <= 60; ++image) {
    images.push_back(image);
    if (image % 3 != 0) {
      with_objects.push_back(image);
      for (int i = 0; i < 4; ++i) {
        const PixelBox at = box();
        // One image has objects of a category that is not listed alone.
        const std::int64_t category = image == 7 ? 99 : categories[static_cast<std::size_t>(number(3))];
        truth.push_back({static_cast<std::int64_t>(truth.size()) + 1, image, category, at, at[2] * at[3],
                         number(10) == 0});
      }
    }
    for (int i = 0; i < 12; ++i)
      found.push_back({image, categories[static_cast<std::size_t>(number(3))], box(), 0.125 * number(8)});
  }
  ThreadPool pool(2);
  const CocoEvaluation evaluation({images, categories, truth, found}, &pool);
  EXPECT_EQ(evaluation.images_with_objects(), with_objects.size());
  EXPECT_FALSE(evaluation.all_alike());
  using Images = CocoEvaluation::Images;
  using Scores = CocoEvalInput::Scores;
  const CocoEvalResult part = evaluation.curves(Images::with_objects, Scores::kept);
  const CocoEvalResult expected = evaluate_coco({with_objects, categories, truth, found});
  EXPECT_EQ(part.precision, expected.precision);
  EXPECT_EQ(part.recall, expected.recall);
  EXPECT_EQ(part.scores, expected.scores);
  const CocoEvalResult all = evaluation.curves(Images::all, Scores::kept);
  EXPECT_EQ(all.precision, evaluate_coco({images, categories, truth, found}).precision);
  EXPECT_NE(all.precision, expected.precision);
  EXPECT_TRUE(CocoEvaluation({with_objects, categories, truth, found}).all_alike());
}

TEST(IdIndex, FindsCloseAndFarIds) {
  const std::vector<std::int64_t> close{30, 10, 20, 10};
  const std::vector<std::int64_t> far{std::int64_t{1} << 62, -(std::int64_t{1} << 62), 0};
  const IdIndex table(close), map(far), empty(std::span<const std::int64_t>{});
  EXPECT_EQ(table.ids(), (std::vector<std::int64_t>{10, 20, 30}));
  EXPECT_EQ(table.find(20), 1u);
  for (const std::int64_t id : {9, 11, 31, -5}) EXPECT_EQ(table.find(id), IdIndex::absent) << id;
  EXPECT_EQ(map.find(std::int64_t{1} << 62), 2u);
  EXPECT_EQ(map.find(-(std::int64_t{1} << 62)), 0u);
  EXPECT_EQ(map.find(1), IdIndex::absent);
  EXPECT_EQ(empty.find(0), IdIndex::absent);
}

// AP by pycocotools 2.0.11: fmin() and fmax() pass over NaN, and an overlap that is NaN counts as one.
TEST(CocoEval, BoxesThatAreNoNumbersCountAsInPycocotools) {
  const std::vector<std::int64_t> ids{1};
  const std::vector<GroundTruthBox> objects{{1, 1, 1, {0, 0, 10, 10}, 100, false},
                                            {2, 1, 1, {50, 50, 10, 10}, 100, false}};
  const auto precision_with = [&](const PixelBox& box) {
    const std::vector<DetectedBox> detections{{1, 1, box, 0.9}, {1, 1, {50, 50, 10, 10}, 0.5}};
    return summarize(evaluate_coco(
        {.image_ids = ids, .category_ids = ids, .ground_truth = objects, .detections = detections}))[0];
  };
  EXPECT_EQ(precision_with({NAN, 0, 10, 10}), 1.0);
  EXPECT_EQ(precision_with({1000, 0, NAN, 10}), 0.2524752475247525);
}

TEST(CocoEval, DetectionsOfImagesThatAreNotListedCanBeLeftOut) {
  std::vector<DetectedBox> detections{{7, 1, {}, 0.1}, {1, 1, {}, 0.2}, {8, 1, {}, 0.3}, {2, 1, {}, 0.4}};
  const std::vector<std::int64_t> images{2, 1};
  const std::vector<StrangeDetection> strangers = leave_out_unknown_images(detections, images);
  ASSERT_EQ(strangers.size(), 2u);
  EXPECT_EQ(strangers[0].image_id, 7);
  EXPECT_EQ(strangers[1].place, 2u);
  EXPECT_EQ(detections, (std::vector<DetectedBox>{{1, 1, {}, 0.2}, {2, 1, {}, 0.4}}));
  EXPECT_TRUE(leave_out_unknown_images(detections, images).empty());
}

}  // namespace
}  // namespace ssd
