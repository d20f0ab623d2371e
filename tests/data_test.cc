// `singleshot data check` and `data import`, on the sample data and on odd files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

TEST(DataCheck, FindsNothingWrongWithTheSamples) {
  const Outcome outcome = run_program({"data", "check", sample_data()});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("Platelets"), std::string::npos) << outcome.out;
}

TEST(DataCheck, NamesATruncatedPicture) {
  const TemporaryFolder folder;
  const std::string photo = read_file(sample_data() + "/val2017/BloodImage_00007.jpg");
  write_file(folder / "cut.jpg", photo.substr(0, photo.size() / 2));
  const Outcome outcome = run_program({"data", "check", folder / "cut.jpg"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE((outcome.out + outcome.err).find("cut.jpg"), std::string::npos) << outcome.out << outcome.err;
}

TEST(DataCheck, AcceptsASoundPicture) {
  EXPECT_EQ(run_program({"data", "check", sample_data() + "/val2017/BloodImage_00007.jpg"}).exit_status, 0);
}

TEST(DataCheck, NamesABoxOutsideItsPicture) {
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

}  // namespace
}  // namespace ssd
