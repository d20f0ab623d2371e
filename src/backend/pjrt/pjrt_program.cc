// Programs: compiled for devices, loaded, run; or compiled for a topology without devices.
#include <memory>
#include <string_view>

#include "backend/pjrt/pjrt.h"
#include "backend/pjrt/pjrt_api.h"
#include "base/error.h"

namespace ssd::pjrt {
namespace {

PJRT_Program program_of(const std::string& text) {
  static constexpr std::string_view format = "mlir";
  SSD_ARGUMENTS(PJRT_Program, program);
  program.code = const_cast<char*>(text.data());
  program.code_size = text.size();
  program.format = format.data();
  program.format_size = format.size();
  return program;
}

std::string serialized(const PJRT_Api* api, const PJRT_Executable* executable) {
  SSD_ARGUMENTS(PJRT_Executable_Serialize_Args, arguments);
  arguments.executable = executable;
  SSD_CALL(api, PJRT_Executable_Serialize, arguments);
  std::string bytes(arguments.serialized_bytes, arguments.serialized_bytes_size);
  arguments.serialized_executable_deleter(arguments.serialized_executable);
  return bytes;
}

// An executable apart from any device, destroyed with the handle.
std::shared_ptr<PJRT_Executable> owned(const PJRT_Api* api, PJRT_Executable* executable) {
  return {executable, [api](PJRT_Executable* handle) { SSD_DESTROY(api, Executable, executable, handle); }};
}

std::shared_ptr<PJRT_Executable> unloaded(const PJRT_Api* api, PJRT_LoadedExecutable* loaded) {
  SSD_ARGUMENTS(PJRT_LoadedExecutable_GetExecutable_Args, arguments);
  arguments.loaded_executable = loaded;
  SSD_CALL(api, PJRT_LoadedExecutable_GetExecutable, arguments);
  return owned(api, arguments.executable);
}

void read_cost(const PJRT_Api* api, PJRT_Executable* executable, Compiled& result) {
  SSD_ARGUMENTS(PJRT_Executable_GetCostAnalysis_Args, cost);
  cost.executable = executable;
  try {
    SSD_CALL(api, PJRT_Executable_GetCostAnalysis, cost);
  } catch (const Error& error) {  // a GPU's compiler knows only the memory
    if (std::string_view(error.what()).find("UNIMPLEMENTED") == std::string_view::npos) throw;
  }
  for (std::size_t i = 0; i < cost.num_properties; ++i) {
    const PJRT_NamedValue& value = cost.properties[i];
    if (value.type == PJRT_NamedValue_kFloat)
      result.cost[std::string(value.name, value.name_size)] = static_cast<double>(value.float_value);
  }
  SSD_ARGUMENTS(PJRT_Executable_GetCompiledMemoryStats_Args, memory);
  memory.executable = executable;
  SSD_CALL(api, PJRT_Executable_GetCompiledMemoryStats, memory);
  result.code_bytes = memory.generated_code_size_in_bytes;
  result.argument_bytes = memory.argument_size_in_bytes;
  result.output_bytes = memory.output_size_in_bytes;
  result.alias_bytes = memory.alias_size_in_bytes;
  result.temporary_bytes = memory.temp_size_in_bytes;
}

// The program after the compiler's passes: asked for its size first, then for itself.
void read_optimized(const PJRT_Api* api, PJRT_Executable* executable, Compiled& result) {
  SSD_ARGUMENTS(PJRT_Program, program);
  SSD_ARGUMENTS(PJRT_Executable_OptimizedProgram_Args, arguments);
  arguments.executable = executable;
  arguments.program = &program;
  SSD_CALL(api, PJRT_Executable_OptimizedProgram, arguments);
  result.optimized.resize(program.code_size);
  program.code = result.optimized.data();
  SSD_CALL(api, PJRT_Executable_OptimizedProgram, arguments);
  result.optimized_format.assign(program.format, program.format_size);
}

}  // namespace

// Executable

Executable::Executable(std::shared_ptr<Client> client, PJRT_LoadedExecutable* handle)
    : client_(std::move(client)) {
  const PJRT_Api* api = client_->api();
  // The destructor does not run when one of the calls below throws.
  const auto destroy = [api](PJRT_LoadedExecutable* loaded) {
    SSD_DESTROY(api, LoadedExecutable, executable, loaded);
  };
  std::unique_ptr<PJRT_LoadedExecutable, decltype(destroy)> owned_handle(handle, destroy);
  SSD_ARGUMENTS(PJRT_LoadedExecutable_AddressableDevices_Args, devices);
  devices.executable = handle;
  SSD_CALL(api, PJRT_LoadedExecutable_AddressableDevices, devices);
  devices_.assign(devices.addressable_devices, devices.addressable_devices + devices.num_addressable_devices);
  const std::shared_ptr<PJRT_Executable> executable = unloaded(api, handle);
  SSD_ARGUMENTS(PJRT_Executable_NumOutputs_Args, outputs);
  outputs.executable = executable.get();
  SSD_CALL(api, PJRT_Executable_NumOutputs, outputs);
  results_ = outputs.num_outputs;
  handle_ = owned_handle.release();
}

std::unique_ptr<Executable> Executable::compile(const std::shared_ptr<Client>& client,
                                                const std::string& program, const std::string& options) {
  const PJRT_Program source = program_of(program);
  SSD_ARGUMENTS(PJRT_Client_Compile_Args, arguments);
  arguments.client = client->handle();
  arguments.program = &source;
  arguments.compile_options = options.data();
  arguments.compile_options_size = options.size();
  SSD_CALL(client->api(), PJRT_Client_Compile, arguments);
  return std::unique_ptr<Executable>(new Executable(client, arguments.executable));
}

std::unique_ptr<Executable> Executable::deserialize(const std::shared_ptr<Client>& client,
                                                    const std::string& bytes) {
  SSD_ARGUMENTS(PJRT_Executable_DeserializeAndLoad_Args, arguments);
  arguments.client = client->handle();
  arguments.serialized_executable = bytes.data();
  arguments.serialized_executable_size = bytes.size();
  SSD_CALL(client->api(), PJRT_Executable_DeserializeAndLoad, arguments);
  return std::unique_ptr<Executable>(new Executable(client, arguments.loaded_executable));
}

Executable::~Executable() { SSD_DESTROY(client_->api(), LoadedExecutable, executable, handle_); }

std::string Executable::serialize() const {
  return serialized(client_->api(), unloaded(client_->api(), handle_).get());
}

Executable::Run Executable::start(std::vector<std::vector<Argument>> arguments) {
  const std::size_t replicas = arguments.size();
  std::vector<std::vector<PJRT_Buffer*>> in(replicas), out(replicas, std::vector<PJRT_Buffer*>(results_));
  std::vector<PJRT_Buffer* const*> in_lists;
  std::vector<PJRT_Buffer**> out_lists;
  for (std::size_t r = 0; r < replicas; ++r) {
    for (const Argument& argument : arguments[r])
      in[r].push_back(argument.lent != nullptr ? argument.lent->handle() : argument.given.handle());
    in_lists.push_back(in[r].data());
    out_lists.push_back(out[r].data());
  }
  // Donation is written in the program; what is lent must survive it all the same.
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < arguments[0].size(); ++i)
    if (arguments[0][i].lent != nullptr) kept.push_back(static_cast<std::int64_t>(i));
  std::vector<PJRT_Event*> done(replicas);
  SSD_ARGUMENTS(PJRT_ExecuteOptions, options);
  options.non_donatable_input_indices = kept.data();
  options.num_non_donatable_input_indices = kept.size();
  SSD_ARGUMENTS(PJRT_LoadedExecutable_Execute_Args, execution);
  execution.executable = handle_;
  execution.options = &options;
  execution.argument_lists = in_lists.data();
  execution.num_devices = replicas;
  execution.num_args = in[0].size();
  execution.output_lists = out_lists.data();
  execution.device_complete_events = done.data();
  SSD_CALL(client_->api(), PJRT_LoadedExecutable_Execute, execution);
  Run run;
  run.results.resize(replicas);
  for (std::size_t r = 0; r < replicas; ++r) {
    run.done.emplace_back(client_, done[r]);
    for (PJRT_Buffer* buffer : out[r]) run.results[r].emplace_back(client_, buffer);
  }
  return run;
}

// Topology

Topology Topology::create(std::shared_ptr<const Plugin> plugin, const std::string& name,
                          const CreateOptions& options) {
  const PJRT_Api* api = plugin->api();
  const std::vector<PJRT_NamedValue> values = named_values(options);
  SSD_ARGUMENTS(PJRT_TopologyDescription_Create_Args, creation);
  creation.topology_name = name.data();
  creation.topology_name_size = name.size();
  creation.create_options = values.data();
  creation.num_options = values.size();
  SSD_CALL(api, PJRT_TopologyDescription_Create, creation);
  Topology topology;
  topology.plugin_ = std::move(plugin);
  topology.handle_ = std::shared_ptr<void>(creation.topology, [api](void* handle) {
    SSD_DESTROY(api, TopologyDescription, topology, static_cast<PJRT_TopologyDescription*>(handle));
  });
  SSD_ARGUMENTS(PJRT_TopologyDescription_GetDeviceDescriptions_Args, devices);
  devices.topology = creation.topology;
  SSD_CALL(api, PJRT_TopologyDescription_GetDeviceDescriptions, devices);
  topology.devices_ = static_cast<int>(devices.num_descriptions);
  if (topology.devices_ > 0) topology.kind_ = kind_of(api, devices.descriptions[0]);
  return topology;
}

Compiled Topology::compile(const std::string& program, const std::string& options) const {
  const PJRT_Api* api = plugin_->api();
  const PJRT_Program source = program_of(program);
  SSD_ARGUMENTS(PJRT_Compile_Args, arguments);
  arguments.topology = static_cast<const PJRT_TopologyDescription*>(handle_.get());
  arguments.program = &source;
  arguments.compile_options = options.data();
  arguments.compile_options_size = options.size();
  SSD_CALL(api, PJRT_Compile, arguments);
  const std::shared_ptr<PJRT_Executable> executable = owned(api, arguments.executable);
  Compiled result;
  read_cost(api, executable.get(), result);
  read_optimized(api, executable.get(), result);
  try {
    result.executable = serialized(api, executable.get());
  } catch (const Error&) {  // this plugin cannot serialize
  }
  return result;
}

}  // namespace ssd::pjrt
