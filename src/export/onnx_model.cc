#include "export/onnx_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cassert>
#include <protozero/pbf_writer.hpp>

#include "base/error.h"
#include "storage/atomic_file.h"

namespace ssd::onnx {
namespace {

using Tag = protozero::pbf_tag_type;

constexpr std::int64_t ir_version = 8;
constexpr std::int64_t opset = 17;
// Readers of protocol buffers take 2 GiB; the rest of the model needs far less than this.
constexpr std::size_t most_bytes = (std::size_t{1} << 31) - (std::size_t{1} << 24);

namespace model_field {
constexpr Tag ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8,
              metadata_props = 14;
}
namespace graph_field {
constexpr Tag node = 1, name = 2, initializer = 5, input = 11, output = 12;
}
namespace node_field {
constexpr Tag input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute_field {
constexpr Tag name = 1, i = 3, ints = 8, type = 20;
constexpr std::int32_t type_int = 2, type_ints = 7;
}  // namespace attribute_field
namespace tensor_field {
constexpr Tag dims = 1, data_type = 2, name = 8, raw_data = 9;
}
namespace value_field {
constexpr Tag name = 1, type = 2;            // ValueInfoProto
constexpr Tag tensor_type = 1;               // TypeProto
constexpr Tag elem_type = 1, shape = 2;      // TypeProto.Tensor
constexpr Tag dim = 1;                       // TensorShapeProto
constexpr Tag dim_value = 1, dim_param = 2;  // TensorShapeProto.Dimension
}  // namespace value_field
namespace opset_field {
constexpr Tag version = 2;
}
namespace entry_field {
constexpr Tag key = 1, value = 2;
}

void add_attribute(protozero::pbf_writer& node, const Attribute& attribute) {
  protozero::pbf_writer writer(node, node_field::attribute);
  writer.add_string(attribute_field::name, attribute.name.data(), attribute.name.size());
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    writer.add_int64(attribute_field::i, *number);
    writer.add_enum(attribute_field::type, attribute_field::type_int);
  } else {
    for (const std::int64_t value : std::get<std::vector<std::int64_t>>(attribute.value))
      writer.add_int64(attribute_field::ints, value);
    writer.add_enum(attribute_field::type, attribute_field::type_ints);
  }
}

}  // namespace

std::int64_t number_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 1;
    case DType::u8:
      return 2;
    case DType::i64:
      return 7;
    case DType::f16:
      return 10;
    case DType::f64:
    case DType::bf16:
    case DType::i32:
      break;
  }
  throw Error("onnx: got elements of {}, expected f32, f16, u8 or i64", name_of(dtype));
}

void Model::add_port(std::uint32_t field, const Port& port) {
  protozero::pbf_writer graph(graph_);
  protozero::pbf_writer value(graph, field);
  value.add_string(value_field::name, port.name);
  protozero::pbf_writer type(value, value_field::type);
  protozero::pbf_writer tensor(type, value_field::tensor_type);
  tensor.add_enum(value_field::elem_type, static_cast<std::int32_t>(number_of(port.dtype)));
  protozero::pbf_writer shape(tensor, value_field::shape);
  for (const Dimension& dimension : port.shape) {
    protozero::pbf_writer writer(shape, value_field::dim);
    if (dimension.name.empty())
      writer.add_int64(value_field::dim_value, dimension.size);
    else
      writer.add_string(value_field::dim_param, dimension.name);
  }
}

std::string Model::input(const Port& port) {
  add_port(graph_field::input, port);
  return port.name;
}

void Model::output(const Port& port) { add_port(graph_field::output, port); }

std::string Model::constant(const std::string& name, const TensorView& tensor) {
  if (tensor.bytes() > most_bytes || graph_.size() > most_bytes - tensor.bytes())
    throw Error(
        "onnx: got weights of more than 2 GiB, expected less: ONNX's files hold no more; pass --format "
        "safetensors, or f16 in place of f32");
  protozero::pbf_writer graph(graph_);
  protozero::pbf_writer writer(graph, graph_field::initializer);
  for (const std::int64_t extent : tensor.shape.extents()) writer.add_int64(tensor_field::dims, extent);
  writer.add_int32(tensor_field::data_type, static_cast<std::int32_t>(number_of(tensor.dtype)));
  writer.add_string(tensor_field::name, name);
  writer.add_bytes(tensor_field::raw_data, reinterpret_cast<const char*>(tensor.data), tensor.bytes());
  return name;
}

std::string Model::integers(const std::vector<std::int64_t>& values) {
  return constant(fresh("integers"), {DType::i64,
                                      {static_cast<std::int64_t>(values.size())},
                                      reinterpret_cast<const std::byte*>(values.data())});
}

std::string Model::scalar(float value) {
  return constant(fresh("number"), {DType::f32, {}, reinterpret_cast<const std::byte*>(&value)});
}

std::string Model::node(std::string_view operation, const std::vector<std::string>& inputs,
                        const std::vector<Attribute>& attributes, const std::string& name) {
  const std::string output = name.empty() ? fresh(operation) : name;
  node(operation, inputs, attributes, std::vector<std::string>{output});
  return output;
}

void Model::node(std::string_view operation, const std::vector<std::string>& inputs,
                 const std::vector<Attribute>& attributes, const std::vector<std::string>& names) {
  protozero::pbf_writer graph(graph_);
  protozero::pbf_writer writer(graph, graph_field::node);
  for (const std::string& input : inputs) writer.add_string(node_field::input, input);
  for (const std::string& output : names) writer.add_string(node_field::output, output);
  writer.add_string(node_field::name, names.front());
  writer.add_string(node_field::op_type, operation.data(), operation.size());
  for (const Attribute& attribute : attributes) add_attribute(writer, attribute);
}

std::string Model::fresh(std::string_view stem) { return fmt::format("{}_{}", stem, next_++); }

void Model::write(const std::filesystem::path& path, const std::string& producer_version,
                  const std::map<std::string, std::string>& metadata) const {
  std::string head, tail;
  protozero::pbf_writer model(head);
  model.add_int64(model_field::ir_version, ir_version);
  model.add_string(model_field::producer_name, "singleshot");
  model.add_string(model_field::producer_version, producer_version);
  {
    protozero::pbf_writer operators(model, model_field::opset_import);
    operators.add_int64(opset_field::version, opset);
  }
  for (const auto& [key, value] : metadata) {
    protozero::pbf_writer entry(model, model_field::metadata_props);
    entry.add_string(entry_field::key, key);
    entry.add_string(entry_field::value, value);
  }
  // The graph is the last field: its elements are written from where they are.
  protozero::pbf_writer name(tail);
  name.add_string(graph_field::name, "ssd300");
  protozero::add_varint_to_buffer(&head,
                                  (std::uint64_t{model_field::graph} << 3) |
                                      static_cast<std::uint64_t>(protozero::pbf_wire_type::length_delimited));
  protozero::add_varint_to_buffer(&head, graph_.size() + tail.size());
  AtomicFile file(path);
  for (const std::string_view part :
       {std::string_view(head), std::string_view(graph_), std::string_view(tail)})
    file.write(part);
  file.commit();
}

}  // namespace ssd::onnx
