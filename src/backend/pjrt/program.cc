#include "backend/pjrt/program.h"

#include <deque>
#include <exception>
#include <map>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

using graph::Graph;
using graph::Node;
using graph::TensorType;

// Events of one kind. All are waited for, after an error and in the destructor too: the device may be reading
// or writing host memory until then.
class Events {
 public:
  Events() = default;
  Events(Events&&) = default;
  Events& operator=(Events&&) = delete;
  ~Events() {
    try {
      wait();
    } catch (...) {
    }
  }

  Event& add() { return events_.emplace_back(); }

  // Throws the first error, after the last event.
  void wait() {
    std::exception_ptr first;
    for (Event& event : events_) {
      try {
        event.wait();
      } catch (...) {
        if (!first) first = std::current_exception();
      }
    }
    events_.clear();
    if (first) std::rethrow_exception(first);
  }

 private:
  std::vector<Event> events_;
};

// A step that has been started.
struct Step {
  int graph = 0;
  std::vector<Tensor> outputs;
  std::vector<std::vector<Buffer>> buffers;  // [replica][output]
  // Behind the outputs, which must live until all is fetched.
  Events sent, done, fetched;
};

Tensor rounded_to_bf16(const Tensor& tensor) {
  Tensor result(DType::bf16, tensor.shape());
  for (std::size_t i = 0; i < result.as<std::uint16_t>().size(); ++i)
    result.as<std::uint16_t>()[i] = float_to_bf16(tensor.as<float>()[i]);
  return result;
}

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
    if (devices_.size() != static_cast<std::size_t>(source_.replicas))
      throw Error("device program: it was compiled for {} devices of this process, expected {}",
                  devices_.size(), source_.replicas);
    for (const auto& executable : source_.executables)
      if (executable->devices() != devices_)
        throw Error("device program: the graphs were compiled for different devices, expected the same");
    loaded_ = types_.empty();
  }

  void load(const TensorMap& parameters) override {
    if (!loaded_) steps_.clear();  // they were started with parameters that are lost
    loaded_ = false;
    std::vector<Tensor> rounded;
    rounded.reserve(types_.size());
    Events sent;
    for (const auto& [name, type] : types_) {
      const auto found = parameters.find(name);
      if (found == parameters.end()) throw Error("parameter '{}': missing", name);
      const TensorType got{found->second.dtype(), found->second.shape()};
      if (!(got == type))
        throw Error("parameter '{}': got {}, expected {}", name, to_string(got), to_string(type));
      const Tensor& tensor = source_.narrow.contains(name)
                                 ? rounded.emplace_back(rounded_to_bf16(found->second))
                                 : found->second;
      std::vector<Buffer>& replicas = parameters_[name];
      replicas.clear();
      for (PJRT_Device* device : devices_)
        replicas.push_back(Buffer::send(source_.client, device, tensor, sent.add()));
    }
    sent.wait();
    loaded_ = true;
  }

  TensorMap save() override {
    require_parameters();
    attempt([&] {
      for (Step& step : steps_) wait(step);
    });
    TensorMap result;
    Events fetched;
    for (const auto& [name, replicas] : parameters_) {
      TensorType type = types_.at(name);
      if (source_.narrow.contains(name)) type.dtype = DType::bf16;
      Tensor& tensor = result[name] = Tensor(type.dtype, type.shape);
      fetched.add() = replicas[0].fetch(type, tensor.data());
    }
    fetched.wait();
    for (const std::string& name : source_.narrow) result.at(name) = to_f32(result.at(name));
    return result;
  }

  void start(int graph_number, const std::vector<TensorView>& inputs) override {
    const Graph& graph = source_.graphs[graph_number];
    check(graph, inputs);
    Step step;
    step.graph = graph_number;
    const std::vector<std::vector<Buffer>> sent = send(graph, inputs, step);
    loaded_ = graph.updates().empty();  // what is updated is given away, and back when the step has started
    Executable::Run run = source_.executables[graph_number]->start(arguments(graph, sent));
    for (Event& event : run.done) step.done.add() = std::move(event);
    keep_updates(graph, run.results);
    loaded_ = true;
    step.buffers = std::move(run.results);
    steps_.push_back(std::move(step));
  }

  std::vector<Tensor> finish() override {
    Step step = oldest();
    attempt([&] {
      fetch_outputs(step);
      wait(step);
    });
    return std::move(step.outputs);
  }

  void discard() override {
    Step step = oldest();
    attempt([&] { wait(step); });
  }

  int depth() const override { return source_.depth; }

 private:
  void declare(const Node& node) {
    const auto [place, first] = types_.try_emplace(node.name, node.outputs[0]);
    if (!first && !(place->second == node.outputs[0]))
      throw Error("parameter '{}': got {} in one graph and {} in another, expected one type", node.name,
                  to_string(place->second), to_string(node.outputs[0]));
  }

  void require_parameters() const {
    if (!loaded_)
      throw Error(
          "device program: it has no parameters, or lost them in a step that failed; load them first");
  }

  Step oldest() {
    if (steps_.empty()) throw Error("device program: finish() without a step in flight");
    Step step = std::move(steps_.front());
    steps_.pop_front();
    return step;
  }

  static bool sharded(const Node& input) { return input.as<graph::InputAttributes>().sharded; }

  void check(const Graph& graph, const std::vector<TensorView>& inputs) const {
    require_parameters();
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
        result[r].push_back(Buffer::send(source_.client, devices_[r], part, step.sent.add()));
      }
    return result;
  }

  // Inputs and parameters; those that the step updates are given away.
  std::vector<std::vector<Argument>> arguments(const Graph& graph,
                                               const std::vector<std::vector<Buffer>>& sent) {
    std::vector<std::vector<Argument>> result(devices_.size());
    const std::vector<bool> updated = updated_parameters(graph);
    for (std::size_t r = 0; r < devices_.size(); ++r) {
      for (const Buffer& buffer : sent[r]) result[r].emplace_back(buffer);
      for (const int number : graph.parameters()) {
        Buffer& buffer = parameters_.at(graph.nodes()[number].name)[r];
        if (updated[number])
          result[r].emplace_back(std::move(buffer));
        else
          result[r].emplace_back(buffer);
      }
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
  void fetch_outputs(Step& step) const {
    const Graph& graph = source_.graphs[step.graph];
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      const graph::Output& output = graph.outputs()[i];
      const TensorType& type = graph.type(output.value);
      const int replicas = output.sharded ? source_.replicas : 1;
      Tensor& tensor = step.outputs.emplace_back(type.dtype, times(type, replicas).shape);
      for (int r = 0; r < replicas; ++r) {
        const std::size_t offset = static_cast<std::size_t>(r) * share(tensor, type, 0).bytes();
        step.fetched.add() = step.buffers[r][i].fetch(type, tensor.data() + offset);
      }
    }
  }

  static void wait(Step& step) {
    for (Events* events : {&step.sent, &step.done, &step.fetched}) events->wait();
  }

  // The parameters that a failed step was to make are as lost as its outputs.
  template <typename Action>
  void attempt(const Action& action) {
    try {
      action();
    } catch (...) {
      loaded_ = false;
      throw;
    }
  }

  ProgramSource source_;
  std::vector<PJRT_Device*> devices_;
  std::map<std::string, TensorType> types_;
  std::map<std::string, std::vector<Buffer>> parameters_;  // [replica]
  bool loaded_ = false;
  std::deque<Step> steps_;
};

}  // namespace

std::unique_ptr<graph::Program> make_program(ProgramSource source) {
  return std::make_unique<XlaProgram>(std::move(source));
}

}  // namespace ssd::pjrt
