// Reading of golden values for tests. Not part of the library.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "testing/file_content.h"

namespace ssd {

// A safetensors file of the golden folder: an 8-byte little-endian length, a JSON header, the data.
class GoldenFile {
 public:
  static std::string path(const std::string& name) {
    return std::string(SSD_SOURCE_DIR) + "/../shared/golden/" + name;
  }
  static bool exists(const std::string& name) { return std::ifstream(path(name)).good(); }

  explicit GoldenFile(const std::string& name) : bytes_(content_of(path(name))) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), sizeof length);
    start_ = sizeof length + length;
    header_ = nlohmann::json::parse(bytes_.substr(sizeof length, length));
  }

  template <typename T>
  std::vector<T> get(const std::string& tensor) const {
    const auto& range = header_.at(tensor).at("data_offsets");
    const auto begin = range.at(0).get<std::size_t>();
    const auto end = range.at(1).get<std::size_t>();
    std::vector<T> values((end - begin) / sizeof(T));
    std::memcpy(values.data(), bytes_.data() + start_ + begin, end - begin);
    return values;
  }

  static nlohmann::json json(const std::string& name) {
    return nlohmann::json::parse(content_of(path(name)));
  }

 private:
  std::string bytes_;
  std::size_t start_ = 0;
  nlohmann::json header_;
};

}  // namespace ssd

#define SSD_NEEDS_GOLDEN(name)                                                      \
  if (!ssd::GoldenFile::exists(name)) {                                             \
    GTEST_SKIP() << ssd::GoldenFile::path(name) << " is missing: no golden values"; \
  }
