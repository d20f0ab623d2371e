// Reading an optimized module: a hand-made one, and damaged bytes.
#include "backend/pjrt/hlo.h"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

// Messages of xla/service/hlo.proto: only the fields that are read.
std::string shape(int element_type, const std::vector<std::int64_t>& extents) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_enum(2, element_type);
  writer.add_packed_int64(3, extents.begin(), extents.end());
  return bytes;
}
std::string tuple(const std::vector<std::string>& parts) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_enum(2, 13);
  for (const std::string& part : parts) writer.add_message(4, part);
  return bytes;
}
struct Made {
  std::int64_t id;
  std::string opcode, shape;
  std::vector<std::int64_t> operands = {};
  std::string backend_config = "";
  std::string call_target = "";
};
std::string module_of(const std::vector<Made>& instructions) {
  std::string computation, bytes;
  protozero::pbf_writer writer(computation);
  for (const Made& made : instructions) {
    protozero::pbf_writer one(writer, 2);
    one.add_string(1, made.opcode + "." + std::to_string(made.id));
    one.add_string(2, made.opcode);
    one.add_message(3, made.shape);
    one.add_string(28, made.call_target);
    one.add_int64(35, made.id);
    one.add_packed_int64(36, made.operands.begin(), made.operands.end());
    one.add_bytes(43, made.backend_config);
  }
  writer.add_int64(5, 77);
  protozero::pbf_writer top(bytes);
  top.add_string(1, "module");
  top.add_message(3, computation);
  top.add_int64(6, 77);
  return bytes;
}
constexpr int f32 = 11, bf16 = 16;

TEST(Module, CountsConvolutionsThatALibraryIsCalledFor) {
  const std::string result = tuple({shape(bf16, {8, 3, 3, 5}), shape(6, {1024})});
  const std::string bytes = module_of({
      {1, "parameter", shape(bf16, {8, 3, 3, 4})},
      {2, "parameter", shape(f32, {5, 4, 1, 1})},
      {3, "custom-call", result, {1, 1}, "", "__cudnn$convBackwardFilter"},
      {4, "custom-call", shape(f32, {8, 8}), {2, 2}, "", "__cublas$lt$matmul"},
      {5, "custom-call", shape(f32, {8}), {2}, "", "TopK"},
  });
  const std::map<std::string, int> expected{{"bf16 x bf16 -> bf16", 1}, {"f32 x f32 -> f32", 1}};
  EXPECT_EQ(summarize_module(bytes, false).convolutions, expected);
}

TEST(Module, CountsCollectivesConvolutionsAndCycles) {
  const std::string bytes = module_of({
      {1, "parameter", shape(bf16, {8, 3, 3, 4})},
      {2, "parameter", shape(bf16, {5, 4, 1, 1})},
      {3, "convolution", shape(f32, {8, 3, 3, 5}), {1, 2}, R"({"estimated_cycles":"250"})"},
      {4,
       "all-reduce",
       tuple({shape(f32, {5, 4, 1, 1}), shape(f32, {5})}),
       {3},
       R"({"estimated_cycles":"50"})"},
      {5, "all-reduce", shape(f32, {}), {3}},
  });
  const ModuleSummary summary = summarize_module(bytes, false);
  ASSERT_EQ(summary.collectives.size(), 2u);
  EXPECT_EQ(summary.collectives[0].tensors, 2);
  EXPECT_EQ(summary.collectives[0].bytes, 100);
  EXPECT_FALSE(summary.collectives[0].scalars());
  EXPECT_TRUE(summary.collectives[1].scalars());
  EXPECT_EQ(summary.convolutions, (std::map<std::string, int>{{"bf16 x bf16 -> f32", 1}}));
  EXPECT_EQ(summary.cycles, 300);
  std::string with_config;
  protozero::pbf_writer(with_config).add_message(1, bytes);
  EXPECT_EQ(summarize_module(with_config, true).collectives.size(), 2u);
}

TEST(Module, OtherBytesAreAnError) {
  EXPECT_THROW(summarize_module("", false), Error);
  EXPECT_THROW(summarize_module("no module at all", true), Error);
  const std::string bytes = module_of({{1, "parameter", shape(f32, {2})}});
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    try {  // cut short: an Error, or a summary of what is there, but nothing worse
      summarize_module(bytes.substr(0, length), false);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace ssd::pjrt
