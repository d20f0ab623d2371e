// Text that is not ours, in all that the program writes for people and programs.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// A title of the terminal's set, a C1 control, DEL, a line end, text turned round, and no UTF-8.
const std::string hostile = "x\x1b]0;t\x07\u009b2J\x7f\ny\u202ez\u2066";

// What must be in nothing that is written: control characters but line ends, and all of the above.
void expect_tame(const std::string& text, const std::string& where) {
  EXPECT_EQ(first_invalid_utf8(text), text.size()) << where;
  for (const char* bad : {"\x1b", "\x07", "\x7f", "\u009b", "\u202e", "\u2066", "\r"})
    EXPECT_EQ(text.find(bad), std::string::npos) << where << ": " << text;
}

// Runs the program; gives back what it wrote.
Outcome expect_tame_run(const std::vector<std::string>& arguments) {
  Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.signal, 0);
  expect_tame(outcome.out, "standard output");
  expect_tame(outcome.err, "standard error");
  return outcome;
}

// Fails in one line, which is short whatever the arguments are.
void expect_one_line(const std::vector<std::string>& arguments) {
  const Outcome outcome = expect_tame_run(arguments);
  EXPECT_NE(outcome.exit_status, 0);
  // A device's library may have had its say before.
  const std::size_t ours = outcome.err.rfind("singleshot");
  ASSERT_NE(ours, std::string::npos) << outcome.err;
  EXPECT_EQ(count_lines(outcome.err.substr(ours)), 1) << outcome.err;
  EXPECT_LT(outcome.err.size() - ours, 3000u);
}

TEST(ForeignText, OfArgumentsIsTamedInErrors) {
  const std::string broken = hostile + "\xff\xc3", number(100000, '7');
  for (const std::string& text : {broken, number}) {
    expect_one_line({text});
    expect_one_line({"train", "--" + text});
    expect_one_line({"train", "--batch-size", text});
    expect_one_line({"train", "--fake-data", "--backbone", text});
    expect_one_line({"train", "--data", "/none/" + text.substr(0, 200)});
    expect_one_line({"eval", "--detections", "/none/" + text, "--annotations", "/none/" + text});
    expect_one_line({"detect", "--checkpoint", "/none/" + text, "-o", "/none/out", "/none/" + text});
    expect_one_line({"data", "check", "/none/" + text});
    expect_one_line({"data", "cache", "--data", "/none/" + text, "--out", "/none/x"});
    expect_one_line({"data", "import", "yolo", "/none/" + text, "/none/out"});
    expect_one_line({"data", "import", "voc", "/none/" + text, "/none/out"});
    expect_one_line({"verify", "/none/" + text});
    expect_one_line({"compile", "--target", text});
  }
}

TEST(ForeignText, OfDataIsTamedInReports) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 2);
  const fs::path annotations = folder.path() / "data/annotations/instances_train2017.json";
  nlohmann::json json = nlohmann::json::parse(read_file(annotations));
  json["categories"][0]["name"] = hostile;
  json["images"][0]["file_name"] = hostile + ".jpg";
  write_file(annotations, json.dump());
  for (const std::string& to : {folder / "report.json", std::string("-")})
    expect_tame_run({"data", "check", folder / "data", "--json", to});
  const std::string report = read_file(folder / "report.json");
  expect_tame(report, "report");
  EXPECT_NE(report.find("\\u202e"), std::string::npos);
  EXPECT_NE(nlohmann::json::parse(report).dump().find("\u202e"), std::string::npos) << "the data stay";
  expect_tame_run({"data", "cache", "--data", folder / "data", "--out", folder / "c.cache"});
}

TEST(ForeignText, OfNamesIsTamedInImports) {
  const TemporaryFolder folder;
  for (const char* split : {"train", "val"}) {
    const fs::path images = folder.path() / "yolo/images" / split,
                   labels = folder.path() / "yolo/labels" / split;
    fs::create_directories(images);
    fs::create_directories(labels);
    for (const std::string& name : {hostile, hostile + "\xff"}) {
      write_jpeg(images / (name + ".jpg"), 40, 30);
      write_file(labels / (name + ".txt"), "0 0.5 0.5 0.5 0.2\n");
    }
  }
  write_file(folder.path() / "yolo/data.yaml",
             "train: images/train\nval: images/val\nnames: [\"x\\e]0;t\\a\\x9b2J\\x7f\\u202ez\"]\n");
  const Outcome outcome = expect_tame_run(
      {"data", "import", "yolo", folder / "yolo", folder / "coco", "--json", folder / "report.json"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  expect_tame(read_file(folder / "report.json"), "report");
}

}  // namespace
}  // namespace ssd
