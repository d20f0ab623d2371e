#include "weights/npz.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "storage/mapped_file.h"
#include "testing/message_of.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

fs::path testdata(const char* name) { return fs::path(SSD_SOURCE_DIR) / "src/weights/testdata" / name; }

std::string refusal(const fs::path& path) {
  return message_of([&] { read_named_arrays(path); });
}

std::string refusal_of_bytes(std::string bytes) {
  return message_of([&] { parse_npz(std::as_bytes(std::span(bytes)), "a.npz"); });
}

std::string bytes_of(const char* name) {
  const MappedFile file(testdata(name));
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(Npz, ReadsEveryTypeAsNumpyWroteIt) {
  const TensorMap arrays = read_named_arrays(testdata("types.npz"));
  ASSERT_EQ(arrays.size(), 9u);
  EXPECT_EQ(arrays.at("scalar").shape(), Shape{});
  EXPECT_EQ(arrays.at("scalar").as<std::int64_t>()[0], 7);
  EXPECT_EQ(arrays.at("empty").shape(), (Shape{0, 3}));
  for (std::size_t i = 0; i < 6; ++i) {
    const double real = static_cast<double>(i) * 0.5 - 2;
    EXPECT_EQ(arrays.at("f64").as<double>()[i], real);
    for (const char* name : {"f32", "f16"})
      EXPECT_EQ(to_f32(arrays.at(name)).as<float>()[i], static_cast<float>(real)) << name;
    EXPECT_EQ(arrays.at("i64").as<std::int64_t>()[i], static_cast<std::int64_t>(i));
    EXPECT_EQ(arrays.at("i32").as<std::int32_t>()[i], static_cast<std::int32_t>(i));
    EXPECT_EQ(arrays.at("u8").as<std::uint8_t>()[i], i);
    EXPECT_EQ(arrays.at("bool").as<std::uint8_t>()[i], i % 2);
    EXPECT_EQ(arrays.at("f32").shape(), (Shape{2, 3}));
  }
}

TEST(Npz, SafetensorsAreReadBesideIt) {
  EXPECT_TRUE(read_named_arrays(testdata("types.safetensors")).contains("bf16"));
}

TEST(Npz, WhatCannotBeReadIsOneLineThatSaysWhatToDo) {
  EXPECT_NE(refusal(testdata("column_major.npz")).find("npz: a: got column-major order"), std::string::npos);
  EXPECT_NE(refusal(testdata("text.npz")).find("got elements <U4, expected one of <f8"), std::string::npos);
  EXPECT_NE(refusal(testdata("compressed.npz")).find("save it again with numpy.savez"), std::string::npos);
  EXPECT_NE(refusal(testdata("array.npy")).find("got one array without a name"), std::string::npos);
}

TEST(Npz, DamageIsRefused) {
  const std::string whole = bytes_of("types.npz");
  EXPECT_EQ(refusal_of_bytes(whole), "");
  EXPECT_NE(refusal_of_bytes(whole.substr(0, whole.size() / 2)), "");
  std::string changed = whole;
  changed[changed.find("(2, 3)") + 1] = '3';  // of which the checksum tells
  EXPECT_NE(refusal_of_bytes(changed).find("wrong checksum"), std::string::npos);
}

}  // namespace
}  // namespace ssd
