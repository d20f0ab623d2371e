// What is written as torch.save would: read by our own reader, and by Python's zipfile and pickle.
#include "weights/torch_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "testing/temporary_folder.h"
#include "weights/stored_zip.h"
#include "weights/weights.h"

namespace ssd {
namespace {
using torch_save::Dict;
using torch_save::List;
using torch_save::None;
using torch_save::Value;

Tensor counting(DType type, Shape shape) {
  Tensor tensor(type, std::move(shape));
  for (std::size_t i = 0; i < tensor.bytes(); ++i) tensor.data()[i] = static_cast<std::byte>(i * 7 + 1);
  return tensor;
}

TEST(StoredZip, HasTheChecksumOfTheStandard) {
  const std::string_view digits = "123456789";  // the check value of CRC-32
  EXPECT_EQ(crc32(std::as_bytes(std::span(digits.data(), digits.size()))), 0xcbf43926u);
}

TEST(TorchWriter, WritesTensorsOfEveryTypeBitForBit) {
  const TemporaryFolder folder;
  TensorMap tensors;
  for (const DType type :
       {DType::f64, DType::f32, DType::f16, DType::bf16, DType::u8, DType::i32, DType::i64})
    tensors.emplace(std::string(name_of(type)), counting(type, {3, 1, 5}));
  tensors.emplace("scalar", counting(DType::i64, Shape{}));
  tensors.emplace("empty", counting(DType::f32, {0, 3}));
  Dict dict{{}, Dict::Kind::ordered};
  for (const auto& [name, tensor] : tensors) dict.add({name}, {TensorView(tensor)});
  torch_save::write(folder.path() / "a.pt", {std::move(dict)});
  const TensorMap back = read_network_weights(folder.path() / "a.pt").tensors;
  ASSERT_EQ(back.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(back.at(name).dtype(), tensor.dtype()) << name;
    ASSERT_EQ(back.at(name).shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(back.at(name).data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

// Python unpickles the file and finds the values, and every member's place at a multiple of 64.
TEST(TorchWriter, IsReadByPython) {
  const TemporaryFolder folder;
  const Tensor tensor = counting(DType::f32, {2, 3});
  Dict counts{{}, Dict::Kind::counter};
  counts.add({std::int64_t{43}}, {std::int64_t{2}});
  Dict root;
  root.add({std::string("text")}, {std::string("gr\xc3\xbc\xc3\x9f\n'")});
  root.add({std::string("numbers")}, {List{{Value{std::int64_t{-7}}, Value{std::int64_t{1} << 40},
                                            Value{-0.1}, Value{true}, Value{false}, Value{None{}}}}});
  root.add({std::string("counts")}, {std::move(counts)});
  root.add({std::string("none")}, {List{}});
  root.add({std::string("tensor")}, {TensorView(tensor)});
  const std::string file = (folder.path() / "a.pt").string();
  torch_save::write(file, {std::move(root)});
  const std::string script = SSD_SOURCE_DIR "/src/weights/testdata/check_torch_writer.py";
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + file + "'").c_str()), 0);
}

TEST(TorchWriter, RefusesTextThatIsNotUtf8AndLeavesNoFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(torch_save::write(folder.path() / "a.pt", {std::string("\xff")}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace ssd
