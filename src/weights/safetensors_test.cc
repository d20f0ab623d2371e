#include "weights/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "storage/atomic_file.h"
#include "testing/file_content.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file;
  for (std::size_t i = 0; i < 8; ++i) file.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  return file + header + std::string(data_bytes, '\1');
}

SafetensorsContent parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "test.safetensors");
}

// The message with which a file is refused; empty if it is taken.
std::string refusal(const std::string& file) {
  return message_of([&] { parse(file); });
}

fs::path testdata(const char* name) { return fs::path(SSD_SOURCE_DIR) / "src/weights/testdata" / name; }

TEST(Safetensors, ReadsEveryTypeAsTheSafetensorsPackageWroteIt) {
  const SafetensorsFile file(testdata("types.safetensors"));
  EXPECT_EQ(file.names(),
            (std::vector<std::string>{"bf16", "bool", "f16", "f32", "f64", "i32", "i64", "u8"}));
  EXPECT_EQ(file.metadata().at("made_by"), "safetensors");
  for (const auto& [name, view] : file.tensors()) EXPECT_EQ(view.shape, (Shape{2, 3})) << name;
  for (std::size_t i = 0; i < 6; ++i) {
    const double real = static_cast<double>(i) * 0.5 - 2;
    EXPECT_EQ(file.view("f64").as<double>()[i], real);
    for (const char* name : {"f32", "f16", "bf16"})
      EXPECT_EQ(to_f32(file.view(name)).as<float>()[i], static_cast<float>(real)) << name;
    EXPECT_EQ(file.view("i64").as<std::int64_t>()[i], static_cast<std::int64_t>(i));
    EXPECT_EQ(file.view("i32").as<std::int32_t>()[i], static_cast<std::int32_t>(i));
    EXPECT_EQ(file.view("u8").as<std::uint8_t>()[i], i);
    EXPECT_EQ(file.view("bool").as<std::uint8_t>()[i], i % 2);
  }
}

TEST(Safetensors, NamesAMissingTensor) {
  const SafetensorsFile file(testdata("types.safetensors"));
  EXPECT_FALSE(file.contains("conv"));
  const std::string message = message_of([&] { file.view("conv"); });
  EXPECT_NE(message.find("'conv'"), std::string::npos) << message;
}

TEST(Safetensors, WritesTheFormatByteForByte) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.safetensors";
  TensorMap tensors;
  tensors.emplace("a", Tensor(DType::u8, {3}));
  tensors.emplace("b", Tensor(DType::f32, {}));
  tensors.at("a").as<std::uint8_t>()[1] = 7;
  tensors.at("b").as<float>()[0] = 1.0f;
  write_safetensors(path, tensors, {{"k", "v"}});
  // By the format's description: the f32 comes first for its alignment, the header is padded to 8 bytes.
  const std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string prefix = {static_cast<char>(padded.size()), 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(content_of(path), prefix + padded + std::string("\0\0\x80\x3f\0\7\0", 7));
}

TEST(Safetensors, RoundTripsAndRepeatsItsBytes) {
  const TemporaryFolder folder;
  TensorMap tensors;
  Random random(1, 2, 3);
  for (const DType type :
       {DType::f64, DType::f32, DType::f16, DType::bf16, DType::u8, DType::i32, DType::i64}) {
    Tensor tensor(type, {3, 5, 1});
    for (std::size_t i = 0; i < tensor.bytes(); ++i) tensor.data()[i] = static_cast<std::byte>(random.next());
    tensors.emplace("t \"\\\n\xc3\xa9." + std::string(name_of(type)), std::move(tensor));
  }
  tensors.emplace("empty", Tensor(DType::f32, {0, 4}));
  write_safetensors(folder.path() / "a", tensors);
  write_safetensors(folder.path() / "b", read_safetensors(folder.path() / "a"));
  EXPECT_EQ(content_of(folder.path() / "a"), content_of(folder.path() / "b"));
  const TensorMap read = read_safetensors(folder.path() / "a");
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor& other = read.at(name);
    EXPECT_EQ(other.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(other.shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(other.data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

TEST(Safetensors, WritesAndReadsAFileWithoutTensors) {
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "a", TensorMap{});
  EXPECT_TRUE(read_safetensors(folder.path() / "a").empty());
}

TEST(Safetensors, AlignsTensorsThatTheFileHoldsAtOddOffsets) {
  const TemporaryFolder folder;
  const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  std::string bytes = file_of(header, 1);
  for (const float value : {1.5f, -2.0f}) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  write_file_atomically(folder.path() / "a", bytes);
  const SafetensorsFile file(folder.path() / "a");
  const std::span<const float> values = file.view("f").as<float>();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(float), 0u);
  EXPECT_EQ(values[0], 1.5f);
  EXPECT_EQ(values[1], -2.0f);
}

TEST(Safetensors, RefusesNamesItCannotWrite) {
  const TemporaryFolder folder;
  for (const char* name : {"__metadata__", "\xff"}) {
    TensorMap tensors;
    tensors.emplace(name, Tensor(DType::f32, {1}));
    EXPECT_THROW(write_safetensors(folder.path() / "a", tensors), Error);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// A header with one tensor whose dtype, shape and offsets are as given.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST(Safetensors, TakesTheTensorThatTheRefusedOnesVary) {
  EXPECT_EQ(refusal(file_of(one("F32", "[2]", "[0,8]"), 8)), "");
}

struct Malformed {
  const char* what;
  std::string file;
  const char* expected;  // in the message
};

class SafetensorsRefuses : public testing::TestWithParam<Malformed> {};

TEST_P(SafetensorsRefuses, WithOneLineThatNamesTheFileAndTheFault) {
  const std::string message = refusal(GetParam().file);
  EXPECT_EQ(message.find("test.safetensors: "), 0u) << message;
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, SafetensorsRefuses,
    testing::Values(
        Malformed{"Empty", "", "size: got 0 bytes"}, Malformed{"CutPrefix", "1234567", "size: got 7 bytes"},
        Malformed{"HeaderPastTheEnd", file_of("{}", 0).substr(0, 9), "header size"},
        Malformed{"HugeHeader", std::string(8, '\xff') + "{}", "header size: got 18446744073709551615"},
        Malformed{"NoJson", file_of("{\"w\":", 0), "bad JSON"},
        Malformed{"NoUtf8", file_of("{\"\xff\":{}}", 0), "bad JSON"},
        Malformed{"NoObject", file_of("[]", 0), "no object"},
        Malformed{"EntryNoObject", file_of(R"({"w":1})", 0), "tensor 'w': got no object"},
        Malformed{"DeepJson", file_of(std::string(100000, '['), 0), "bad JSON"},
        Malformed{"NoType", file_of(R"({"w":{"shape":[],"data_offsets":[0,4]}})", 4), "no dtype"},
        Malformed{"OtherType", file_of(one("F8_E4M3", "[2]", "[0,2]"), 2), "got dtype F8_E4M3"},
        Malformed{"NoShape", file_of(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4), "no shape"},
        Malformed{"NegativeExtent", file_of(one("F32", "[-1]", "[0,4]"), 4), "shape"},
        Malformed{"FractionalExtent", file_of(one("F32", "[1.5]", "[0,6]"), 6), "shape"},
        Malformed{"OverflowingShape", file_of(one("F32", "[4611686018427387904,4]", "[0,0]"), 0),
                  "more than"},
        Malformed{"OverflowBesideZero",
                  file_of(one("F32", "[4611686018427387904,4611686018427387904,0]", "[0,0]"), 0),
                  "more than"},
        Malformed{"WrongSize", file_of(one("F32", "[2]", "[0,4]"), 4), "got 4 bytes for shape (2)"},
        Malformed{"BackwardOffsets", file_of(one("F32", "[2]", "[8,0]"), 8), "data_offsets [8, 0]"},
        Malformed{"OffsetsPastTheEnd", file_of(one("F32", "[2]", "[0,8]"), 7), "data_offsets [0, 8] in 7"},
        Malformed{"ThreeOffsets", file_of(one("F32", "[2]", "[0,8,8]"), 8), "no pair"},
        Malformed{"NegativeOffset", file_of(one("F32", "[2]", "[-1,7]"), 8), "no counts"},
        Malformed{"Gap", file_of(one("F32", "[1]", "[4,8]"), 8), "away from the end"},
        Malformed{"Overlap",
                  file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                          3),
                  "tensor 'b': got data_offsets from 1, inside"},
        Malformed{"TrailingBytes", file_of(one("F32", "[1]", "[0,4]"), 5), "got 5 bytes for 4"},
        Malformed{"NameTwice",
                  file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                          2),
                  "the name twice"},
        Malformed{"NameOfTwoLines", file_of(R"({"a\nb":1})", 0), R"(tensor 'a\x0ab')"},
        Malformed{"MetadataNoText", file_of(R"({"__metadata__":{"k":1}})", 0), "no text"}),
    [](const auto& test) { return std::string(test.param.what); });

}  // namespace
}  // namespace ssd
