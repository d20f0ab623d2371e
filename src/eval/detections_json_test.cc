#include "eval/detections_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "base/text_id.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

std::string refusal(const std::string& text) {
  return message_of([&] { parse_detections(text, "found.json"); });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(DetectionsJson, ReadsAListInAnyOrderOfFields) {
  const auto found = parse_detections(
      R"([{"score":0.25,"bbox":[1,2.5,3e1,4],"note":{"a":[1,"]"]},"category_id":18,"image_id":42},
          {"image_id":7.0,"category_id":1,"bbox":[0,0,0,0],"score":1,"segmentation":[[1,2]]}])",
      "x");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0], (DetectedBox{42, 18, {1, 2.5, 30, 4}, 0.25}));
  EXPECT_EQ(found[1], (DetectedBox{7, 1, {0, 0, 0, 0}, 1}));
}

TEST(DetectionsJson, ReadsTheAnnotationsOfAnObject) {
  const auto found = parse_detections(
      R"({"info":{"year":2014},"annotations":[{"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":0.5}],"images":[]})",
      "x");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].category_id, 2);
}

TEST(DetectionsJson, TheLastOfTwoListsCounts) {
  const auto list = [](int image) {
    return fmt::format(R"("annotations":[{{"image_id":{},"category_id":2,"bbox":[1,2,3,4],"score":0.5}}])",
                       image);
  };
  const auto found = parse_detections("{" + list(1) + "," + list(2) + "}", "x");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].image_id, 2);
}

// As Python writes them; ids and numbers as texts come from other writers.
TEST(DetectionsJson, ScoresMayBeNoNumbersAndNumbersTexts) {
  const auto found = parse_detections(
      R"([{"image_id":"1","category_id":"2","bbox":["1",2,3,4],"score":NaN},
          {"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":Infinity},
          {"image_id":1,"category_id":2,"score":-Infinity,"bbox":[1,2,3,4]},
          {"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":"0.25"}])",
      "x");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].image_id, 1);
  EXPECT_EQ(found[0].category_id, 2);
  EXPECT_TRUE(std::isnan(found[0].score));
  EXPECT_EQ(found[1].score, std::numeric_limits<double>::infinity());
  EXPECT_EQ(found[2].score, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(found[3].score, 0.25);
}

// pycocotools takes such boxes.
TEST(DetectionsJson, BoxesMayHoldNoNumbers) {
  const auto found =
      parse_detections(R"([{"image_id":1,"category_id":2,"score":true,"bbox":[NaN,2,Infinity,4]}])", "x");
  EXPECT_EQ(found.at(0).score, 1);
  EXPECT_TRUE(std::isnan(found[0].box[0]));
  EXPECT_EQ(found[0].box[2], std::numeric_limits<double>::infinity());
}

TEST(DetectionsJson, OneBrokenEntryCostsThatEntry) {
  const std::string good = R"({"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":0.5})";
  const std::string broken = R"({"image_id":1,"bbox":[1,{"x":[2]},3,4],"category_id":2,"score":0.5})";
  const std::string text =
      "[" + good + R"(, {"image_id":1,"category_id":2,"bbox":[1,2,3,4]}, null, )" + broken +
      R"(, {"image_id":{},"bbox":[]}, [[{}]], {"score":"high"}, {"score":1e999},)" + good + "]";
  DetectionFaults faults;
  EXPECT_EQ(parse_detections(text, "found.json", &faults).size(), 2u);
  EXPECT_EQ(faults.count, 7u);
  ASSERT_EQ(faults.first.size(), 3u);
  EXPECT_TRUE(contains(faults.first[0], "detection 1: got no \"score\"")) << faults.first[0];
  EXPECT_TRUE(faults.first[0].starts_with("byte ")) << faults.first[0];
  EXPECT_TRUE(contains(faults.first[1], "detection 2: got null, expected an object")) << faults.first[1];
  EXPECT_TRUE(contains(faults.first[2], "detection 3: got an object, expected a number")) << faults.first[2];
  EXPECT_NE(refusal(text), "");
  // Nothing is left, or the text itself is broken.
  for (const std::string& other :
       {"[" + broken + "]", "[" + broken + "," + broken, "[" + good + "," + good + "}"})
    EXPECT_THROW(parse_detections(other, "x", &faults), Error) << other;
  EXPECT_TRUE(parse_detections("[]", "x", &faults).empty());
}

TEST(DetectionsJson, IdsOfImagesMayBeAnyTexts) {
  const auto found = parse_detections(
      R"([{"image_id":"a\"b.jpg","category_id":2,"bbox":[1,2,3,4],"score":0.5},
          {"image_id":"007","category_id":2,"bbox":[1,2,3,4],"score":0.5}])",
      "x");
  EXPECT_EQ(found.at(0).image_id, id_of_text("a\"b.jpg"));
  EXPECT_EQ(found.at(1).image_id, 7);
  const std::string text =
      write_detections(found, {.images = {{found[0].image_id, "a\"b.jpg"}, {7, "007"}}, .categories = {}});
  EXPECT_TRUE(contains(text, R"({"image_id":"a\"b.jpg",)")) << text;
  EXPECT_TRUE(contains(text, R"({"image_id":"007",)")) << text;
  EXPECT_EQ(parse_detections(text, "x"), found);
}

TEST(DetectionsJson, AnEmptyListIsNoDetection) {
  EXPECT_TRUE(parse_detections("[]", "x").empty());
  EXPECT_TRUE(parse_detections(" [ ]\n", "x").empty());
  EXPECT_TRUE(parse_detections(write_detections({}), "x").empty());
}

TEST(DetectionsJson, NumbersSurviveToTheLastBit) {
  Random random(3, 0, 0);
  std::vector<DetectedBox> detections;
  for (int i = 0; i < 500; ++i) {
    detections.push_back({.image_id = static_cast<std::int64_t>(random.below(std::uint64_t{1} << 53)),
                          .category_id = static_cast<std::int64_t>(random.below(91)),
                          .box = {random.normal() * 100, random.uniform() * 1e-7, random.uniform() * 1e9, 61},
                          .score = static_cast<double>(static_cast<float>(random.uniform()))});
  }
  EXPECT_EQ(parse_detections(write_detections(detections), "x"), detections);
}

TEST(DetectionsJson, NumbersOfAnyLengthAreRight) {
  Random random(4, 0, 0);
  for (int i = 0; i < 300; ++i) {
    const double value =
        i % 2 == 0 ? random.uniform() : static_cast<double>(static_cast<float>(random.uniform()));
    for (const int digits : {17, 18, 19, 20, 21, 25, 40, 60}) {
      const std::string text = fmt::format("{:.{}f}", value, digits);
      const double expected = std::strtod(text.c_str(), nullptr);
      const auto found = parse_detections(
          fmt::format(R"([{{"image_id":1,"category_id":1,"bbox":[{0},-{0} ,{0}e2,{0}],"score":{0}}}])", text),
          "x");
      EXPECT_EQ(found.at(0).score, expected) << text;
      const double hundredfold = std::strtod((text + "e2").c_str(), nullptr);
      EXPECT_EQ(found[0].box, (PixelBox{expected, -expected, hundredfold, expected})) << text;
    }
  }
}

TEST(DetectionsJson, LongNumbersOutOfRangeAreZeroOrRefused) {
  const auto with_score = [](const std::string& score) {
    return R"([{"image_id":1,"category_id":1,"bbox":[1,2,3,4],"score":)" + score + "}]";
  };
  const std::string digits = "0.99999999999999999999999999";
  EXPECT_EQ(parse_detections(with_score(digits + "e-400"), "x").at(0).score, 0);
  EXPECT_EQ(parse_detections(with_score(digits + "e308"), "x").at(0).score, 1e308);
  for (const char* exponent : {"e309", "e400"})
    EXPECT_NE(refusal(with_score(digits + exponent)), "") << exponent;
}

TEST(DetectionsJson, IdsMayBeWrittenWithAnyNumberOfDigits) {
  for (const std::string id :
       {"7.0", "7.0000000000000000000", "7.000000000000000000000000", "0.70000000000000000000e1"})
    EXPECT_EQ(
        parse_detections(
            R"([{"image_id":)" + id + R"(,"category_id":)" + id + R"(,"bbox":[1,2,3,4],"score":1}])", "x"),
        (std::vector<DetectedBox>{{7, 7, {1, 2, 3, 4}, 1}}))
        << id;
  for (const std::string id : {"7.5", "9223372036854775808", "1e30"})
    EXPECT_NE(refusal(R"([{"image_id":)" + id + R"(,"category_id":1,"bbox":[1,2,3,4],"score":1}])"), "")
        << id;
}

TEST(DetectionsJson, IsReadFromAFile) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "detections_json_test.json";
  const std::vector<DetectedBox> detections{{1, 2, {3, 4, 5, 6}, 0.7}};
  std::ofstream(path) << write_detections(detections);
  EXPECT_EQ(read_detections(path.string()), detections);
  std::filesystem::remove(path);
  EXPECT_THROW(read_detections(path.string()), Error);
}

TEST(DetectionsJson, ErrorsNameTheFileAndTheByte) {
  const std::string good = R"({"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":0.5})";
  const std::string missing = refusal("[" + good + R"(,{"image_id":1,"bbox":[1,2,3,4],"score":0.5}])");
  EXPECT_TRUE(contains(missing, "found.json: byte ")) << missing;
  EXPECT_TRUE(contains(missing, "detection 1: got no \"category_id\"")) << missing;
  const std::string box = refusal(R"([{"image_id":1,"category_id":2,"bbox":[1,2,3],"score":0.5}])");
  EXPECT_TRUE(contains(box, "got a bbox of 3 numbers, expected 4")) << box;
  const std::string id = refusal(R"([{"image_id":1.5,"category_id":2,"bbox":[1,2,3,4],"score":0.5}])");
  EXPECT_TRUE(contains(id, "got the id 1.5")) << id;
  const std::string score = refusal(R"([{"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":"high"}])");
  const auto byte = std::strtoul(score.c_str() + score.find("byte ") + 5, nullptr, 10);
  EXPECT_GE(byte, 50u) << score;
  EXPECT_LE(byte, 60u) << score;
}

TEST(DetectionsJson, RefusesWhatIsNoListOfDetections) {
  EXPECT_TRUE(contains(refusal(R"({"images":[]})"), "without \"annotations\""));
  EXPECT_TRUE(contains(refusal("17"), "expected a list of detections"));
  const std::string one = R"({"image_id":1,"category_id":2,"bbox":[1,2,3,4],"score":0.5})";
  for (const std::string& text :
       {std::string(), std::string("["), "[" + one, "[" + one + "] 5", "[" + one + "]]", "[" + one + ",]",
        "[" + one + one + "]", std::string("[1]"), "[" + one + "}", std::string("{\"annotations\":[]"),
        std::string("[{\"image_id\"}]")}) {
    EXPECT_TRUE(contains(refusal(text), "found.json: byte ")) << text << " gave " << refusal(text);
  }
}

TEST(DetectionsJson, WritesNoNumbersThatJsonLacks) {
  const std::vector<DetectedBox> bad{{1, 2, {3, 4, 5, 6}, std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_THROW(write_detections(bad), Error);
}

TEST(DetectionsJson, SaysWhereTheTextItselfIsBroken) {
  EXPECT_TRUE(contains(refusal("[{\"x\": \"\xff\"}]"), "found.json: byte 8 (line 1): "))
      << refusal("[{\"x\": \"\xff\"}]");
  EXPECT_TRUE(contains(refusal("[{\"x"), "found.json: byte 4 (line 1, the end): "));
}

TEST(DetectionsJson, ATextCutOffIsBrokenAtItsEnd) {
  const std::string whole =
      "[\n{\"image_id\":1,\"category_id\":2,\"bbox\":[1,2,3,4],\"score\":0.5},\n{\"image_id\":1}]";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string end = fmt::format("found.json: byte {} (line ", size);
    EXPECT_TRUE(refusal(whole.substr(0, size)).starts_with(end)) << refusal(whole.substr(0, size));
    EXPECT_TRUE(contains(refusal(whole.substr(0, size)), ", the end)")) << refusal(whole.substr(0, size));
  }
}

TEST(DetectionsJson, SaysWhatStandsWhereAnotherKindIsExpected) {
  EXPECT_EQ(refusal(R"([{"image_id": 1, "score": "high"}])"),
            "found.json: byte 26 (line 1): detection 0: got \"high\", expected a number");
  EXPECT_EQ(refusal(R"([{"bbox": [1, 2, {}, 4]}])"),
            "found.json: byte 17 (line 1): detection 0: got an object, expected a number");
  EXPECT_EQ(refusal("[[1]]"), "found.json: byte 1 (line 1): detection 0: got a list, expected an object");
  EXPECT_EQ(refusal("\x1f\x8b"), "found.json: this is gzip data, expected JSON; unpack it (gunzip)");
  EXPECT_TRUE(parse_detections("\xef\xbb\xbf[]", "x").empty());
  EXPECT_THROW(read_detections(testing::TempDir()), Error);
}

}  // namespace
}  // namespace ssd
