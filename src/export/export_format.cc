#include "export/export_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "export/onnx.h"
#include "export/program_text.h"
#include "export/reference_checkpoint.h"
#include "weights/safetensors.h"

namespace ssd {
namespace {

// Tensors alone, with what else there is to know of a network as metadata.
std::vector<std::string> write_tensors(const ExportSource& source, const ExportOptions&,
                                       const std::filesystem::path& path) {
  const TrainedModel& network = source.network;
  Metadata metadata{{"backbone", std::string(model::name_of(network.model.backbone))}};
  if (network.knows_stride) metadata.emplace("stride_in", model::name_of(network.model.stride_in));
  for (std::size_t i = 0; i < network.categories.size(); ++i)
    metadata.emplace(fmt::format("class.{}", i + 1), network.categories[i].name);
  write_safetensors(path, network.weights, metadata);
  return {};
}

std::vector<std::string> write_torch(const ExportSource& source, const ExportOptions&,
                                     const std::filesystem::path& path) {
  return write_reference_checkpoint(source, path);
}

}  // namespace

std::span<const ExportFormat> export_formats() {
  using namespace export_option;
  static const std::vector<ExportFormat> formats{
      {"torch", "PyTorch's .pt", {}, {DType::f32}, write_torch},
      {"safetensors", "weights", {}, {DType::f32}, write_tensors},
      {"onnx", "a model", {postprocess, batch, precision, input}, {DType::f32, DType::f16}, write_onnx},
      {"stablehlo", "text", {batch, precision}, {DType::f32, DType::bf16}, write_program_text},
  };
  return formats;
}

const ExportFormat& export_format_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ExportFormat& format : export_formats()) {
    if (format.name == name) return format;
    names.push_back(format.name);
  }
  throw Error("format: got '{}', expected one of {}", name, fmt::join(names, ", "));
}

}  // namespace ssd
