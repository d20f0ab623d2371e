// A folder of synthetic images and annotations for tests. Not part of the library.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "testing/message_of.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::path(testing::TempDir()) /
            (std::string("ssd_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

  void write_jpeg(const std::string& name, int width, int height, int orientation = 0) const {
    EncodeOptions options;
    options.orientation = orientation;
    const auto bytes = encode_jpeg(test_image(width, height), options);
    write(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  void write_png(const std::string& name, int width, int height, int orientation = 0) const {
    const auto bytes = encode_png(test_image(width, height), {.orientation = orientation});
    write(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  std::filesystem::path root_;
};

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace ssd
