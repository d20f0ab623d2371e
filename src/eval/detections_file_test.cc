#include "eval/detections_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "eval/detections_json.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

class DetectionsFile : public testing::Test {
 protected:
  // A list of 300 detections; `separator` stands between them, `extra` in every fifth.
  static std::string list(const std::string& separator, const std::string& extra = "") {
    std::string text;
    for (int i = 0; i < 300; ++i) {
      if (i > 0) text += separator;
      text +=
          fmt::format(R"({{"image_id": {}, {}"category_id": {}, "bbox": [{}, 2.5, 3, 4e0], "score": 0.{}}})",
                      i, i % 5 == 0 ? extra : "", i % 7, i, i + 1);
    }
    return text;
  }
  std::string file(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_.string();
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "file.json";
  ThreadPool pool_{3};
};

TEST_F(DetectionsFile, GivesInPiecesWhatTheWholeGives) {
  const std::string nested = R"("parts": [{"a": 1}, {"b": [2]} , {"c": {}}], )";
  const std::string words = R"("note": "}, {\"image_id\": 7}, {", )";
  for (const std::string& text :
       {"[" + list(",") + "]", " \n[ " + list(" ,\n ") + "\n] \n", "[" + list(", ", nested) + "]",
        "[" + list(",", words) + "]", R"({"annotations": [)" + list(",") + "]}",
        "\xef\xbb\xbf[" + list(",") + "]", std::string("[]"), "[" + list(",").substr(0, 80) + "]"}) {
    const std::string path = file(text);
    const std::string expected = message_of([&] { read_detections(path); });
    for (const std::size_t bytes : {1u, 50u, 100u, 333u, 5000u, 1000000u}) {
      if (!expected.empty()) {
        EXPECT_EQ(message_of([&] { read_detections(path, pool_, nullptr, bytes); }), expected);
        continue;
      }
      EXPECT_EQ(read_detections(path, pool_, nullptr, bytes), read_detections(path))
          << bytes << ": " << text.substr(0, 200);
    }
  }
}

TEST_F(DetectionsFile, TellsFaultsAsTheWholeDoes) {
  const std::string good = list(",\n");
  std::string mistyped = good, cut = good, missing = good;
  mistyped.replace(mistyped.find("2.5", 9000), 3, "[1]");
  missing.replace(missing.find("score", 12000), 5, "scare");
  for (const std::string& text : {"[" + mistyped + "]", "[" + missing + "]", "[" + good, "[" + good + ",]",
                                  "[" + good + "}", "[" + good + "]]", "[" + good + "\n,,\n" + good + "]"}) {
    const std::string path = file(text);
    const std::string expected = message_of([&] { read_detections(path); });
    EXPECT_NE(expected, "");
    EXPECT_EQ(message_of([&] { read_detections(path, pool_, nullptr, 400); }), expected);
  }
  EXPECT_NE(message_of([&] { read_detections("/dev/null", pool_); }), "");
  EXPECT_NE(message_of([&] { read_detections(path_.string() + ".none", pool_); }), "");
}

}  // namespace
}  // namespace ssd
