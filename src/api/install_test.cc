// The installed tree is enough: the examples are built against it and run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "model/formula_weights.h"
#include "testing/file_content.h"
#include "testing/temporary_folder.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

constexpr const char* state_json =
    R"({"model": {"backbone": "resnet18", "stride_in": "3x3", "classes": 4},
        "categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "ring"}, {"id": 3, "name": "cross"}]})";

class Installed : public testing::Test {
 protected:
  // What the command prints; the test fails where it does.
  std::string run(const std::string& command) {
    const std::string log = (folder_.path() / "log").string();
    const int status = std::system((command + " > '" + log + "' 2>&1").c_str());
    const std::string text = content_of(log);
    EXPECT_EQ(status, 0) << command << "\n" << text;
    return text;
  }
  std::string path(const std::string& name) const { return "'" + (folder_.path() / name).string() + "'"; }

  const std::string cmake_ = "'" SSD_CMAKE "'";
  TemporaryFolder folder_;
};

TEST_F(Installed, TheExamplesAreBuiltAgainstTheLibraryAndFindObjects) {
  write_checkpoint(
      folder_.path() / "run", 1,
      {model::formula_weights({.backbone = model::Backbone::resnet18, .classes = 4}), {}, state_json});
  for (const char* component : {"library", "development"})
    run(cmake_ + " --install '" SSD_BUILD_DIR "' --prefix " + path("first") + " --component " + component);
  // It may be moved.
  std::filesystem::rename(folder_.path() / "first", folder_.path() / "moved");
  run(cmake_ + " -S '" SSD_SOURCE_DIR "/examples/c' -G Ninja -B " + path("build") +
      " -DCMAKE_PREFIX_PATH=" + path("moved"));
  run(cmake_ + " --build " + path("build"));
  const std::string image = SSD_SOURCE_DIR "/samples/blood-cells/" SSD_SAMPLE;
  const std::string found = run(path("build") + "/detect " + path("run") + " '" + image + "'");
  EXPECT_NE(found.find(" objects\n  "), std::string::npos) << found;
  EXPECT_NE(run(path("build") + "/detect_pixels " + path("run")).find("of 3 classes"), std::string::npos);
}

TEST_F(Installed, PkgConfigTellsHowToLink) {
  if (std::system("pkg-config --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no pkg-config";
  for (const char* component : {"library", "development"})
    run(cmake_ + " --install '" SSD_BUILD_DIR "' --prefix " + path("prefix") + " --component " + component);
  const std::string folder = path("prefix") + "/" SSD_LIBDIR "/pkgconfig";
  run("PKG_CONFIG_PATH=" + folder +
      "; export PKG_CONFIG_PATH; '" SSD_CXX_COMPILER "' -std=c++17 '" SSD_SOURCE_DIR
      "/examples/c/detect_pixels.cc' $(pkg-config --cflags --libs singleshot) -pthread -o " +
      path("detect"));
}

}  // namespace
}  // namespace ssd
