#include "backend/pjrt/hlo.h"

#include <fmt/format.h>

#include <cstdlib>
#include <protozero/pbf_reader.hpp>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

// Field numbers of xla/service/hlo.proto and xla/xla_data.proto.
namespace field {
constexpr protozero::pbf_tag_type module_of_config = 1;
constexpr protozero::pbf_tag_type module_computations = 3, module_entry_id = 6;
constexpr protozero::pbf_tag_type computation_instructions = 2, computation_id = 5;
constexpr protozero::pbf_tag_type instruction_name = 1, instruction_opcode = 2, instruction_shape = 3,
                                  instruction_call_target = 28, instruction_id = 35,
                                  instruction_operands = 36, instruction_backend_config = 43;
constexpr protozero::pbf_tag_type shape_element_type = 2, shape_dimensions = 3, shape_tuple = 4;
}  // namespace field

struct ElementType {
  const char* name;
  std::int64_t bytes;
};
ElementType element_type(int number) {
  switch (number) {
    case 1:
      return {"pred", 1};
    case 2:
      return {"s8", 1};
    case 3:
      return {"s16", 2};
    case 4:
      return {"s32", 4};
    case 5:
      return {"s64", 8};
    case 6:
      return {"u8", 1};
    case 7:
      return {"u16", 2};
    case 8:
      return {"u32", 4};
    case 9:
      return {"u64", 8};
    case 10:
      return {"f16", 2};
    case 11:
      return {"f32", 4};
    case 12:
      return {"f64", 8};
    case 16:
      return {"bf16", 2};
  }
  return {"other", 0};
}

struct HloShape {
  int element_type = 0;
  std::int64_t elements = 1;
  std::vector<HloShape> tuple;
};

HloShape read_shape(protozero::pbf_reader message) {
  HloShape shape;
  while (message.next()) {
    switch (message.tag()) {
      case field::shape_element_type:
        shape.element_type = message.get_enum();
        break;
      case field::shape_dimensions:
        if (message.wire_type() == protozero::pbf_wire_type::varint) {
          shape.elements *= message.get_int64();
        } else {
          for (const std::int64_t extent : message.get_packed_int64()) shape.elements *= extent;
        }
        break;
      case field::shape_tuple:
        shape.tuple.push_back(read_shape(message.get_message()));
        break;
      default:
        message.skip();
    }
  }
  return shape;
}

struct Instruction {
  std::int64_t id = 0;
  std::string name, opcode, call_target, backend_config;
  HloShape shape;
  std::vector<std::int64_t> operands;
};

Instruction read_instruction(protozero::pbf_reader message) {
  Instruction instruction;
  while (message.next()) {
    switch (message.tag()) {
      case field::instruction_name:
        instruction.name = message.get_string();
        break;
      case field::instruction_opcode:
        instruction.opcode = message.get_string();
        break;
      case field::instruction_shape:
        instruction.shape = read_shape(message.get_message());
        break;
      case field::instruction_call_target:
        instruction.call_target = message.get_string();
        break;
      case field::instruction_id:
        instruction.id = message.get_int64();
        break;
      case field::instruction_operands:
        for (const std::int64_t id : message.get_packed_int64()) instruction.operands.push_back(id);
        break;
      case field::instruction_backend_config:
        instruction.backend_config = message.get_bytes();
        break;
      default:
        message.skip();
    }
  }
  return instruction;
}

// GPUs' compiler calls a library for most.
bool is_convolution(const Instruction& instruction) {
  if (instruction.opcode == "custom-call")
    for (const char* library : {"__cudnn$conv", "__cublas$"})
      if (instruction.call_target.starts_with(library)) return true;
  return instruction.opcode == "convolution" || instruction.opcode == "dot";
}

// Of the result, or of its first part: a library's call gives its working memory, too.
int result_type(const HloShape& shape) {
  return shape.tuple.empty() ? shape.element_type : shape.tuple[0].element_type;
}

bool is_collective(const std::string& opcode) {
  for (const char* known : {"all-reduce", "all-reduce-start", "all-gather", "all-gather-start",
                            "reduce-scatter", "all-to-all", "collective-permute", "collective-permute-start"})
    if (opcode == known) return true;
  return false;
}

void add_tensors(const HloShape& shape, Collective& collective) {
  for (const HloShape& part : shape.tuple) add_tensors(part, collective);
  if (!shape.tuple.empty()) return;
  ++collective.tensors;
  collective.elements += shape.elements;
  collective.bytes += shape.elements * element_type(shape.element_type).bytes;
}

// The number in "estimated_cycles":"253" of a TPU instruction's configuration; 0 where there is none.
double cycles_of(const std::string& backend_config) {
  constexpr std::string_view key = "\"estimated_cycles\":\"";
  const std::size_t at = backend_config.find(key);
  return at == std::string::npos ? 0 : std::strtod(backend_config.c_str() + at + key.size(), nullptr);
}

struct Computation {
  std::int64_t id = 0;
  std::vector<Instruction> instructions;
};

Computation read_computation(protozero::pbf_reader message) {
  Computation computation;
  while (message.next()) {
    switch (message.tag()) {
      case field::computation_instructions:
        computation.instructions.push_back(read_instruction(message.get_message()));
        break;
      case field::computation_id:
        computation.id = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return computation;
}

void summarize(const Computation& computation, bool entry, ModuleSummary& summary) {
  std::map<std::int64_t, const Instruction*> by_id;
  for (const Instruction& instruction : computation.instructions) by_id[instruction.id] = &instruction;
  const auto type_of_operand = [&](const Instruction& instruction, std::size_t index) {
    const auto found =
        index < instruction.operands.size() ? by_id.find(instruction.operands[index]) : by_id.end();
    return found == by_id.end() ? "?" : element_type(found->second->shape.element_type).name;
  };
  for (const Instruction& instruction : computation.instructions) {
    if (entry) summary.cycles += cycles_of(instruction.backend_config);
    if (is_convolution(instruction))
      ++summary.convolutions[fmt::format("{} x {} -> {}", type_of_operand(instruction, 0),
                                         type_of_operand(instruction, 1),
                                         element_type(result_type(instruction.shape)).name)];
    if (!is_collective(instruction.opcode)) continue;
    Collective collective{.operation = instruction.opcode, .name = instruction.name};
    add_tensors(instruction.shape, collective);
    summary.collectives.push_back(std::move(collective));
  }
}

}  // namespace

ModuleSummary summarize_module(const std::string& bytes, bool with_config) {
  try {
    protozero::pbf_reader message(bytes);
    if (with_config) {
      if (!message.next(field::module_of_config)) throw Error("optimized program: got no module in it");
      message = message.get_message();
    }
    std::vector<Computation> computations;
    std::int64_t entry = -1;
    while (message.next()) {
      switch (message.tag()) {
        case field::module_computations:
          computations.push_back(read_computation(message.get_message()));
          break;
        case field::module_entry_id:
          entry = message.get_int64();
          break;
        default:
          message.skip();
      }
    }
    if (computations.empty())
      throw Error("optimized program: got {} bytes without a computation", bytes.size());
    ModuleSummary summary;
    for (const Computation& computation : computations)
      summarize(computation, computation.id == entry, summary);
    return summary;
  } catch (const protozero::exception& error) {
    throw Error("optimized program: got {} bytes that are no HLO module ({})", bytes.size(), error.what());
  }
}

}  // namespace ssd::pjrt
