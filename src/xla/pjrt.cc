// The one file that sees the C API's header, and so longer than others.
#include "xla/pjrt.h"

#include <dlfcn.h>
#include <pjrt_c_api.h>

#include <mutex>

#include "base/error.h"

namespace ssd::xla {
namespace {

// Arguments of a call, zeroed, with the size the header says (not sizeof: padding is not counted).
#define SSD_ARGUMENTS(type, name) \
  type name{};                    \
  name.struct_size = type##_STRUCT_SIZE

// Calls a function of the API by name, if this plugin has it, and throws its error.
#define SSD_CALL(api, function, arguments)                 \
  do {                                                     \
    require(api, offsetof(PJRT_Api, function), #function); \
    check(api, #function, (api)->function(&(arguments)));  \
  } while (false)

bool has(const PJRT_Api* api, std::size_t offset) {
  if (offset + sizeof(void*) > api->struct_size) return false;
  return *reinterpret_cast<void* const*>(reinterpret_cast<const char*>(api) + offset) != nullptr;
}

void require(const PJRT_Api* api, std::size_t offset, const char* function) {
  if (!has(api, offset))
    throw Error("{}: this plugin (API {}.{}) does not have it; use a newer plugin", function,
                api->pjrt_api_version.major_version, api->pjrt_api_version.minor_version);
}

std::string_view name_of_code(PJRT_Error_Code code) {
  switch (code) {
    case PJRT_Error_Code_OK:
      return "OK";
    case PJRT_Error_Code_CANCELLED:
      return "CANCELLED";
    case PJRT_Error_Code_UNKNOWN:
      return "UNKNOWN";
    case PJRT_Error_Code_INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case PJRT_Error_Code_DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case PJRT_Error_Code_NOT_FOUND:
      return "NOT_FOUND";
    case PJRT_Error_Code_ALREADY_EXISTS:
      return "ALREADY_EXISTS";
    case PJRT_Error_Code_PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case PJRT_Error_Code_RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case PJRT_Error_Code_FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case PJRT_Error_Code_ABORTED:
      return "ABORTED";
    case PJRT_Error_Code_OUT_OF_RANGE:
      return "OUT_OF_RANGE";
    case PJRT_Error_Code_UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case PJRT_Error_Code_INTERNAL:
      return "INTERNAL";
    case PJRT_Error_Code_UNAVAILABLE:
      return "UNAVAILABLE";
    case PJRT_Error_Code_DATA_LOSS:
      return "DATA_LOSS";
    case PJRT_Error_Code_UNAUTHENTICATED:
      return "UNAUTHENTICATED";
  }
  return "unknown code";
}

void destroy(const PJRT_Api* api, PJRT_Error* error) {
  SSD_ARGUMENTS(PJRT_Error_Destroy_Args, arguments);
  arguments.error = error;
  api->PJRT_Error_Destroy(&arguments);
}

void check(const PJRT_Api* api, const char* function, PJRT_Error* error) {
  if (error == nullptr) return;
  SSD_ARGUMENTS(PJRT_Error_Message_Args, message);
  message.error = error;
  api->PJRT_Error_Message(&message);
  std::string text(message.message, message.message_size);
  for (char& c : text)
    if (c == '\n') c = ' ';
  SSD_ARGUMENTS(PJRT_Error_GetCode_Args, code);
  code.error = error;
  if (PJRT_Error* second = api->PJRT_Error_GetCode(&code)) {
    destroy(api, second);
    code.code = PJRT_Error_Code_UNKNOWN;
  }
  destroy(api, error);
  throw Error("{}: {}: {}", function, name_of_code(code.code), text);
}

void ignore(const PJRT_Api* api, PJRT_Error* error) {
  if (error != nullptr) destroy(api, error);
}

PJRT_Buffer_Type type_of_elements(DType type) {
  switch (type) {
    case DType::f64:
      return PJRT_Buffer_Type_F64;
    case DType::f32:
      return PJRT_Buffer_Type_F32;
    case DType::f16:
      return PJRT_Buffer_Type_F16;
    case DType::bf16:
      return PJRT_Buffer_Type_BF16;
    case DType::u8:
      return PJRT_Buffer_Type_U8;
    case DType::i32:
      return PJRT_Buffer_Type_S32;
    case DType::i64:
      return PJRT_Buffer_Type_S64;
  }
  return PJRT_Buffer_Type_INVALID;
}

const PJRT_Api* load_api(const std::string& path) {
  // Never unloaded: plugins start threads and register exit handlers.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) throw Error("PJRT plugin '{}': cannot be loaded: {}", path, dlerror());
  const auto get = reinterpret_cast<const PJRT_Api* (*)()>(dlsym(library, "GetPjrtApi"));
  if (get == nullptr)
    throw Error("PJRT plugin '{}': has no function GetPjrtApi; name a PJRT plugin library", path);
  const PJRT_Api* api = get();
  if (api == nullptr) throw Error("PJRT plugin '{}': GetPjrtApi returned nothing", path);
  const PJRT_Api_Version& version = api->pjrt_api_version;
  if (version.major_version != PJRT_API_MAJOR)
    throw Error("PJRT plugin '{}': got API version {}.{}, expected {}.x; use a plugin of that version", path,
                version.major_version, version.minor_version, PJRT_API_MAJOR);
  if (!has(api, offsetof(PJRT_Api, PJRT_LoadedExecutable_Execute)))
    throw Error("PJRT plugin '{}': got an API of {} bytes, expected at least {}; use a newer plugin", path,
                api->struct_size, offsetof(PJRT_Api, PJRT_LoadedExecutable_Execute) + sizeof(void*));
  if (has(api, offsetof(PJRT_Api, PJRT_Plugin_Initialize))) {
    SSD_ARGUMENTS(PJRT_Plugin_Initialize_Args, arguments);
    SSD_CALL(api, PJRT_Plugin_Initialize, arguments);
  }
  return api;
}

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
  return {executable, [api](PJRT_Executable* handle) {
            SSD_ARGUMENTS(PJRT_Executable_Destroy_Args, arguments);
            arguments.executable = handle;
            ignore(api, api->PJRT_Executable_Destroy(&arguments));
          }};
}

std::shared_ptr<PJRT_Executable> unloaded(const PJRT_Api* api, PJRT_LoadedExecutable* loaded) {
  SSD_ARGUMENTS(PJRT_LoadedExecutable_GetExecutable_Args, arguments);
  arguments.loaded_executable = loaded;
  SSD_CALL(api, PJRT_LoadedExecutable_GetExecutable, arguments);
  return owned(api, arguments.executable);
}

std::string kind_of(const PJRT_Api* api, PJRT_DeviceDescription* description) {
  SSD_ARGUMENTS(PJRT_DeviceDescription_Kind_Args, arguments);
  arguments.device_description = description;
  SSD_CALL(api, PJRT_DeviceDescription_Kind, arguments);
  return {arguments.device_kind, arguments.device_kind_size};
}

// Points into the name and into a string option.
PJRT_NamedValue named_value(const std::string& name, const CreateOption& option) {
  SSD_ARGUMENTS(PJRT_NamedValue, value);
  value.name = name.data();
  value.name_size = name.size();
  value.value_size = 1;
  if (const auto* number = std::get_if<std::int64_t>(&option)) {
    value.type = PJRT_NamedValue_kInt64;
    value.int64_value = *number;
  } else if (const auto* flag = std::get_if<bool>(&option)) {
    value.type = PJRT_NamedValue_kBool;
    value.bool_value = *flag;
  } else if (const auto* real = std::get_if<float>(&option)) {
    value.type = PJRT_NamedValue_kFloat;
    value.float_value = *real;
  } else {
    const auto& text = std::get<std::string>(option);
    value.type = PJRT_NamedValue_kString;
    value.string_value = text.data();
    value.value_size = text.size();
  }
  return value;
}

}  // namespace

// Plugin

std::shared_ptr<const Plugin> Plugin::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Plugin>>
      loaded;  // libraries are initialised once a process
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Plugin>& entry = loaded[path];
  if (!entry) {
    std::shared_ptr<Plugin> plugin(new Plugin);
    plugin->path_ = path;
    plugin->api_ = load_api(path);
    entry = plugin;
  }
  return entry;
}

std::string Plugin::version() const {
  return fmt::format("{}.{}", api_->pjrt_api_version.major_version, api_->pjrt_api_version.minor_version);
}

// Client

std::shared_ptr<Client> Client::create(std::shared_ptr<const Plugin> plugin, const CreateOptions& options) {
  std::vector<PJRT_NamedValue> values;
  for (const auto& [name, option] : options) values.push_back(named_value(name, option));
  std::shared_ptr<Client> client(new Client);
  client->plugin_ = std::move(plugin);
  const PJRT_Api* api = client->api();
  SSD_ARGUMENTS(PJRT_Client_Create_Args, creation);
  creation.create_options = values.data();
  creation.num_options = values.size();
  SSD_CALL(api, PJRT_Client_Create, creation);
  client->handle_ = creation.client;
  SSD_ARGUMENTS(PJRT_Client_AddressableDevices_Args, devices);
  devices.client = client->handle_;
  SSD_CALL(api, PJRT_Client_AddressableDevices, devices);
  client->devices_.assign(devices.addressable_devices,
                          devices.addressable_devices + devices.num_addressable_devices);
  return client;
}

Client::~Client() {
  if (handle_ == nullptr) return;
  SSD_ARGUMENTS(PJRT_Client_Destroy_Args, arguments);
  arguments.client = handle_;
  ignore(api(), api()->PJRT_Client_Destroy(&arguments));
}

std::string Client::platform() const {
  SSD_ARGUMENTS(PJRT_Client_PlatformName_Args, arguments);
  arguments.client = handle_;
  SSD_CALL(api(), PJRT_Client_PlatformName, arguments);
  return {arguments.platform_name, arguments.platform_name_size};
}

std::string Client::platform_version() const {
  SSD_ARGUMENTS(PJRT_Client_PlatformVersion_Args, arguments);
  arguments.client = handle_;
  SSD_CALL(api(), PJRT_Client_PlatformVersion, arguments);
  return {arguments.platform_version, arguments.platform_version_size};
}

DeviceInfo Client::describe(PJRT_Device* device) const {
  SSD_ARGUMENTS(PJRT_Device_GetDescription_Args, get);
  get.device = device;
  SSD_CALL(api(), PJRT_Device_GetDescription, get);
  DeviceInfo info;
  info.kind = kind_of(api(), get.device_description);
  SSD_ARGUMENTS(PJRT_DeviceDescription_Id_Args, id);
  id.device_description = get.device_description;
  SSD_CALL(api(), PJRT_DeviceDescription_Id, id);
  info.id = id.id;
  SSD_ARGUMENTS(PJRT_DeviceDescription_ToString_Args, text);
  text.device_description = get.device_description;
  SSD_CALL(api(), PJRT_DeviceDescription_ToString, text);
  info.description.assign(text.to_string, text.to_string_size);
  SSD_ARGUMENTS(PJRT_Device_MemoryStats_Args, memory);
  memory.device = device;
  if (!has(api(), offsetof(PJRT_Api, PJRT_Device_MemoryStats))) return info;
  if (PJRT_Error* error = api()->PJRT_Device_MemoryStats(&memory)) {
    destroy(api(), error);  // CPU devices keep no account
    return info;
  }
  info.memory_in_use = memory.bytes_in_use;
  if (memory.bytes_limit_is_set) info.memory_limit = memory.bytes_limit;
  return info;
}

// Event

Event& Event::operator=(Event&& other) noexcept {
  std::swap(client_, other.client_);
  std::swap(handle_, other.handle_);
  return *this;
}

Event::~Event() {
  if (handle_ == nullptr) return;
  SSD_ARGUMENTS(PJRT_Event_Destroy_Args, arguments);
  arguments.event = handle_;
  ignore(client_->api(), client_->api()->PJRT_Event_Destroy(&arguments));
}

void Event::wait() {
  if (handle_ == nullptr) return;
  SSD_ARGUMENTS(PJRT_Event_Await_Args, arguments);
  arguments.event = handle_;
  SSD_CALL(client_->api(), PJRT_Event_Await, arguments);
}

// Buffer

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(client_, other.client_);
  std::swap(handle_, other.handle_);
  return *this;
}

Buffer::~Buffer() {
  if (handle_ == nullptr) return;
  SSD_ARGUMENTS(PJRT_Buffer_Destroy_Args, arguments);
  arguments.buffer = handle_;
  ignore(client_->api(), client_->api()->PJRT_Buffer_Destroy(&arguments));
}

Buffer Buffer::send(const std::shared_ptr<Client>& client, PJRT_Device* device, const TensorView& elements,
                    Event& sent) {
  SSD_ARGUMENTS(PJRT_Client_BufferFromHostBuffer_Args, arguments);
  arguments.client = client->handle();
  arguments.data = elements.data;
  arguments.type = type_of_elements(elements.dtype);
  arguments.dims = elements.shape.extents().data();
  arguments.num_dims = elements.shape.rank();
  arguments.host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableUntilTransferCompletes;
  arguments.device = device;
  SSD_CALL(client->api(), PJRT_Client_BufferFromHostBuffer, arguments);
  sent = Event(client, arguments.done_with_host_buffer);
  return {client, arguments.buffer};
}

Event Buffer::fetch(const graph::TensorType& type, std::byte* to) const {
  std::vector<std::int64_t> minor_to_major;
  for (auto i = static_cast<std::int64_t>(type.shape.rank()); i-- > 0;) minor_to_major.push_back(i);
  SSD_ARGUMENTS(PJRT_Buffer_MemoryLayout, layout);
  layout.type = PJRT_Buffer_MemoryLayout_Type_Tiled;
  layout.tiled.struct_size = PJRT_Buffer_MemoryLayout_Tiled_STRUCT_SIZE;
  layout.tiled.minor_to_major = minor_to_major.data();
  layout.tiled.minor_to_major_size = minor_to_major.size();
  SSD_ARGUMENTS(PJRT_Buffer_ToHostBuffer_Args, arguments);
  arguments.src = handle_;
  arguments.host_layout = &layout;
  arguments.dst = to;
  arguments.dst_size = static_cast<std::size_t>(type.shape.elements()) * size_of(type.dtype);
  SSD_CALL(client_->api(), PJRT_Buffer_ToHostBuffer, arguments);
  return {client_, arguments.event};
}

// Executable

Executable::Executable(std::shared_ptr<Client> client, PJRT_LoadedExecutable* handle)
    : client_(std::move(client)), handle_(handle) {
  const PJRT_Api* api = client_->api();
  SSD_ARGUMENTS(PJRT_LoadedExecutable_AddressableDevices_Args, devices);
  devices.executable = handle_;
  SSD_CALL(api, PJRT_LoadedExecutable_AddressableDevices, devices);
  devices_.assign(devices.addressable_devices, devices.addressable_devices + devices.num_addressable_devices);
  const std::shared_ptr<PJRT_Executable> executable = unloaded(api, handle_);
  SSD_ARGUMENTS(PJRT_Executable_NumOutputs_Args, outputs);
  outputs.executable = executable.get();
  SSD_CALL(api, PJRT_Executable_NumOutputs, outputs);
  results_ = outputs.num_outputs;
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

Executable::~Executable() {
  SSD_ARGUMENTS(PJRT_LoadedExecutable_Destroy_Args, arguments);
  arguments.executable = handle_;
  ignore(client_->api(), client_->api()->PJRT_LoadedExecutable_Destroy(&arguments));
}

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

namespace {

void read_cost(const PJRT_Api* api, PJRT_Executable* executable, Compiled& result) {
  SSD_ARGUMENTS(PJRT_Executable_GetCostAnalysis_Args, cost);
  cost.executable = executable;
  SSD_CALL(api, PJRT_Executable_GetCostAnalysis, cost);
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

Topology Topology::create(std::shared_ptr<const Plugin> plugin, const std::string& name) {
  const PJRT_Api* api = plugin->api();
  SSD_ARGUMENTS(PJRT_TopologyDescription_Create_Args, creation);
  creation.topology_name = name.data();
  creation.topology_name_size = name.size();
  SSD_CALL(api, PJRT_TopologyDescription_Create, creation);
  Topology topology;
  topology.plugin_ = std::move(plugin);
  topology.handle_ = std::shared_ptr<void>(creation.topology, [api](void* handle) {
    SSD_ARGUMENTS(PJRT_TopologyDescription_Destroy_Args, arguments);
    arguments.topology = static_cast<PJRT_TopologyDescription*>(handle);
    ignore(api, api->PJRT_TopologyDescription_Destroy(&arguments));
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

}  // namespace ssd::xla
