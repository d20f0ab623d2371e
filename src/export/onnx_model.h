// A model in ONNX's file format, built node by node and written; nothing is read.
//
// The format is protocol buffers': the fields are those of onnx.proto (github.com/onnx/onnx), IR version 8,
// operators of opset 17. Values are strings: the names of inputs, constants and nodes' outputs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/tensor.h"

namespace ssd::onnx {

// A dimension of a size or, where it has a name, of any.
struct Dimension {
  std::int64_t size = 0;
  std::string name = "";
};

// An input or an output of the whole.
struct Port {
  std::string name;
  DType dtype = DType::f32;
  std::vector<Dimension> shape;
};

struct Attribute {
  std::string_view name;
  std::variant<std::int64_t, std::vector<std::int64_t>> value;
};

// The number that ONNX has for a type, as Cast takes it. Throws Error for f64, bf16 and i32, which no model
// of ours holds.
std::int64_t number_of(DType dtype);

class Model {
 public:
  std::string input(const Port& port);
  // Says that a value of that name is a result.
  void output(const Port& port);

  // Elements that are part of the file. Throws Error where the file would be too large for its format.
  std::string constant(const std::string& name, const TensorView& tensor);
  // A list of whole numbers, as shapes and axes are given; a single number, without a dimension.
  std::string integers(const std::vector<std::int64_t>& values);
  std::string scalar(float value);

  // Appends an operator with one output, whose name is `name`, or a new one where that is empty.
  std::string node(std::string_view operation, const std::vector<std::string>& inputs,
                   const std::vector<Attribute>& attributes = {}, const std::string& name = "");
  // With several, of which `names` gives the names.
  void node(std::string_view operation, const std::vector<std::string>& inputs,
            const std::vector<Attribute>& attributes, const std::vector<std::string>& names);
  // A name that no value has: "Relu_7".
  std::string fresh(std::string_view stem);

  // Writes the file atomically. Throws Error.
  void write(const std::filesystem::path& path, const std::string& producer_version,
             const std::map<std::string, std::string>& metadata) const;

 private:
  void add_port(std::uint32_t field, const Port& port);

  std::string graph_;  // the fields of a GraphProto so far
  int next_ = 0;
};

}  // namespace ssd::onnx
