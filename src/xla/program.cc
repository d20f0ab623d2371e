#include "xla/program.h"

#include <deque>
#include <map>

#include "base/error.h"

namespace ssd::xla {
namespace {

using graph::Graph;
using graph::Node;
using graph::TensorType;

// A step that has been started.
struct Step {
  std::vector<Tensor> outputs;
  std::vector<std::vector<Buffer>> buffers;  // [replica][output], until fetched
  // In the order they are declared here: what is sent, what is computed, what is fetched.
  std::vector<Event> sent, done, fetched;
};

// Replica r's share of elements that are split along dimension 0.
TensorView share(const TensorView& all, const TensorType& type, int replica) {
  TensorView part{type.dtype, type.shape, nullptr};
  part.data = all.data + static_cast<std::size_t>(replica) * part.bytes();
  return part;
}

TensorType times(TensorType type, int replicas) {
  if (replicas > 1) type.shape[0] *= replicas;
  return type;
}

class XlaProgram : public graph::Program {
 public:
  explicit XlaProgram(ProgramSource source) : source_(std::move(source)) {
    for (const Graph& graph : source_.graphs)
      for (const int parameter : graph.parameters()) declare(graph.nodes()[parameter]);
    devices_ = source_.executables[0]->devices();
    for (const auto& executable : source_.executables)
      if (executable->devices() != devices_)
        throw Error("device program: the graphs were compiled for different devices, expected the same");
  }

  ~XlaProgram() override {
    // What is sent must stay valid until it has been read, so a destructor has to wait as well.
    while (!steps_.empty()) {
      try {
        finish();
      } catch (const Error&) {
      }
    }
  }

  void load(const TensorMap& parameters) override {
    std::vector<Event> sent;
    for (const auto& [name, type] : types_) {
      const auto found = parameters.find(name);
      if (found == parameters.end()) throw Error("parameter '{}': missing", name);
      const TensorType got{found->second.dtype(), found->second.shape()};
      if (!(got == type))
        throw Error("parameter '{}': got {}, expected {}", name, to_string(got), to_string(type));
      std::vector<Buffer>& replicas = parameters_[name];
      replicas.clear();
      for (PJRT_Device* device : devices_)
        replicas.push_back(Buffer::send(source_.client, device, found->second, sent.emplace_back()));
    }
    for (Event& event : sent) event.wait();
  }

  TensorMap save() override {
    for (Step& step : steps_) wait(step);
    TensorMap result;
    std::vector<Event> fetched;
    for (const auto& [name, replicas] : parameters_) {
      const TensorType& type = types_.at(name);
      Tensor& tensor = result[name] = Tensor(type.dtype, type.shape);
      fetched.push_back(replicas[0].fetch(type, tensor.data()));
    }
    for (Event& event : fetched) event.wait();
    return result;
  }

  void start(int graph_number, const std::vector<TensorView>& inputs) override {
    const Graph& graph = source_.graphs[graph_number];
    check(graph, inputs);
    Step step;
    std::vector<std::vector<Buffer>> sent = send(graph, inputs, step);
    std::vector<std::vector<Argument>> arguments(devices_.size());
    const std::vector<bool> updated = updated_parameters(graph);
    for (std::size_t r = 0; r < devices_.size(); ++r) {
      for (const Buffer& buffer : sent[r]) arguments[r].emplace_back(buffer);
      for (const int number : graph.parameters()) {
        Buffer& buffer = parameters_.at(graph.nodes()[number].name)[r];
        if (updated[number])
          arguments[r].emplace_back(std::move(buffer));
        else
          arguments[r].emplace_back(buffer);
      }
    }
    Executable::Run run = source_.executables[graph_number]->start(std::move(arguments));
    step.done = std::move(run.done);
    keep_updates(graph, run.results);
    step.buffers = std::move(run.results);
    fetch_outputs(graph, step);
    steps_.push_back(std::move(step));
  }

  std::vector<Tensor> finish() override {
    if (steps_.empty()) throw Error("device program: finish() without a step in flight");
    Step step = std::move(steps_.front());
    steps_.pop_front();
    wait(step);
    return std::move(step.outputs);
  }

  int depth() const override { return source_.depth; }

 private:
  void declare(const Node& node) {
    const auto [place, first] = types_.try_emplace(node.name, node.outputs[0]);
    if (!first && !(place->second == node.outputs[0]))
      throw Error("parameter '{}': got {} in one graph and {} in another, expected one type", node.name,
                  to_string(place->second), to_string(node.outputs[0]));
  }

  static bool sharded(const Node& input) { return input.as<graph::InputAttributes>().sharded; }

  void check(const Graph& graph, const std::vector<TensorView>& inputs) const {
    if (parameters_.size() != types_.size())
      throw Error("device program: a step needs parameters; load them first");
    if (inputs.size() != graph.inputs().size())
      throw Error("device program: got {} inputs, expected {}", inputs.size(), graph.inputs().size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Node& node = graph.nodes()[graph.inputs()[i]];
      const TensorType want = sharded(node) ? times(node.outputs[0], source_.replicas) : node.outputs[0];
      const TensorType got{inputs[i].dtype, inputs[i].shape};
      if (!(got == want))
        throw Error("input '{}': got {}, expected {}", node.name, to_string(got), to_string(want));
    }
  }

  std::vector<std::vector<Buffer>> send(const Graph& graph, const std::vector<TensorView>& inputs,
                                        Step& step) const {
    std::vector<std::vector<Buffer>> result(devices_.size());
    for (std::size_t r = 0; r < devices_.size(); ++r)
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Node& node = graph.nodes()[graph.inputs()[i]];
        const TensorView part =
            sharded(node) ? share(inputs[i], node.outputs[0], static_cast<int>(r)) : inputs[i];
        result[r].push_back(Buffer::send(source_.client, devices_[r], part, step.sent.emplace_back()));
      }
    return result;
  }

  static std::vector<bool> updated_parameters(const Graph& graph) {
    std::vector<bool> updated(graph.nodes().size());
    for (const graph::Update& update : graph.updates()) updated[update.parameter] = true;
    return updated;
  }

  // Results behind the outputs are the updated parameters' new buffers.
  void keep_updates(const Graph& graph, std::vector<std::vector<Buffer>>& results) {
    const std::size_t outputs = graph.outputs().size();
    for (std::size_t r = 0; r < results.size(); ++r) {
      for (std::size_t i = 0; i < graph.updates().size(); ++i) {
        const Node& parameter = graph.nodes()[graph.updates()[i].parameter];
        parameters_.at(parameter.name)[r] = std::move(results[r][outputs + i]);
      }
      results[r].resize(outputs);
    }
  }

  // Queues the copies behind the step; nobody waits for them here.
  void fetch_outputs(const Graph& graph, Step& step) const {
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      const graph::Output& output = graph.outputs()[i];
      const TensorType& type = graph.type(output.value);
      const int replicas = output.sharded ? source_.replicas : 1;
      Tensor& tensor = step.outputs.emplace_back(type.dtype, times(type, replicas).shape);
      for (int r = 0; r < replicas; ++r) {
        const std::size_t offset = static_cast<std::size_t>(r) * share(tensor, type, 0).bytes();
        step.fetched.push_back(step.buffers[r][i].fetch(type, tensor.data() + offset));
      }
    }
  }

  static void wait(Step& step) {
    for (std::vector<Event>* events : {&step.sent, &step.done, &step.fetched}) {
      for (Event& event : *events) event.wait();
      events->clear();
    }
    step.buffers.clear();
  }

  ProgramSource source_;
  std::vector<PJRT_Device*> devices_;
  std::map<std::string, TensorType> types_;
  std::map<std::string, std::vector<Buffer>> parameters_;  // [replica]
  std::deque<Step> steps_;
};

}  // namespace

std::unique_ptr<graph::Program> make_program(ProgramSource source) {
  return std::make_unique<XlaProgram>(std::move(source));
}

}  // namespace ssd::xla
