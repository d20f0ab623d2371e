// `singleshot data` on the sample data and on odd files, and training on what it makes.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

TEST(DataCheck, FindsNothingWrongWithTheSamples) {
  const Outcome outcome = run_program({"data", "check", sample_data()});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("Platelets"), std::string::npos) << outcome.out;
}

TEST(DataCheck, NamesATruncatedImage) {
  const TemporaryFolder folder;
  const std::string jpeg = read_file(sample_data() + "/val2017/BloodImage_00007.jpg");
  write_file(folder / "cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  const Outcome outcome = run_program({"data", "check", folder / "cut.jpg"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE((outcome.out + outcome.err).find("cut.jpg"), std::string::npos) << outcome.out << outcome.err;
}

TEST(DataCheck, AcceptsASoundImage) {
  EXPECT_EQ(run_program({"data", "check", sample_data() + "/val2017/BloodImage_00007.jpg"}).exit_status, 0);
}

TEST(DataCheck, NamesABoxOutsideItsImage) {
  const TemporaryFolder folder;
  fs::copy(sample_data(), folder / "data", fs::copy_options::recursive);
  const fs::path file = folder.path() / "data/annotations/instances_val2017.json";
  nlohmann::json annotations = nlohmann::json::parse(read_file(file));
  annotations["annotations"][3]["bbox"] = {600, 10, 100, 50};
  write_file(file, annotations.dump());
  const Outcome outcome = run_program({"data", "check", folder / "data"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.out << outcome.err;
}

TEST(DataCheck, NoOddJpegEndsInASignal) {
  const std::string folder = shared_file("data/odd-jpegs");
  if (folder.empty()) GTEST_SKIP() << "../shared/data/odd-jpegs is missing";
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".jpg" && extension != ".jpeg") continue;
    const Outcome outcome = run_program({"data", "check", entry.path().string()});
    EXPECT_EQ(outcome.signal, 0) << entry.path();
    EXPECT_TRUE(outcome.exit_status == 0 || outcome.exit_status == 1) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 20);
}

TEST(DataImport, MakesACocoFolderOfPascalVoc) {
  const std::string source = shared_file("data/bccd");
  if (source.empty()) GTEST_SKIP() << "../shared/data/bccd is missing";
  const TemporaryFolder folder;
  const Outcome outcome = run_program({"data", "import", "voc", source, folder / "coco"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  std::size_t images = 0;
  std::size_t boxes = 0;
  for (const char* split : {"train2017", "val2017"}) {
    const nlohmann::json json = nlohmann::json::parse(
        read_file(folder.path() / "coco/annotations" / (std::string("instances_") + split + ".json")));
    images += json["images"].size();
    boxes += json["annotations"].size();
  }
  EXPECT_EQ(images, 364u);
  EXPECT_EQ(boxes, 4886u);
}

std::vector<std::string> training(const std::string& data, const std::string& run, int iterations,
                                  const std::vector<std::string>& more = {}) {
  return small_training(data, run,
                        with({"--batch-norm-images", "0", "--iterations", std::to_string(iterations)}, more));
}

// The log's lines of one kind.
std::vector<nlohmann::json> events(const std::string& run, const std::string& kind) {
  std::istringstream log(read_file(fs::path(run) / "log.jsonl"));
  std::vector<nlohmann::json> found;
  for (std::string line; std::getline(log, line);)
    if (nlohmann::json event = nlohmann::json::parse(line); event.at("event") == kind)
      found.push_back(std::move(event));
  return found;
}

// The same images as PNG go the whole way; a raw cache of them gives the same steps, bit for bit.
TEST(Png, GoesFromImportToDetectionAsJpegDoes) {
  const std::string source = shared_file("cases/png/yolo"), coco = shared_file("cases/png/coco");
  if (source.empty() || coco.empty()) GTEST_SKIP() << "../shared/cases/png is missing";
  const TemporaryFolder folder;
  const Outcome imported = run_program({"data", "import", "yolo", source, folder / "data", "--json", "-"});
  ASSERT_EQ(imported.exit_status, 0) << imported.err;
  EXPECT_EQ(imported.out.find("image_of_other_format"), std::string::npos) << imported.out;
  for (const std::string& data : {folder / "data", coco}) {
    const Outcome checked = run_program({"data", "check", data});
    EXPECT_EQ(checked.exit_status, 0) << checked.out << checked.err;
  }
  const std::string cache = folder / "train.cache", files = folder / "files.cache";
  ASSERT_EQ(run_program({"data", "cache", "--data", coco, "--out", cache}).exit_status, 0);
  ASSERT_EQ(run_program({"data", "cache", "--data", coco, "--encoding", "files", "--out", files}).exit_status,
            0);
  for (const std::string& file : {cache, files}) {
    const Outcome checked = run_program({"data", "check", file});
    EXPECT_EQ(checked.exit_status, 0) << checked.out << checked.err;
  }
  for (const auto& [data, run] : {std::pair(coco, "run"), {cache, "cached"}}) {
    const Outcome trained =
        run_program(training(data, folder / run, 2, {"--evaluation", "0", "--val-data", coco}));
    ASSERT_EQ(trained.exit_status, 0) << trained.err;
    EXPECT_EQ(events(folder / run, "evaluation").size(), 1u);
  }
  EXPECT_EQ(lines_of(folder / "run", "step"), lines_of(folder / "cached", "step"));
  EXPECT_TRUE(read_file(checkpoint(folder / "run", "000002") / "model.safetensors") ==
              read_file(checkpoint(folder / "cached", "000002") / "model.safetensors"));
  const Outcome found =
      run_program({"detect", "--checkpoint", folder / "run", "--out", folder / "found", coco + "/val2017"});
  EXPECT_EQ(found.exit_status, 0) << found.err;
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "found/detections.json")).size(), 4u);
}

TEST(DataCache, StandsForItsFolderInCheckTrainAndBench) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 4);
  const std::string cache = folder / "train.cache";
  const Outcome made =
      run_program({"data", "cache", "--data", folder / "data", "--max-side", "320", "--out", cache});
  ASSERT_EQ(made.exit_status, 0) << made.err;

  const Outcome checked = run_program({"data", "check", cache});
  EXPECT_EQ(checked.exit_status, 0) << checked.err;
  EXPECT_NE(checked.out.find("Platelets"), std::string::npos) << checked.out;

  const Outcome bench =
      run_program({"bench", "data", "--data", cache, "--threads", "1", "--batch-size", "2",
                   "--benchmark-warmup", "0", "--benchmark-iterations", "2", "--repeats", "1"});
  EXPECT_EQ(bench.exit_status, 0) << bench.err;
  EXPECT_GT(nlohmann::json::parse(bench.out).at("images_per_s").at("avg"), 0);

  // The training images are nothing to evaluate on.
  const Outcome alone = run_program(training(cache, folder / "alone", 2, {"--evaluation", "0"}));
  EXPECT_EQ(alone.exit_status, 2) << alone.err;
  EXPECT_NE(alone.err.find("--val-data"), std::string::npos) << alone.err;

  const std::string run = folder / "run";
  const Outcome trained =
      run_program(training(cache, run, 2, {"--evaluation", "0", "--val-data", folder / "data"}));
  EXPECT_EQ(trained.exit_status, 0) << trained.err;
  EXPECT_EQ(events(run, "step").size(), 2u);
  EXPECT_EQ(events(run, "evaluation").size(), 1u);
}

TEST(DataCache, AFolderOfCachesIsADataSet) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 4);
  fs::create_directories(folder / "caches");
  for (const std::string split : {"train2017", "val2017"}) {
    const Outcome made =
        run_program({"data", "cache", "--data", folder / "data", "--split", split, "--encoding", "files",
                     "--out", folder / ("caches/" + split + ".cache")});
    ASSERT_EQ(made.exit_status, 0) << made.err;
  }
  for (const std::string split : {"train", "val"}) {
    const Outcome shown = run_program({"data", "show", folder / "caches", "--split", split, "--count", "1",
                                       "--out", folder / ("shown-" + split)});
    EXPECT_EQ(shown.exit_status, 0) << shown.err;
    EXPECT_NE(shown.err.find("record caches: training train2017.cache, validation val2017.cache"),
              std::string::npos)
        << shown.err;
  }
  fs::remove(folder / "caches/val2017.cache");
  const Outcome none =
      run_program({"data", "show", folder / "caches", "--split", "val", "--out", folder / "none"});
  EXPECT_EQ(none.exit_status, 2);
  EXPECT_NE(none.err.find("no cache of the val2017 split is there"), std::string::npos) << none.err;
}

TEST(DataCache, ADamagedFileIsReportedAsJsonToo) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 2);
  const std::string cache = folder / "train.cache";
  ASSERT_EQ(run_program({"data", "cache", "--data", folder / "data", "--out", cache}).exit_status, 0);
  std::string bytes = read_file(cache);
  bytes[20] = static_cast<char>(bytes[20] ^ 1);  // in the header
  write_file(cache, bytes);
  const Outcome outcome = run_program({"data", "check", cache, "--json", "-"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("good"), false);
}

TEST(DataCache, NeedsNoFolderWhereBothPathsAreGiven) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 2);
  std::vector<std::string> arguments = {"data",          "cache",
                                        "--annotations", folder / "data/annotations/instances_val2017.json",
                                        "--out",         folder / "val.cache"};
  EXPECT_EQ(run_program(arguments).exit_status, 2);
  arguments.insert(arguments.end(), {"--images", folder / "data/val2017"});
  EXPECT_EQ(run_program(arguments).exit_status, 0);
  arguments[5] = folder / "data";
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.err.find("is a folder"), std::string::npos) << outcome.err;
}

TEST(DataCache, StoppedLeavesNoPartOfAFile) {
  const TemporaryFolder folder;
  RunningProgram program({"data", "cache", "--data", sample_data(), "--encoding", "jpeg", "--quality", "95",
                          "--threads", "1", "--out", folder / "train.cache"});
  wait_for_entry(folder.path(), program);
  program.send(SIGTERM);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_status, 1) << outcome.out << outcome.err;
  EXPECT_NE(outcome.err.find("stopped after"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

struct OddJpeg {
  std::string file;
  std::string size;    // "640x480"
  bool sound = false;  // another decoder reads it
};

std::vector<OddJpeg> odd_jpegs(const std::string& folder) {
  std::istringstream table(read_file(fs::path(folder) / "files.tsv"));
  std::string line;
  std::getline(table, line);
  std::vector<OddJpeg> found;
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    found.push_back({row.at(0), row.at(3), row.at(12).starts_with("ok")});
  }
  return found;
}

// Adds an image with a box to a COCO folder's training split.
void add_image(nlohmann::json& coco, const fs::path& folder, const OddJpeg& odd, const fs::path& source) {
  const int id = 100000 + static_cast<int>(coco["images"].size());
  int width = 640, height = 480;
  std::sscanf(odd.size.c_str(), "%dx%d", &width, &height);
  width = std::max(width, 1);  // one of them has none
  const std::string name = std::to_string(id) + ".jpg";
  fs::copy_file(source / odd.file, folder / "train2017" / name);
  coco["images"].push_back({{"id", id}, {"file_name", name}, {"width", width}, {"height", height}});
  coco["annotations"].push_back({{"id", id},
                                 {"image_id", id},
                                 {"category_id", coco["categories"][0]["id"]},
                                 {"bbox", {0, 0, width, height}},
                                 {"area", width * height},
                                 {"iscrowd", 0}});
}

TEST(Train, GoesOnWhereHalfOfTheImagesAreOddAndNamesEachBadOneOnce) {
  const std::string source = shared_file("data/odd-jpegs");
  if (source.empty()) GTEST_SKIP() << "../shared/data/odd-jpegs is missing";
  std::vector<OddJpeg> odd = odd_jpegs(source);
  std::ranges::stable_sort(odd, {}, &OddJpeg::sound);
  const auto unsound = static_cast<std::size_t>(std::ranges::count(odd, false, &OddJpeg::sound));
  odd.resize(unsound + 4);
  const TemporaryFolder folder;
  make_small_data(folder / "data", static_cast<int>(odd.size()));
  const fs::path file = folder.path() / "data/annotations/instances_train2017.json";
  nlohmann::json coco = nlohmann::json::parse(read_file(file));
  for (const OddJpeg& one : odd) add_image(coco, folder / "data", one, source);
  write_file(file, coco.dump());

  // Two epochs: what was bad in the first is bad again in the second.
  const int iterations = 2 * static_cast<int>(odd.size());
  const Outcome outcome = run_program(training(folder / "data", folder / "run", iterations));
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(events(folder / "run", "step").size(), static_cast<std::size_t>(iterations));
  std::map<std::string, int> named;
  for (const nlohmann::json& event : events(folder / "run", "bad_image")) ++named[event.at("file")];
  for (const auto& [name, times] : named) EXPECT_EQ(times, 1) << name;
  EXPECT_GE(named.size(), unsound - 1);  // one has stray bytes that do no harm
  EXPECT_LE(named.size(), odd.size());
}

// One of two images has objects.
// Without validation annotations, without objects in them, without their images.
TEST(Train, WhatAnEvaluationLacksIsToldBeforeTheFirstStep) {
  const std::string cases = shared_file("cases/late-failure");
  if (cases.empty()) GTEST_SKIP() << "../shared/cases/late-failure is missing";
  const TemporaryFolder folder;
  for (const auto& [name, reason] : {std::pair{"a", "no annotations of the val2017 split are there"},
                                     {"b", "got no object in 2 validation images"},
                                     {"c", "none of its 2 images is there"}}) {
    const Outcome outcome =
        run_program({"train", "--pretrained", "none", "--data", cases + "/" + name, "--backbone", "resnet18",
                     "--batch-size", "2", "--iterations", "2", "--save", folder / name});
    EXPECT_NE(outcome.exit_status, 0) << outcome.err;
    EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(fs::path(folder / name) / "log.jsonl"));
  }
}

TEST(BackgroundImages, AreLearntFromOnRequest) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 2);
  const fs::path file = folder.path() / "data/annotations/instances_train2017.json";
  nlohmann::json json = nlohmann::json::parse(read_file(file));
  nlohmann::json boxes = nlohmann::json::array();
  for (const nlohmann::json& box : json["annotations"])
    if (box["image_id"] == json["images"][0]["id"]) boxes.push_back(box);
  json["annotations"] = boxes;
  write_file(file, json.dump());
  const auto train = [&](const std::string& use, const std::string& run) {
    return run_program(small_training(folder / "data", folder / run, {"--background-images", use}));
  };
  const Outcome skipped = train("skip", "a"), used = train("use", "b");
  ASSERT_EQ(skipped.exit_status, 0) << skipped.err;
  ASSERT_EQ(used.exit_status, 0) << used.err;
  EXPECT_NE(skipped.err.find("1 training image,"), std::string::npos) << skipped.err;
  EXPECT_NE(used.err.find("1 of the images is background"), std::string::npos) << used.err;
  json["annotations"] = nlohmann::json::array();
  write_file(file, json.dump());
  const Outcome nothing = train("use", "c");
  EXPECT_EQ(nothing.exit_status, 1);
  EXPECT_NE(nothing.err.find("--background-images use: got 2 images and no object"), std::string::npos)
      << nothing.err;
  EXPECT_FALSE(fs::exists(folder / "c"));
}

}  // namespace
}  // namespace ssd
