#include "weights/torch_file.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <cstring>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "storage/atomic_file.h"
#include "storage/mapped_file.h"
#include "testing/file_content.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"
#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/weights.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;
using namespace std::string_literals;

fs::path testdata(const char* name) { return fs::path(SSD_SOURCE_DIR) / "src/weights/testdata" / name; }

// Element i of every tensor in testdata (make_testdata.py).
float value(std::size_t i) { return static_cast<float>(i % 11) * 0.5f - 2; }

TensorMap read_torch(const fs::path& path) {
  const MappedFile file(path);
  return read_torch_file(file.bytes(), file.name()).tensors;
}

std::string refusal(const fs::path& path) {
  return message_of([&] { read_torch(path); });
}

std::vector<std::string> names_of(const TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

class TorchTypes : public testing::TestWithParam<const char*> {};

TEST_P(TorchTypes, AreReadAsPyTorchWroteThem) {
  const TensorMap tensors = read_torch(testdata(GetParam()));
  EXPECT_EQ(tensors.size(), 14u);
  for (const auto& [name, tensor] : read_safetensors(testdata("types.safetensors"))) {
    const Tensor& other = tensors.at(name);
    EXPECT_EQ(other.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(other.shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(other.data(), tensor.data(), tensor.bytes()), 0) << name;
  }
  EXPECT_EQ(tensors.at("scalar").shape(), Shape{});
  EXPECT_EQ(tensors.at("scalar").as<std::int64_t>()[0], 7);
  EXPECT_EQ(tensors.at("empty").shape(), (Shape{0, 3}));
}

TEST_P(TorchTypes, StridedViewsBecomeDense) {
  const TensorMap tensors = read_torch(testdata(GetParam()));
  const Tensor& transposed = tensors.at("transposed");  // of 4 x 6
  const Tensor& columns = tensors.at("columns");        // [1:3, ::2]
  const Tensor& expanded = tensors.at("expanded");      // [:, 1:2], three times
  ASSERT_EQ(transposed.shape(), (Shape{6, 4}));
  ASSERT_EQ(columns.shape(), (Shape{2, 3}));
  ASSERT_EQ(expanded.shape(), (Shape{4, 3}));
  for (std::size_t row = 0; row < 6; ++row)
    for (std::size_t column = 0; column < 4; ++column)
      EXPECT_EQ(transposed.as<float>()[row * 4 + column], value(column * 6 + row));
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t column = 0; column < 3; ++column)
      EXPECT_EQ(columns.as<float>()[row * 3 + column], value((row + 1) * 6 + column * 2));
  for (std::size_t row = 0; row < 4; ++row)
    for (std::size_t column = 0; column < 3; ++column)
      EXPECT_EQ(expanded.as<float>()[row * 3 + column], value(row * 6 + 1));
}

INSTANTIATE_TEST_SUITE_P(Protocols, TorchTypes, testing::Values("types.pt", "types_protocol4.pt"),
                         [](const auto& test) { return "Protocol"s + (test.index == 0 ? "2" : "4"); });

TEST(TorchFile, ReadsAModulesStateWithoutItsLayerVersions) {
  const TensorMap tensors = read_torch(testdata("module.pt"));
  EXPECT_EQ(names_of(tensors),
            (std::vector<std::string>{"0.bias", "0.weight", "1.bias", "1.num_batches_tracked",
                                      "1.running_mean", "1.running_var", "1.weight"}));
  const Tensor& weight = tensors.at("0.weight");
  ASSERT_EQ(weight.shape(), (Shape{2, 3, 3, 3}));
  for (std::size_t i = 0; i < 54; ++i) EXPECT_EQ(weight.as<float>()[i], value(i));
}

TEST(TorchFile, FindsTheModelOfACheckpoint) {
  const NetworkWeights weights = read_network_weights(testdata("checkpoint.pt"));
  const TensorMap& tensors = weights.tensors;
  EXPECT_EQ(weights.note, "in 'model', without 'module.1.' before the names");
  EXPECT_EQ(weights.labels, (std::map<std::int64_t, std::string>{{1, "person"}, {2, "bicycle"}}));
  EXPECT_EQ(names_of(tensors), std::vector<std::string>{"0.weight"});
  EXPECT_EQ(tensors.at("0.weight").as<float>()[3], value(3));
}

TEST(TorchFile, TellsWhereARunStands) {
  const MappedFile file(testdata("checkpoint.pt"));
  const auto progress = read_torch_progress(file.bytes(), file.name());
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->epoch, 3);
  EXPECT_EQ(progress->iteration, 700);
  EXPECT_EQ(names_of(progress->optimizer), std::vector<std::string>{"0.momentum_buffer"});
  // The first step's momentum is the gradient: of a sum over ones, that is 1 in every place.
  for (const float element : progress->optimizer.at("0.momentum_buffer").as<float>())
    EXPECT_EQ(element, 1.0f);
  const MappedFile weights(testdata("module.pt"));
  EXPECT_FALSE(read_torch_progress(weights.bytes(), weights.name()));
}

TEST(TorchFile, RefusesAForeignGlobalByName) {
  const std::string message = refusal(testdata("evil.pt"));
  EXPECT_NE(message.find("evil.pt: pickle byte "), std::string::npos) << message;
  EXPECT_NE(message.find("global 'posix.system'"), std::string::npos) << message;
}

TEST(TorchFile, RefusesOtherFormatsWithTheWayOut) {
  EXPECT_NE(refusal(testdata("script.pt")).find("TorchScript"), std::string::npos);
  EXPECT_NE(refusal(testdata("types.safetensors")).find("neither a zip archive"), std::string::npos);
}

TEST(TorchFile, ReadsTheFormatBeforePyTorch16) {
  const TensorMap tensors = read_torch(testdata("legacy.pt"));
  EXPECT_EQ(names_of(tensors), std::vector<std::string>{"w"});
  ASSERT_EQ(tensors.at("w").shape(), (Shape{2, 2}));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(tensors.at("w").as<float>()[i], value(i));
}

// Every damage to a real file ends in an Error or in a tensor map, never in anything else (run with
// sanitizers).
TEST(TorchFile, SurvivesDamage) {
  const std::string whole = content_of(testdata("checkpoint.pt"));
  Random random(7, 0, 0);
  int refused = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string damaged = whole;
    const int changes = 1 + static_cast<int>(random.below(4));
    for (int i = 0; i < changes; ++i)
      damaged[static_cast<std::size_t>(random.below(damaged.size()))] = static_cast<char>(random.next());
    if (random.coin(0.3)) damaged.resize(static_cast<std::size_t>(random.below(damaged.size())));
    try {
      read_torch_file(std::as_bytes(std::span(damaged)), "damaged.pt");
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(refused, 1500);
}

// --- archives and pickles made here, opcode by opcode ---

// A torch.save archive "a/" of a pickle and one storage.
fs::path archive_of(const TemporaryFolder& folder, const std::string& pickle, const std::string& storage) {
  const fs::path path = folder.path() / "made.pt";
  int code = 0;
  zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) throw std::runtime_error("cannot make " + path.string());
  for (const auto& [name, content] : {std::pair("a/data.pkl", &pickle), std::pair("a/data/0", &storage)}) {
    zip_source_t* const source = zip_source_buffer(archive, content->data(), content->size(), 0);
    const zip_int64_t index = zip_file_add(archive, name, source, ZIP_FL_OVERWRITE);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  }
  if (zip_close(archive) != 0) throw std::runtime_error("cannot write " + path.string());
  return path;
}

std::string text(const std::string& value) {  // BINUNICODE
  return "X"s + static_cast<char>(value.size()) + "\0\0\0"s + value;
}
std::string integer(std::int32_t value) {  // BININT
  return "J"s + std::string(reinterpret_cast<const char*>(&value), 4);
}

// {"w": a tensor over FloatStorage "0" of `elements`}
std::string tensor_pickle(std::int32_t elements, std::int32_t offset, const std::string& shape,
                          const std::string& strides) {
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(elements) + "tQ";
  return "\x80\x02}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) + "(" +
         shape + "t(" + strides + "t\x89Nt" + "Rs.";
}

TEST(TorchFile, ReadsAPickleMadeByHand) {
  const TemporaryFolder folder;
  const std::string storage("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2
  const fs::path path = archive_of(folder, tensor_pickle(2, 1, integer(1), integer(1)), storage);
  EXPECT_EQ(read_torch(path).at("w").as<float>()[0], 2.0f);
}

TEST(TorchFile, NamesTheEntriesThereAre) {
  const TemporaryFolder folder;
  const std::string optimizer = "}" + text("groups") + "Ns";
  const fs::path path = archive_of(
      folder, "\x80\x02}(" + text("epoch") + integer(3) + text("optimizer") + optimizer + "u.", "");
  const MappedFile file(path);
  EXPECT_EQ(message_of([&] { read_torch_progress(file.bytes(), "a.pt"); }),
            "a.pt: got no entry 'state' in it; choose among groups");
}

TEST(TorchFile, RefusesTensorsOutsideTheirStorage) {
  const TemporaryFolder folder;
  const std::string storage(8, '\0');
  for (const std::string& pickle : {
           tensor_pickle(2, 2, integer(1), integer(1)),               // one past the end
           tensor_pickle(2, -1, integer(1), integer(1)),              // before the start
           tensor_pickle(2, 0, integer(2), integer(2)),               // by its stride
           tensor_pickle(2, 0, integer(2), integer(-1)),              // backwards
           tensor_pickle(2, 0, integer(-2), integer(1)),              // negative extent
           tensor_pickle(3, 0, integer(3), integer(1)),               // storage cut short
           tensor_pickle(2, 0, integer(2) + integer(1), integer(1)),  // fewer strides than extents
           tensor_pickle(2, 0, integer(2147483647) + integer(1),
                         integer(0) + integer(0)),  // 8 GB out of 4 bytes
           tensor_pickle(2, 0, integer(2147483647) + integer(2147483647) + integer(2147483647),
                         integer(1) + integer(1) + integer(1)),  // more than 64 bits
       })
    EXPECT_NE(refusal(archive_of(folder, pickle, storage)).find("'"), std::string::npos) << pickle;
}

struct BadPickle {
  const char* what;
  std::string stream;
  const char* expected;
};

class PickleRefuses : public testing::TestWithParam<BadPickle> {};

TEST_P(PickleRefuses, WithThePositionAndTheFault) {
  const std::string message =
      message_of([&] { pickle::parse(std::as_bytes(std::span(GetParam().stream)), "f.pt"); });
  EXPECT_EQ(message.find("f.pt: pickle byte "), 0u) << message;
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, PickleRefuses,
    testing::Values(
        BadPickle{"Empty", "", "got the end"}, BadPickle{"NoStop", "\x80\x02N", "got the end"},
        BadPickle{"Protocol0", "\x80\x01N.", "got protocol 1"},
        BadPickle{"UnknownOpcode", "\x80\x02i", "opcode 0x69"},
        BadPickle{"OsSystem", "\x80\x02"s + "cos\nsystem\n(" + text("id") + "tR.", "'os.system'"},
        BadPickle{"OsSystemByStack", "\x80\x04\x8c\x02os\x8c\x06system\x93.", "'os.system'"},
        BadPickle{"AttributeOfAllowed",
                  "\x80\x04\x8c\x0b"
                  "collections\x8c\x14OrderedDict.__init__\x93.",
                  "'collections.OrderedDict.__init__'"},
        BadPickle{"CutText", "X\xff\xff\xff\x7f"s + "a", "got the end"},
        BadPickle{"CutLine", "ctorch", "got the end"}, BadPickle{"EmptyStack", ".", "empty stack"},
        BadPickle{"NoMark", "t", "no mark"}, BadPickle{"TooFewForTuple", "N\x87", "got 1 values"},
        BadPickle{"PopAcrossMark", "N(0", "empty stack"}, BadPickle{"UnsetMemo", "h\7", "entry 7"},
        BadPickle{"ItemForNone", "NNNs", "no dict"}, BadPickle{"OddItems", "}(Nu", "no dict"},
        BadPickle{"AppendToNone", "NNa", "no list"}, BadPickle{"CallOfText", text("f") + ")R", "a function"},
        BadPickle{"CallOfStorage", "ctorch\nFloatStorage\n)R", "storage class"},
        BadPickle{"PersistentText", text("x") + "Q", "('storage'"},
        BadPickle{"TensorWithoutArguments", "ctorch._utils\n_rebuild_tensor_v2\n)R", "got 0 arguments"},
        BadPickle{"AttributesOfNone", "N}b", "attributes"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(TorchFile, RefusesValuesThatHoldThemselves) {
  const TemporaryFolder folder;
  const std::string cycle = "\x80\x02}q\0"s + text("me") + "h\0s."s;
  EXPECT_NE(refusal(archive_of(folder, cycle, "")).find("nested without end"), std::string::npos);
  // Each of 30 dicts holds the one before it twice: 2^30 paths.
  std::string doubling = "\x80\x02}q\0"s;
  for (int i = 1; i <= 30; ++i) {
    const std::string before = "h"s + static_cast<char>(i - 1);
    doubling += "}q"s + static_cast<char>(i) + text("a") + before + "s" + text("b") + before + "s";
  }
  EXPECT_NE(refusal(archive_of(folder, doubling + ".", "")).find("nested without end"), std::string::npos);
}

TEST(Weights, AreToldApartByContent) {
  const TemporaryFolder folder;
  fs::copy(testdata("types.pt"), folder.path() / "a.safetensors");
  fs::copy(testdata("types.safetensors"), folder.path() / "model.safetensors.pt");
  EXPECT_EQ(read_network_weights(folder.path() / "a.safetensors").tensors.size(), 14u);
  EXPECT_EQ(read_network_weights(folder.path() / "model.safetensors.pt").tensors.size(), 8u);
  fs::rename(folder.path() / "model.safetensors.pt", folder.path() / "model.safetensors");
  EXPECT_EQ(read_network_weights(folder.path()).tensors.size(), 8u);
  EXPECT_THROW(read_network_weights(testdata("make_testdata.py")), Error);
}

TEST(Weights, LoseOnlyThePrefixesThatAllShare) {
  const auto stripped = [](std::initializer_list<const char*> names) {
    TensorMap tensors;
    for (const char* name : names) tensors.emplace(name, Tensor(DType::f32, {1}));
    strip_common_prefixes(tensors);
    return names_of(tensors);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(stripped({"module.a.b", "module.c"}), (Names{"a.b", "c"}));
  EXPECT_EQ(stripped({"module.1.a.b", "module.1.c"}), (Names{"a.b", "c"}));
  EXPECT_EQ(stripped({"module.module.a", "module.module.b"}), (Names{"a", "b"}));
  EXPECT_EQ(stripped({"module.a", "b"}), (Names{"b", "module.a"}));
  EXPECT_EQ(stripped({"model.backbone.a", "model.backbone.b"}), (Names{"a", "b"}));
  EXPECT_EQ(stripped({"backbone.a", "head.b"}), (Names{"backbone.a", "head.b"}));
  EXPECT_EQ(stripped({"conv.a", "conv.b"}), (Names{"conv.a", "conv.b"}));  // a network's own
  EXPECT_EQ(stripped({}), Names{});
}

TEST(Weights, AreReadFromThePublishedBackbone) {
  const fs::path path = fs::path(SSD_SOURCE_DIR) / "../shared/data/weights/resnet50-msra.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
  const TensorMap tensors = read_network_weights(path).tensors;
  EXPECT_EQ(tensors.size(), 215u);
  EXPECT_EQ(tensors.at("conv1.weight").shape(), (Shape{64, 3, 7, 7}));
}

}  // namespace
}  // namespace ssd
