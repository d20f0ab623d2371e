#include "backend/cpu/program.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "backend/cpu/barrier_waits.h"
#include "backend/cpu/denormals.h"
#include "backend/cpu/onednn_isa.h"
#include "base/error.h"

namespace ssd::cpu {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Value;

void check(const Graph& graph, int processes) {
  if (graph.replicas != 1 && graph.replicas != processes)
    throw Error("cpu: got a graph of {} replicas, expected {}; run one process a replica", graph.replicas,
                processes);
  for (const Node& node : graph.nodes()) {
    const auto* convolution = std::get_if<graph::ConvolutionAttributes>(&node.attributes);
    if (convolution != nullptr) require(convolution->compute);
    if (convolution != nullptr && convolution->x_rounding && !has_byte_products())
      throw Error(
          "cpu: got a quantised network, expected a processor with AVX-512 VNNI or AVX-VNNI ({}); take "
          "the checkpoint that was quantised, which is faster here",
          onednn_description());
    const auto* norm = std::get_if<graph::BatchNormAttributes>(&node.attributes);
    if (norm != nullptr && graph.replicas % norm->group != 0)
      throw Error(
          "cpu: '{}' shares statistics among {} replicas, expected a divisor of {}; change --sync-batch-norm",
          node.name, norm->group, graph.replicas);
  }
}

std::set<std::string> updated_parameters(const std::vector<Graph>& graphs) {
  std::set<std::string> names;
  for (const Graph& graph : graphs)
    for (const graph::Update& update : graph.updates()) names.insert(graph.nodes()[update.parameter].name);
  return names;
}

// A task of no steps yet. A sum fused into it adds a tensor to what it reads, and an operation an element.
graph::NodeTime time_of(const Graph& graph, const Task& task, const Executor& executor) {
  graph::NodeTime time{task.node->name, task.node->kind, std::string(executor.method()),
                       graph::cost(graph, task.id)};
  if (task.summed_gradient) {
    const auto elements = static_cast<double>(task.in(0).type.shape.elements());
    time.cost += {.flops = elements, .bytes = elements * static_cast<double>(size_of(task.in(0).type.dtype))};
  }
  return time;
}

Tensor memory_of(std::size_t bytes) { return Tensor(DType::u8, {static_cast<std::int64_t>(bytes)}); }

}  // namespace

void require(DType compute) {
  if (compute == DType::f32 || (compute == DType::bf16 && has_bf16_products())) return;
  if (compute == DType::bf16)
    throw Error(
        "cpu: got precision bf16, expected a processor with AVX512_BF16 or AMX ({}); use --precision f32, "
        "which is "
        "faster here",
        onednn_description());
  throw Error("cpu: got precision {}, expected f32 or bf16; use --precision f32", name_of(compute));
}

CpuProgram::CpuProgram(std::vector<Graph> graphs, const Options& options) : threads_(options.threads) {
  omp_set_num_threads(threads_);  // primitives are made for so many threads
  static SingleProcess alone;
  Communicator& communicator = options.communicator != nullptr ? *options.communicator : alone;
  const std::set<std::string> updated = updated_parameters(graphs);
  std::size_t arena = 0;
  for (Graph& graph : graphs) {
    check(graph, communicator.size());
    auto compiled = std::make_unique<Compiled>();
    compiled->graph = std::move(graph);
    compiled->schedule = schedule(compiled->graph, options.block, updated);
    for (const Task& task : compiled->schedule.tasks) {
      compiled->executors.push_back(make_executor(task, communicator));
      compiled->times.push_back(time_of(compiled->graph, task, *compiled->executors.back()));
    }
    compiled->placement = place(compiled->graph, compiled->schedule, compiled->executors);
    if (compiled->graph.replicas > 1)
      compiled->exchange =
          std::make_unique<Exchange>(compiled->graph, compiled->schedule, communicator, options.bucket_bytes);
    arena = std::max(arena, compiled->placement.arena.bytes);
    add_parameters(*compiled);
    graphs_.push_back(std::move(compiled));
  }
  arena_ = memory_of(arena);
  for (auto& compiled : graphs_) bind(*compiled);
}

void CpuProgram::add_parameters(const Compiled& compiled) {
  for (const int id : compiled.graph.parameters()) {
    const Layout& layout = compiled.schedule.layouts[id][0];
    const std::string& name = compiled.graph.nodes()[id].name;
    const auto [place, first] = parameters_.try_emplace(name);
    if (first)
      place->second = {layout, memory_of(layout.bytes())};
    else if (!(place->second.layout == layout))
      throw Error("cpu: parameter '{}': got {} in one graph, expected {} as in another", name,
                  to_string(layout.type), to_string(place->second.layout.type));
  }
}

std::byte* CpuProgram::address(const Compiled& compiled, Value value) {
  value = compiled.schedule.resolve(compiled.graph, value);
  const Place place = compiled.placement.places[value.node][value.output];
  if (place.parameter >= 0) return parameters_.at(compiled.graph.nodes()[place.parameter].name).memory.data();
  return arena_.data() + compiled.placement.arena.offsets[place.slot];
}

void CpuProgram::bind(Compiled& compiled) {
  for (std::size_t t = 0; t < compiled.schedule.tasks.size(); ++t) {
    const Task& task = compiled.schedule.tasks[t];
    Operands operands;
    for (const Value input : task.inputs) operands.inputs.push_back(address(compiled, input));
    for (int o = 0; o < static_cast<int>(task.output_layouts.size()); ++o)
      operands.outputs.push_back(address(compiled, {task.id, o}));
    const int scratch = compiled.placement.scratch[t];
    if (scratch >= 0) operands.scratch = arena_.data() + compiled.placement.arena.offsets[scratch];
    compiled.operands.push_back(std::move(operands));
  }
  if (compiled.exchange) compiled.exchange->bind([&](Value value) { return address(compiled, value); });
}

void CpuProgram::load(const TensorMap& parameters) {
  for (auto& [name, parameter] : parameters_) {
    const auto found = parameters.find(name);
    if (found == parameters.end()) throw Error("cpu: parameter '{}' is missing", name);
    const graph::TensorType type{found->second.dtype(), found->second.shape()};
    if (!(type == parameter.layout.type))
      throw Error("cpu: parameter '{}': got {}, expected {}", name, to_string(type),
                  to_string(parameter.layout.type));
    pack(parameter.layout, found->second.data(), parameter.memory.data());
  }
  for (auto& compiled : graphs_)
    for (auto& executor : compiled->executors) executor->reload();
}

TensorMap CpuProgram::save() {
  TensorMap result;
  for (const auto& [name, parameter] : parameters_) {
    Tensor tensor(parameter.layout.type.dtype, parameter.layout.type.shape);
    unpack(parameter.layout, parameter.memory.data(), tensor.data());
    result.emplace(name, std::move(tensor));
  }
  return result;
}

void CpuProgram::start(int graph, const std::vector<TensorView>& inputs) {
  omp_set_num_threads(threads_);
  BarrierWaits::of_process().adapt(threads_);
  const FlushDenormals flush;
  Compiled& compiled = *graphs_.at(static_cast<std::size_t>(graph));
  StepTrace trace(trace_, compiled.times.size());
  feed(compiled, inputs);
  trace.part("inputs");
  execute(compiled, trace);
  finished_.push_back(outputs_of(compiled));
  trace.part("outputs");
  update(compiled);  // only now: outputs may be parameters
  trace.part("parameters");
  trace.finish();
}

void CpuProgram::update(const Compiled& compiled) {
  for (const graph::Update& copy : compiled.placement.copies) {
    const graph::TensorType& type = compiled.graph.type(copy.value);
    const Layout& layout = compiled.schedule.layouts[copy.parameter][0];
    const std::size_t bytes = layout.form == Form::dense
                                  ? static_cast<std::size_t>(type.shape.elements()) * size_of(type.dtype)
                                  : layout.bytes();
    std::memcpy(address(compiled, {copy.parameter, 0}), address(compiled, copy.value), bytes);
  }
}

void CpuProgram::record(Trace* trace) {
  trace_ = trace;
  for (auto& compiled : graphs_)
    if (compiled->exchange) compiled->exchange->record(trace);
}

void CpuProgram::feed(const Compiled& compiled, const std::vector<TensorView>& inputs) {
  const std::vector<int>& ids = compiled.graph.inputs();
  if (inputs.size() != ids.size()) throw Error("cpu: got {} inputs, expected {}", inputs.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Node& node = compiled.graph.nodes()[ids[i]];
    const graph::TensorType type{inputs[i].dtype, inputs[i].shape};
    if (!(type == node.outputs[0]))
      throw Error("cpu: input '{}': got {}, expected {}", node.name, to_string(type),
                  to_string(node.outputs[0]));
    pack(compiled.schedule.layouts[ids[i]][0], inputs[i].data, address(compiled, {ids[i], 0}));
  }
}

void CpuProgram::execute(Compiled& compiled, StepTrace& trace) {
  auto before = Span::Clock::now();
  for (std::size_t t = 0; t < compiled.executors.size(); ++t) {
    if (compiled.exchange && compiled.exchange->before_task(t)) {
      trace.part("means");
      before = Span::Clock::now();
    }
    compiled.executors[t]->run(compiled.operands[t]);
    const auto after = Span::Clock::now();
    graph::NodeTime& time = compiled.times[t];
    time.seconds += std::chrono::duration<double>(after - before).count();
    ++time.steps;
    trace.node(time, before, after);
    before = after;
    if (compiled.exchange && compiled.exchange->after_task(t)) {
      trace.part("gradients");
      before = Span::Clock::now();
    }
  }
  if (compiled.exchange) {
    compiled.exchange->after_all();
    trace.part("means");
  }
}

std::vector<Tensor> CpuProgram::outputs_of(const Compiled& compiled) {
  std::vector<Tensor> outputs;
  for (const graph::Output& output : compiled.graph.outputs()) {
    const Layout& layout = compiled.schedule.layouts[output.value.node][output.value.output];
    Tensor tensor(layout.type.dtype, layout.type.shape);
    unpack(layout, address(compiled, output.value), tensor.data());
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

std::vector<Tensor> CpuProgram::finish() {
  if (finished_.empty()) throw Error("cpu: finish() without a step in flight; call start() first");
  std::vector<Tensor> outputs = std::move(finished_.front());
  finished_.pop_front();
  return outputs;
}

std::vector<graph::NodeTime> CpuProgram::profile() const {
  std::vector<graph::NodeTime> times;
  for (const auto& compiled : graphs_)
    times.insert(times.end(), compiled->times.begin(), compiled->times.end());
  return times;
}

}  // namespace ssd::cpu
