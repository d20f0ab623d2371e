#include "backend/pjrt/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include "backend/pjrt/compile_options.h"
#include "backend/pjrt/hosts.h"
#include "backend/pjrt/pjrt.h"
#include "backend/pjrt/plugins.h"
#include "backend/pjrt/program.h"
#include "backend/stablehlo/lower.h"
#include "base/error.h"

namespace ssd::pjrt {
namespace {

using graph::Graph;

// What replicas exchange; a graph without it can run on any number of them.
bool communicates(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const graph::Node& node) {
    const auto* norm = std::get_if<graph::BatchNormAttributes>(&node.attributes);
    return node.kind == graph::Kind::all_reduce || (norm != nullptr && norm->group > 1);
  });
}

// What the compilers read from the environment beside the options they are given.
std::string compiler_flags() {
  std::string flags;
  for (const char* variable : {"XLA_FLAGS", "LIBTPU_INIT_ARGS"}) {
    const char* value = std::getenv(variable);
    flags += fmt::format("{}={}\n", variable, value == nullptr ? "" : value);
  }
  return flags;
}

// The plugin's file, which may be another build of the same version.
std::string file_mark(const std::string& path) {
  std::error_code ignored;
  return fmt::format("{} bytes of {}", std::filesystem::file_size(path, ignored),
                     std::filesystem::last_write_time(path, ignored).time_since_epoch().count());
}

// What a CPU plugin compiles for, though it calls every processor "cpu": the first one's lines on its model
// and instructions, on x86 or ARM.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string result;
  for (std::string line; std::getline(file, line) && !line.empty();)
    for (const char* name : {"vendor_id", "cpu family", "model", "stepping", "flags", "CPU ", "Features"})
      if (line.starts_with(name)) {
        result += line + "\n";
        break;
      }
  return result;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_gpu(const std::string& platform) {
  return platform == "cuda" || platform == "rocm" || platform == "gpu";
}

// The GPU options that were given, as the plugins call them and as our commands do.
std::vector<std::pair<std::string, std::string>> gpu_options(const DeviceOptions& options) {
  std::vector<std::pair<std::string, std::string>> given;
  if (options.memory_fraction > 0) given.emplace_back("memory_fraction", "--memory-fraction");
  if (!options.preallocate) given.emplace_back("preallocate", "--no-preallocate");
  return given;
}

bool is_alone(const DeviceOptions& options) {
  return options.communicator == nullptr || options.communicator->size() == 1;
}

CreateOptions creation_of(const DeviceOptions& options, const std::string& path) {
  CreateOptions creation;
  if (!is_alone(options)) creation = joining_options(*options.communicator, options.device, path);
  if (options.cpu_devices > 0) creation["cpu_device_count"] = std::int64_t{options.cpu_devices};
  if (options.memory_fraction > 0) creation["memory_fraction"] = static_cast<float>(options.memory_fraction);
  if (!options.preallocate) creation["preallocate"] = false;
  return creation;
}

// Some plugins refuse what they do not know, in words of their own, and some pass over it.
std::shared_ptr<Client> create_client(const DeviceOptions& options, const std::string& path) {
  const auto refuse = [&](const std::string& option, std::string_view what) {
    throw Error("{}: got --device {} ({}), expected a GPU that has it; leave it out", option, options.device,
                what);
  };
  std::shared_ptr<Client> client;
  try {
    client = Client::create(Plugin::load(path), creation_of(options, path),
                            is_alone(options) ? nullptr : options.values);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    const bool names_joining = message.find("node_id") != std::string_view::npos ||
                               message.find("num_nodes") != std::string_view::npos;
    if (!is_alone(options) && names_joining)
      throw Error("--device {}: got {} processes, expected one: its plugin joins none ({})", options.device,
                  options.communicator->size(), message);
    for (const auto& [name, option] : gpu_options(options))
      if (message.find(name) != std::string_view::npos) refuse(option, message);
    throw;
  }
  const std::string platform = lower_case(client->platform());
  for (const auto& [name, option] : gpu_options(options))
    if (!is_gpu(platform)) refuse(option, platform);
  return client;
}

// The weights of convolutions in bf16 of graphs that change no parameter.
std::set<std::string> narrow_weights(const std::vector<Graph>& graphs) {
  std::set<std::string> narrow, wide;
  for (const Graph& graph : graphs) {
    if (!graph.updates().empty()) return {};
    for (const graph::Output& output : graph.outputs()) wide.insert(graph.node(output.value).name);
    for (const graph::Node& node : graph.nodes())
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const bool weight = node.kind == graph::Kind::fused_convolution && i == 1 &&
                            node.as<graph::ConvolutionAttributes>().compute == DType::bf16;
        (weight ? narrow : wide).insert(graph.node(node.inputs[i]).name);
      }
  }
  for (const std::string& name : wide) narrow.erase(name);
  return narrow;
}

class XlaDevice : public graph::Device {
 public:
  XlaDevice(const DeviceOptions& options, std::shared_ptr<Client> client)
      : depth_(options.depth), cache_(options.cache_folder), client_(std::move(client)) {
    const auto available = static_cast<int>(client_->devices().size());
    platform_ = lower_case(client_->platform());
    target_ = options.lower_for.value_or(is_gpu(platform_) ? stablehlo::Target::gpu : stablehlo::Target::tpu);
    if (!options.device.starts_with("pjrt:") && platform_ != options.device &&
        !(options.device == "cuda" && platform_ == "gpu"))
      throw Error("--device {}: got the plugin '{}' for {}, expected one for {}", options.device,
                  client_->plugin().path(), platform_, options.device);
    // A CPU plugin makes up as many devices as it likes.
    const int all = platform_ == "cpu" && options.cpu_devices == 0 ? 1 : available;
    replicas_ = options.replicas == 0 ? all : options.replicas;
    if (available == 0 || replicas_ < 1 || replicas_ > available)
      throw Error("--device {}: got {} replicas, expected 1 to the {} devices of this process",
                  options.device, replicas_, available);
    for (int i = 0; i < replicas_; ++i) infos_.push_back(client_->describe(client_->devices()[i]));
    for (const DeviceInfo& info : infos_) own_ids_.push_back(info.id);
    all_ids_ = own_ids_;
    if (is_alone(options)) return;
    communicator_ = options.communicator;
    const std::string& plugin = options.device.starts_with("pjrt:") ? platform_ : client_->plugin().path();
    all_ids_ = replicas_of(all_hosts(*communicator_, this_host(*client_, replicas_)),
                           fmt::format("{} ({})", options.device, plugin));
  }

  std::string name() const override { return platform_ == "cpu" ? "pjrt-cpu" : platform_; }

  std::string description() const override {
    std::string text = fmt::format("{} x {}", replicas_, infos_[0].kind);
    if (infos_[0].memory_limit > 0)
      text += fmt::format(", {:.1f} GB each", static_cast<double>(infos_[0].memory_limit) / 1e9);
    return fmt::format("{}, PJRT {} ({})", text, client_->plugin().version(), client_->plugin().path());
  }

  int replicas() const override { return replicas_; }
  int processes() const override { return communicator_ == nullptr ? 1 : communicator_->size(); }

  void require(DType compute) const override {
    if (compute != DType::f32 && compute != DType::bf16)
      throw Error("--precision: got {}, expected f32 or bf16 on {}", name_of(compute), name());
  }

  std::unique_ptr<graph::Program> compile(std::vector<Graph> graphs) override {
    ProgramSource source{
        .client = client_, .replicas = replicas_, .depth = depth_, .graphs = std::move(graphs)};
    source.narrow = narrow_weights(source.graphs);
    for (Graph& graph : source.graphs) {
      spread(graph);
      source.executables.push_back(executable(graph, source.narrow));
    }
    return make_program(std::move(source));
  }

 private:
  void spread(Graph& graph) const {
    if (graph.replicas == replicas_ || graph.replicas == replicas_in_all()) return;
    if (graph.replicas != 1 || communicates(graph) || !graph.updates().empty())
      throw Error("device {}: got a graph for {} replicas, expected {}; build it for this device's replicas",
                  name(), graph.replicas, replicas_in_all());
    graph.replicas = replicas_;
  }

  // From the cache, or compiled and put there.
  std::unique_ptr<Executable> executable(const Graph& graph, const std::set<std::string>& narrow) const {
    stablehlo::LowerOptions lowering = stablehlo::options_for(target_);
    lowering.narrow = narrow;
    const std::string text = stablehlo::lower(graph, lowering);
    const bool together = graph.replicas != replicas_;
    const std::string options = compile_options(together ? all_ids_ : own_ids_, target_);
    const std::string key =
        fmt::format("{}\n{}\n{}\n{}\n{}{}{}\n{}", client_->plugin().version(),
                    file_mark(client_->plugin().path()), client_->platform_version(), infos_[0].kind,
                    platform_ == "cpu" ? processor() : "", compiler_flags(), options, text);
    auto result = from_cache(key);
    // Compilers of several processes may work together, and then wait for each other.
    if (together && !all_have(result != nullptr)) result.reset();
    if (result) return result;
    result = Executable::compile(client_, text, options);
    try {
      cache_.store(key, result->serialize());
    } catch (const Error&) {  // this plugin cannot serialize
    }
    return result;
  }

  std::unique_ptr<Executable> from_cache(const std::string& key) const {
    const auto bytes = cache_.find(key);
    if (!bytes) return nullptr;
    try {
      return Executable::deserialize(client_, *bytes);
    } catch (const Error&) {  // made for something else after all
      return nullptr;
    }
  }

  bool all_have(bool own) const {
    double count = own ? 1 : 0;
    communicator_->all_reduce({&count, 1});
    return count == communicator_->size();
  }

  int depth_;
  ProgramCache cache_;
  std::shared_ptr<Client> client_;
  int replicas_ = 0;
  std::vector<DeviceInfo> infos_;
  std::vector<std::int64_t> own_ids_, all_ids_;  // of the replicas' devices: this process's, all processes'
  Communicator* communicator_ = nullptr;         // of several processes
  std::string platform_;
  stablehlo::Target target_ = stablehlo::Target::tpu;
};

}  // namespace

std::unique_ptr<graph::Device> make_device(const DeviceOptions& options) {
  const std::string path = find_plugin(options.device);
  prepare_environment(path);
  return std::make_unique<XlaDevice>(options, create_client(options, path));
}

}  // namespace ssd::pjrt
