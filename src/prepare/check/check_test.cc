#include "prepare/check/check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "data/cache/cache_build.h"
#include "testing/format_samples.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
const fs::path shared = fs::path(SSD_SOURCE_DIR) / "../shared/data";

class CheckTest : public FolderTest {
 protected:
  // A COCO folder of one image, 40 x 30, with one box; `replace` changes its annotation file.
  void write_coco(const std::string& from = "", const std::string& to = "") const {
    write_jpeg("coco/val2017/a.jpg", 40, 30);
    write_jpeg("coco/val2017/b.jpg", 40, 30);
    std::string json = R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30},
  {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30}],
 "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 30], "area": 1200, "iscrowd": 0},
  {"id": 6, "image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 1}],
 "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}, {"id": 9, "name": "cow"}]})";
    if (!from.empty()) {
      ASSERT_TRUE(contains(json, from));
      json.replace(json.find(from), from.size(), to);
    }
    write("coco/annotations/instances_val2017.json", json);
  }
  CheckReport check_with(const std::string& from, const std::string& to) const {
    write_coco(from, to);
    return check_path(root_ / "coco");
  }
  // Expects exactly one finding.
  static void expect_one(const CheckReport& report, CheckProblem problem, std::string_view place,
                         std::string_view detail) {
    ASSERT_EQ(report.findings.size(), 1u) << report.to_text();
    EXPECT_EQ(report.findings[0].problem, problem) << report.to_text();
    EXPECT_TRUE(contains(report.findings[0].place, place)) << report.to_text();
    EXPECT_TRUE(contains(report.findings[0].detail, detail)) << report.to_text();
  }
};

TEST_F(CheckTest, AGoodFolderIsGoodAndCounted) {
  write_coco();
  const CheckReport report = check_path(root_ / "coco");
  EXPECT_TRUE(report.good()) << report.to_text();
  ASSERT_EQ(report.summaries.size(), 1u);
  const CheckSummary& summary = report.summaries[0];
  EXPECT_EQ(summary.name, "val2017");
  EXPECT_EQ(summary.images, 2u);
  EXPECT_EQ(summary.images_decoded, 2u);
  EXPECT_EQ(summary.images_without_boxes, 1u);
  EXPECT_EQ(summary.crowd_boxes, 1u);
  EXPECT_EQ(summary.small, 1u);  // 12 square pixels; 1200 is above 32 x 32
  EXPECT_EQ(summary.medium, 1u);
  EXPECT_EQ(summary.box_width.max, 40);
  EXPECT_EQ(summary.classes,
            (std::vector<std::pair<std::string, std::size_t>>{{"cat", 1}, {"dog", 1}, {"cow", 0}}));
  EXPECT_TRUE(contains(report.to_text(), "no problems found"));
  EXPECT_TRUE(contains(report.to_text(), "1 class has no box here"));
}

TEST_F(CheckTest, FindsEveryKindOfProblemInAnnotations) {
  expect_one(check_with(R"("id": 2, "file)", R"("id": 1, "file)"), CheckProblem::duplicate_image_id,
             "instances_val2017.json", "image 1 (a.jpg): its id occurs again further on (b.jpg)");
  expect_one(check_with(R"("b.jpg")", R"("a.jpg")"), CheckProblem::duplicate_file_name, "image 2 (a.jpg)",
             "file name occurs before");
  expect_one(check_with(R"("id": 6)", R"("id": 5)"), CheckProblem::duplicate_annotation_id, "annotation 5",
             "occurs before");
  expect_one(check_with(R"("id": 9, "name": "cow")", R"("id": 4, "name": "cow")"),
             CheckProblem::duplicate_category, "instances_val2017.json",
             "category 4 (dog): its id occurs again further on (cow)");
  expect_one(check_with(R"("cow")", R"("cat")"), CheckProblem::duplicate_category, "category 9 (cat)",
             "the name occurs before");
  expect_one(check_with(R"("image_id": 1, "category_id": 4)", R"("image_id": 7, "category_id": 4)"),
             CheckProblem::unknown_image, "annotation 6", "got image 7");
  expect_one(check_with(R"("category_id": 4)", R"("category_id": 5)"), CheckProblem::unknown_category,
             "annotation 6", "got category 5");
  expect_one(check_with("[1, 2, 3, 4]", "[1, 2, 3, 0]"), CheckProblem::box_without_size, "annotation 6",
             "got box [1, 2, 3, 0]");
  expect_one(check_with("[1, 2, 3, 4]", "[1, 2, -3, 4]"), CheckProblem::box_without_size, "annotation 6", "");
  expect_one(check_with("[1, 2, 3, 4]", "[38, 2, 3, 4]"), CheckProblem::box_outside, "annotation 6",
             "got box [38, 2, 3, 4], expected it inside 40x30 (a.jpg)");
  expect_one(check_with("[1, 2, 3, 4]", "[1, -1, 3, 4]"), CheckProblem::box_outside, "annotation 6", "");
  EXPECT_TRUE(check_with("[1, 2, 3, 4]", "[1, 26.4, 3, 4]").good());  // a rounding error is none
  expect_one(check_with(R"("categories": [)", R"("categories": [[)"), CheckProblem::annotations_unreadable,
             "instances_val2017.json", "byte");
}

TEST_F(CheckTest, FindsEveryKindOfProblemInImages) {
  expect_one(check_with(R"("b.jpg")", R"("c.jpg")"), CheckProblem::image_missing, "val2017/c.jpg",
             "no such file");
  expect_one(check_with(R"("width": 40, "height": 30},)", R"("width": 41, "height": 30},)"),
             CheckProblem::size_differs, "val2017/a.jpg", "got 40x30, expected 41x30");
  write_coco();
  fs::resize_file(root_ / "coco/val2017/b.jpg", fs::file_size(root_ / "coco/val2017/b.jpg") - 150);
  const CheckReport truncated = check_path(root_ / "coco");
  expect_one(truncated, CheckProblem::image_broken, "val2017/b.jpg", "");
  EXPECT_FALSE(truncated.findings[0].detail.empty());
  EXPECT_EQ(truncated.summaries[0].images_decoded, 1u);
  // The header alone does not tell.
  EXPECT_TRUE(check_path(root_ / "coco", {.images = CheckOptions::Images::headers}).good());
  write("coco/val2017/b.jpg", "");
  expect_one(check_path(root_ / "coco"), CheckProblem::image_broken, "val2017/b.jpg", "empty");
}

TEST_F(CheckTest, ImagesWithAnExifOrientationFitEitherWay) {
  write_coco();
  write_jpeg("coco/val2017/a.jpg", 40, 30, 6);
  write_jpeg("coco/val2017/b.jpg", 30, 40, 6);
  const CheckReport report = check_path(root_ / "coco");
  EXPECT_TRUE(report.good()) << report.to_text();
  EXPECT_EQ(report.summaries[0].exif_oriented, 2u);
  write_jpeg("coco/val2017/b.jpg", 30, 40);
  expect_one(check_path(root_ / "coco"), CheckProblem::size_differs, "b.jpg", "got 30x40");
}

TEST_F(CheckTest, FormatsAreToldByTheBytesWhateverTheName) {
  write_png("photos/a.png", 40, 30, 6);
  write_png("photos/b.jpg", 50, 20);
  write_jpeg("photos/c.png", 60, 10);
  EXPECT_TRUE(check_path(root_ / "photos").good());
  const auto whole = encode_png(test_image(40, 30));
  write("photos/d.png", {reinterpret_cast<const char*>(whole.data()), whole.size() / 2});
  write("photos/e.jpg", "RIFF1234WEBPVP8 ");
  const CheckReport report = check_path(root_ / "photos");
  EXPECT_EQ(report.summaries.at(0).images, 5u);
  EXPECT_EQ(report.summaries.at(0).images_decoded, 3u);
  EXPECT_EQ(report.summaries.at(0).exif_oriented, 1u);
  ASSERT_EQ(report.count(CheckProblem::image_broken), 2u);
  EXPECT_TRUE(contains(report.findings.at(0).detail, "reaches beyond")) << report.findings.at(0).detail;
  EXPECT_TRUE(contains(report.findings.at(1).detail, "WebP data: ")) << report.findings.at(1).detail;
}

TEST_F(CheckTest, DecodesEveryFormatOfTheTable) {
  fs::create_directories(root_ / "photos");
  const auto files = one_image_of_each_format();
  for (const fs::path& file : files) fs::copy(file, root_ / "photos");
  const CheckReport report = check_path(root_ / "photos");
  EXPECT_TRUE(report.good());
  EXPECT_EQ(report.summaries.at(0).images_decoded, files.size());
}

TEST_F(CheckTest, ChecksOneFileAFolderAndAnyPaths) {
  write_coco();
  const CheckReport file = check_path(root_ / "coco/val2017/a.jpg");
  EXPECT_TRUE(file.good());
  EXPECT_EQ(file.summaries.at(0).width.max, 40);
  write("coco/val2017/deep/c.JPG", "no jpeg");
  const CheckReport folder = check_path(root_ / "coco/val2017");
  EXPECT_EQ(folder.summaries.at(0).images, 3u);
  expect_one(folder, CheckProblem::image_broken, "deep/c.JPG", "");
  fs::rename(root_ / "coco/val2017", root_ / "coco/photos");
  EXPECT_TRUE(check_path(root_ / "coco").good());  // the only folder that has them
  fs::rename(root_ / "coco/photos", root_ / "photos");
  EXPECT_EQ(check_path(root_ / "coco").count(CheckProblem::image_missing), 2u);
  fs::rename(root_ / "photos", root_ / "coco/photos");
  EXPECT_TRUE(
      check_coco({root_ / "coco/annotations/instances_val2017.json", root_ / "coco/photos"}, "val").good());
  fs::rename(root_ / "coco/photos", root_ / "coco/images");
  EXPECT_TRUE(check_path(root_ / "coco").good());
  EXPECT_TRUE(contains(message_of([&] { check_path(root_ / "gone"); }), "is not there"));
  fs::create_directories(root_ / "empty");
  EXPECT_TRUE(contains(message_of([&] { check_path(root_ / "empty"); }), "nor a JPEG"));
}

TEST_F(CheckTest, ARecordCacheIsCountedLikeItsFolder) {
  write_coco();
  write("coco/val2017/b.jpg", "broken");
  const fs::path cache = root_ / "val.cache";
  build_cache(coco_paths(root_ / "coco", "val2017"), cache, {.encoding = RecordEncoding::file});
  CheckReport report = check_path(cache);
  expect_one(report, CheckProblem::image_broken, "val.cache: b.jpg", "could not be read when");
  ASSERT_EQ(report.summaries.size(), 1u);
  const CheckSummary& summary = report.summaries[0];
  EXPECT_EQ(summary.images, 2u);
  EXPECT_EQ(summary.images_decoded, 1u);
  EXPECT_EQ(summary.box_width.max, 40);
  EXPECT_EQ(summary.classes.at(0), (std::pair<std::string, std::size_t>("cat", 1)));

  std::fstream(cache, std::ios::in | std::ios::out | std::ios::binary).seekp(10).put('\x7f');
  expect_one(check_path(cache), CheckProblem::cache_damaged, "val.cache", "got cache version");
  EXPECT_TRUE(contains(message_of([&] { build_cache(coco_paths(root_ / "coco", "val2017"), root_, {}); }),
                       "this is a folder"));
}

TEST_F(CheckTest, AFileOfAnAbsurdSizeIsBrokenAndNoMemoryIsAskedFor) {
  write("x.jpg", "a");
  fs::resize_file(root_ / "x.jpg", std::uintmax_t{1} << 40);
  expect_one(check_path(root_), CheckProblem::image_broken, "x.jpg",
             "got 1099511627776 bytes, expected at most");
}

TEST_F(CheckTest, ThreadsChangeNothingAndProgressArrives) {
  write_coco();
  for (int i = 0; i < 30; ++i) write_jpeg(fmt::format("many/{:02}.jpg", i), 20, 20);
  for (const int i : {3, 11, 12, 29}) write(fmt::format("many/{:02}.jpg", i), "broken");
  std::set<std::size_t> steps;
  CheckOptions options{.threads = 1};
  options.progress = [&](std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 30u);
    steps.insert(done);
  };
  CheckReport one = check_path(root_ / "many", options);
  EXPECT_EQ(steps.size(), 30u);
  options.threads = 4;
  CheckReport four = check_path(root_ / "many", options);
  one.seconds = four.seconds = 0;
  EXPECT_EQ(one.to_json(), four.to_json());
  EXPECT_EQ(four.count(CheckProblem::image_broken), 4u);
  EXPECT_TRUE(contains(four.to_text(3), "and 1 more")) << four.to_text(3);
}

TEST_F(CheckTest, JsonSaysAllThatTheTextSays) {
  const auto json = nlohmann::json::parse(check_with("[1, 2, 3, 4]", "[38, 2, 3, 4]").to_json());
  EXPECT_EQ(json.at("good"), false);
  EXPECT_EQ(json.at("counts").at("box_outside"), 1);
  EXPECT_EQ(json.at("counts").size(), check_problem_count);
  EXPECT_EQ(json.at("summaries").at(0).at("classes").at(1).at("name"), "dog");
  EXPECT_EQ(json.at("findings").at(0).at("problem"), "box_outside");
}

TEST_F(CheckTest, CocoImagesAreGoodAndCountedAsTheirReadmeSays) {
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is not there";
  const CheckReport report = check_path(shared / "coco-subset");
  EXPECT_TRUE(report.good()) << report.to_text();
  ASSERT_EQ(report.summaries.size(), 2u);
  const CheckSummary& train = report.summaries[0];
  const CheckSummary& val = report.summaries[1];
  EXPECT_EQ(train.images, 240u);
  EXPECT_EQ(train.boxes, 1913u);
  EXPECT_EQ(train.crowd_boxes, 21u);
  EXPECT_EQ(train.images_without_boxes, 3u);
  EXPECT_EQ(train.image_bytes, 39483280u);
  EXPECT_EQ(train.gray, 1u);
  EXPECT_EQ(val.images, 100u);
  EXPECT_EQ(val.boxes, 892u);
  EXPECT_EQ(val.crowd_boxes, 10u);
  EXPECT_EQ(val.images_without_boxes, 2u);
  EXPECT_EQ(std::ranges::count_if(val.classes, [](const auto& one) { return one.second > 0; }), 76);
}

TEST_F(CheckTest, BloodCellsAreGood) {
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is not there";
  const CheckReport report = check_path(shared / "bccd");
  EXPECT_TRUE(report.good()) << report.to_text();
  EXPECT_EQ(report.summaries.at(0).name, "train");
  EXPECT_EQ(report.summaries.at(0).classes.at(0), (std::pair<std::string, std::size_t>("RBC", 3348)));
}

// files.tsv says what Pillow does with each: what it refuses we must not take for good, but for one file with
// stray bytes between its segments, which libjpeg passes over without harm to the image.
TEST_F(CheckTest, OddJpegsAreNamedWhereOthersRefuseThem) {
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is not there";
  const CheckReport report = check_path(shared / "odd-jpegs");
  EXPECT_EQ(report.summaries.at(0).images, 66u);  // 14 of them PNG, all sound
  std::set<std::string> broken;
  for (const CheckFinding& finding : report.findings) {
    EXPECT_EQ(finding.problem, CheckProblem::image_broken);
    EXPECT_FALSE(finding.detail.empty());
    broken.insert(fs::path(finding.place).lexically_relative(shared / "odd-jpegs").string());
  }
  std::ifstream table(shared / "odd-jpegs/files.tsv");
  std::string line;
  std::getline(table, line);
  int refused = 0;
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    const bool harmless = row[0] == "TwelveMonkeys/0x00-to-0xFF-between-segments.jpg";
    if (harmless || row.at(12).starts_with("ok")) continue;
    ++refused;
    EXPECT_TRUE(broken.contains(row[0])) << row[0] << " " << row[12];
  }
  EXPECT_EQ(refused, 10);
}

TEST_F(CheckTest, NamesDoNotSteerTheTerminal) {
  write("x\x1b[2J\ny.jpg", "no jpeg");
  EXPECT_TRUE(contains(check_path(root_).to_text(), "x\\x1b[2J\\x0ay.jpg: ")) << check_path(root_).to_text();
}

TEST_F(CheckTest, ATrainingSplitNeedsABoxToTrainOn) {
  write_jpeg("coco/train2017/a.jpg", 40, 30);
  const auto check_box = [&](const std::string& annotations) {
    write("coco/annotations/instances_train2017.json",
          R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}], "annotations": [)" +
              annotations + R"(], "categories": [{"id": 3, "name": "cat"}]})");
    return check_path(root_ / "coco");
  };
  expect_one(check_box(""), CheckProblem::no_boxes, "instances_train2017.json", "got 1 image and 0 boxes");
  EXPECT_EQ(check_box(R"({"id": 5, "image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4]})")
                .count(CheckProblem::no_boxes),
            1u);
  const CheckReport thin =
      check_box(R"({"id": 5, "image_id": 1, "category_id": 3, "bbox": [9, 2, 1e-12, 4]})");
  EXPECT_EQ(thin.count(CheckProblem::no_boxes), 1u);
  EXPECT_EQ(thin.count(CheckProblem::box_without_size), 1u);
  EXPECT_TRUE(contains(thin.to_text(), "of which nothing is left within 40x30")) << thin.to_text();
  EXPECT_TRUE(check_box(R"({"id": 5, "image_id": 1, "category_id": 3, "bbox": [9, 2, 1, 4]})").good());
}

TEST_F(CheckTest, BoxesThatAreSharesAreFoundOnceAFile) {
  EXPECT_TRUE(check_with("[0, 0, 40, 30]", "[0.5, 0.5, 0.2, 0.4]").good());  // one of two may be so small
  write_coco("[1, 2, 3, 4]", "[0.1, 0.2, 0.3, 0.4]");
  const fs::path file = root_ / "coco/annotations/instances_val2017.json";
  CocoFile coco = read_coco(file);
  coco.annotations[0].bbox = {0.5, 0.5, 0.2, 0.4};
  write("coco/annotations/instances_val2017.json", ssd::write_coco(coco));
  expect_one(check_path(root_ / "coco"), CheckProblem::boxes_normalized, "instances_val2017.json",
             "got 2 of 2 boxes within the first pixel");
}

TEST_F(CheckTest, PackedAnnotationsAreNamed) {
  write_jpeg("coco/train2017/a.jpg", 40, 30);
  write("coco/annotations/instances_train2017.json.gz", "\x1f\x8b\x08");
  expect_one(check_path(root_ / "coco"), CheckProblem::annotations_unreadable, "instances_train2017.json.gz",
             "unpack it");
  EXPECT_TRUE(contains(message_of([&] { read_dataset(coco_paths(root_ / "coco", "train2017")); }),
                       "unpack " + (root_ / "coco/annotations/instances_train2017.json.gz").string()));
}

TEST_F(CheckTest, OneBadEntryEndsNoCheckAndLinksAreFollowed) {
  write_jpeg("photos/a.jpg", 40, 30);
  write_jpeg("elsewhere/b.jpg", 40, 30);
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "photos/more");
  fs::create_directory_symlink(root_ / "photos", root_ / "elsewhere/circle");
  fs::create_symlink("loop.jpg", root_ / "photos/loop.jpg");
  fs::create_symlink("nowhere", root_ / "photos/gone");
  const CheckReport report = check_path(root_ / "photos");
  EXPECT_EQ(report.summaries.at(0).images, 2u) << report.to_text();
  ASSERT_EQ(report.findings.size(), 2u) << report.to_text();
  EXPECT_EQ(report.count(CheckProblem::path_unreadable), 2u);
  EXPECT_TRUE(contains(report.to_text(), "photos/loop.jpg: Too many levels")) << report.to_text();

  fs::create_directories(root_ / "photos/closed");
  fs::permissions(root_ / "photos/closed", fs::perms::none);
  if (std::error_code denied; fs::directory_iterator(root_ / "photos/closed", denied), denied) {
    EXPECT_EQ(check_path(root_ / "photos").count(CheckProblem::path_unreadable), 3u);
  }
  fs::permissions(root_ / "photos/closed", fs::perms::owner_all);

  expect_one(check_with("b.jpg", std::string(300, 'x')), CheckProblem::image_missing, "xxx", "too long");
}

TEST_F(CheckTest, AmbiguousOrientationsAreANoteOnly) {
  write_coco();
  write_jpeg("coco/val2017/a.jpg", 40, 30, 3);
  write_jpeg("coco/val2017/b.jpg", 40, 30, 3);  // has no boxes to be wrong
  const CheckReport report = check_path(root_ / "coco");
  EXPECT_TRUE(report.good());
  expect_one(report, CheckProblem::orientation_ambiguous, "val2017/a.jpg", "EXIF orientation 3, 40x30");
  EXPECT_TRUE(contains(report.to_text(), "no problems found")) << report.to_text();
  const fs::path cache = root_ / "val.cache";
  build_cache(coco_paths(root_ / "coco", "val2017"), cache, {.encoding = RecordEncoding::file});
  expect_one(check_path(cache), CheckProblem::orientation_ambiguous, "val.cache: a.jpg", "orientation 3");
}

TEST_F(CheckTest, AnnotationsThatTrainingDoesNotFindAreANoteOnly) {
  write_coco();
  write("coco/annotations/instances_train2017.json",
        R"({"images": [{"id": 1, "file_name": "c.jpg", "width": 30,
 "height": 30}], "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "bbox": [0, 0, 30, 30]}],
 "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}, {"id": 9, "name": "cow"}]})");
  write_jpeg("coco/train2017/c.jpg", 30, 30);
  fs::rename(root_ / "coco/val2017", root_ / "coco/photos");
  fs::create_directories(root_ / "coco/images");
  fs::rename(root_ / "coco/photos", root_ / "coco/images/pets");
  fs::rename(root_ / "coco/annotations/instances_val2017.json",
             root_ / "coco/annotations/instances_pets.json");
  const CheckReport report = check_path(root_ / "coco");
  EXPECT_TRUE(report.good()) << report.to_text();
  expect_one(report, CheckProblem::split_of_other_name, "instances_pets.json",
             "--val-images " + (root_ / "coco/images/pets").string());
}

TEST_F(CheckTest, FaultsOfOneEntryAreNamedAndTheRestIsChecked) {
  expect_one(check_with("[1, 2, 3, 4]", "null"), CheckProblem::entry_left_out, "instances_val2017.json",
             "annotation 1: bbox: got null, expected a list (its id is 6)");
  expect_one(check_with(R"("id": 6)", R"("id": 0)"), CheckProblem::annotation_id_zero, "annotation 0", "");
  expect_one(check_with(R"("width": 40, "height": 30},)", R"("height": 30},)"), CheckProblem::size_missing,
             "instances_val2017.json", "a.jpg is 40x30");
  expect_one(check_with(R"("b.jpg")", R"("old\\\\b.JPG")"), CheckProblem::image_elsewhere,
             "instances_val2017.json", "b.jpg");
}

}  // namespace
}  // namespace ssd
