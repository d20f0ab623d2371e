#include "data/dataset/coco_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

class CocoInPieces : public testing::Test {
 protected:
  // What the whole gives, in pieces of several sizes: lists, what was left out, or the error.
  void expect_alike(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    for (const auto fields : {CocoReadOptions::Fields::all, CocoReadOptions::Fields::ids}) {
      const CocoReadOptions options{.fields = fields};
      CocoFile whole;
      const std::string expected = message_of([&] { whole = read_whole_coco(path_, options); });
      for (const std::size_t bytes : {1u, 70u, 300u, 5000u, 1000000u}) {
        CocoFile pieces;
        EXPECT_EQ(message_of([&] { pieces = read_coco_in_pieces(path_, options, pool_, bytes); }), expected);
        EXPECT_TRUE(write_coco(pieces) == write_coco(whole)) << bytes << ": " << text.substr(0, 300);
        EXPECT_EQ(reasons_of(pieces), reasons_of(whole));
      }
    }
  }
  static std::vector<std::string> reasons_of(const CocoFile& file) {
    std::vector<std::string> reasons;
    for (const CocoLeftOut& one : file.left_out) reasons.push_back(one.reason);
    return reasons;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "file.json";
  ThreadPool pool_{3};
};

std::string images() {
  std::string text = "\"images\": [";
  for (int i = 0; i < 20; ++i)
    text += fmt::format(R"({}{{"id": {}, "file_name": "{}.jpg", "width": 10, "height": 20}})",
                        i > 0 ? ", " : "", i, i);
  return text + "]";
}

// 60 annotations; `extra` stands in every fourth.
std::string annotations(const std::string& extra = "", const std::string& separator = ",") {
  std::string text = "\"annotations\": [";
  for (int i = 0; i < 60; ++i)
    text += fmt::format(R"({}{{"id": {}, {}"image_id": {}, "category_id": {}, "bbox": [1, 2, 3, {}]}})",
                        i > 0 ? separator : "", i + 1, i % 4 == 0 ? extra : "", i % 20, 1 + i % 2, i + 1);
  return text + "]";
}

const std::string categories =
    R"("categories": [{"id": 1, "name": "a", "supercategory": "x"}, {"id": 2, "name": "b"}])";

TEST_F(CocoInPieces, Utf16IsReadAsUtf8Is) {
  const std::string text = "{" + images() + "," + annotations() + "," + categories + "}";
  for (const std::string mark : {"", "\xff\xfe"}) {
    std::string wide = mark;
    for (const char c : text) wide += {c, '\0'};
    std::ofstream(path_, std::ios::binary) << wide;
    EXPECT_TRUE(write_coco(read_coco(path_)) == write_coco(parse_coco(text, "a.json")));
  }
}

TEST_F(CocoInPieces, GivesWhatTheWholeGives) {
  const std::string info = R"("info": {"about": "}, {", "list": [{"a": 1}, {"b": 2}]}, )";
  for (const std::string& text : {
           "{" + info + images() + "," + annotations() + "," + categories + "}",
           "{ " + categories + ",\n" + images() + " , " + annotations("", " ,\n") + " }\n",
           "{" + annotations() + "," + images() + "," + categories + "}",
           "{" + annotations() + "," + categories + "," + images() + ", \"more\": [{}]}",
           "\xef\xbb\xbf{" + images() + "," + annotations() + "," + categories + "}",
           "{" + images() + "," + annotations(R"("segmentation": [[1, 2], [3, 4]], )") + "," + categories +
               "}",
           "{" + images() + "," + annotations(R"("parts": [{"a": 1}, {"b": 2}], )") + "," + categories + "}",
           "{" + images() + "," + annotations(R"("note": "}],\"categories\":[{", )") + "," + categories + "}",
           "{" + images() + R"(,"annotations":[],)" + categories + "}",
       })
    expect_alike(text);
}

TEST_F(CocoInPieces, TwoListsOfANameAndNestedOnesAreReadAsTheWholeReadsThem) {
  const std::string nested = R"("info": {"annotations": [{"id": 1}, {"id": 2}]}, )";
  for (const std::string& text : {
           "{" + nested + images() + "," + annotations() + "," + categories + "}",
           "{" + images() + "," + annotations() + "," + categories + R"(, "annotations": []})",
           "{" + images() + "," + annotations() + "," + annotations("", ", ") + "," + categories + "}",
           "{" + images() + ", \"info\": {" + annotations() + "}," + categories + "}",
           "{" + images() + R"(, "about": "\"annotations\": [", )" + annotations() + "," + categories + "}",
       })
    expect_alike(text);
}

TEST_F(CocoInPieces, FaultsAreToldAsTheWholeTellsThem) {
  const std::string good = annotations();
  std::string mistyped = good;
  mistyped.replace(mistyped.find("\"bbox\": [1", 2000), 10, "\"bbox\": [{");
  std::string left_out = good;
  left_out.replace(left_out.find("\"image_id\"", 2000), 10, "\"imago_id\"");
  const std::string root =
      R"("categories": [{"id": 0, "name": "all"}, {"id": 1, "name": "a", "supercategory": "all"},
                             {"id": 2, "name": "b", "supercategory": "all"}])";
  for (const std::string& text : {
           "{" + images() + "," + mistyped + "," + categories + "}",
           "{" + images() + "," + left_out + "," + categories + "}",
           "{" + images() + "," + good + "," + root + "}",
           "{" + images() + "," + good + "}",
           "{" + good + "," + categories + "}",
           "{" + images() + "," + good + "," + categories,
           "{" + images() + "," + good.substr(0, good.size() - 1) + ",]," + categories + "}",
           "{" + images() + "," + good + "," + categories + "} 5",
           "[" + images() + "]",
           std::string("{}"),
       })
    expect_alike(text);
}

}  // namespace
}  // namespace ssd
