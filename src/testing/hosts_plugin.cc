// Over 400 lines: a library that stands alone.
//
// A PJRT plugin for tests: the devices of several processes, on one machine. It stands before the CPU plugin
// and joins processes as those of GPUs do, by the options node_id and num_nodes and by the caller's key-value
// callbacks, or, where these options are not given, as TPUs' does, by TPU_WORKER_ID and TPU_WORKER_HOSTNAMES.
//
// Each process has the CPU plugin make up the devices of all, and shows its own as addressable. A program on
// devices of several processes is computed by each of them for all: arguments that the others have travel as
// values, and their results are kept beside the own ones. So such programs run as they are, with the sums
// over all replicas that they hold; what is made up is the network.
#include <dlfcn.h>
#include <pjrt_c_api.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

const PJRT_Api* inner = nullptr;

#define ARGUMENTS(type, name) \
  type name{};                \
  name.struct_size = type##_STRUCT_SIZE

struct Joined {
  int node = 0, nodes = 1;
  std::int64_t own = 1;  // devices of a process
  int timeout_ms = 60'000;
  PJRT_Client_Create_Args creation{};  // its callbacks
  std::vector<PJRT_Device*> own_devices;
  int runs = 0;  // of programs on devices of several processes
};

struct Loaded {
  Joined* client = nullptr;
  std::vector<PJRT_Device*> all, own;
  std::size_t first = 0;  // own replica, among all

  bool is_together() const { return own.size() < all.size(); }
  bool is_own(std::size_t replica) const { return replica >= first && replica < first + own.size(); }
};

// Of the others, by replica; null for those of this process.
using Twins = std::vector<PJRT_Buffer*>;

struct OwnError {
  PJRT_Error_Code code;
  std::string message;
};

std::mutex mutex;  // of:
std::map<PJRT_Client*, Joined> clients;
std::map<PJRT_LoadedExecutable*, Loaded> programs;
std::map<PJRT_DeviceDescription*, int> processes;
std::map<PJRT_Buffer*, Twins> twins_of;  // by the first own replica's
std::set<OwnError*> errors;

// Errors: the CPU plugin's, and those made here.

PJRT_Error* error_of(PJRT_Error_Code code, const char* message, size_t size) {
  const std::lock_guard lock(mutex);
  auto* error = new OwnError{code, std::string(message, size)};
  errors.insert(error);
  return reinterpret_cast<PJRT_Error*>(error);
}
PJRT_CallbackError callback_error = error_of;

OwnError* own(const PJRT_Error* error) {
  const std::lock_guard lock(mutex);
  auto* found = reinterpret_cast<OwnError*>(const_cast<PJRT_Error*>(error));
  return errors.contains(found) ? found : nullptr;
}

void destroy_error(PJRT_Error_Destroy_Args* arguments) {
  OwnError* error = own(arguments->error);
  if (error == nullptr) return inner->PJRT_Error_Destroy(arguments);
  const std::lock_guard lock(mutex);
  errors.erase(error);
  delete error;
}

void message_of(PJRT_Error_Message_Args* arguments) {
  const OwnError* error = own(arguments->error);
  if (error == nullptr) return inner->PJRT_Error_Message(arguments);
  arguments->message = error->message.data();
  arguments->message_size = error->message.size();
}

PJRT_Error* code_of(PJRT_Error_GetCode_Args* arguments) {
  const OwnError* error = own(arguments->error);
  if (error == nullptr) return inner->PJRT_Error_GetCode(arguments);
  arguments->code = error->code;
  return nullptr;
}

// Values that processes leave for each other.

PJRT_Error* put(const Joined& client, const std::string& key, const std::string& value) {
  ARGUMENTS(PJRT_KeyValuePutCallback_Args, arguments);
  arguments.key = key.data();
  arguments.key_size = key.size();
  arguments.value = value.data();
  arguments.value_size = value.size();
  arguments.callback_error = &callback_error;
  arguments.user_arg = client.creation.kv_put_user_arg;
  return client.creation.kv_put_callback(&arguments);
}

PJRT_Error* get(const Joined& client, const std::string& key, std::string& value) {
  ARGUMENTS(PJRT_KeyValueGetCallback_Args, arguments);
  arguments.key = key.data();
  arguments.key_size = key.size();
  arguments.timeout_in_ms = client.timeout_ms;
  arguments.callback_error = &callback_error;
  arguments.user_arg = client.creation.kv_get_user_arg;
  if (PJRT_Error* error = client.creation.kv_get_callback(&arguments)) return error;
  value.assign(arguments.value, arguments.value_size);
  arguments.value_deleter_callback(arguments.value);
  return nullptr;
}

// Clients

PJRT_Error* refuse(const std::string& why) {
  return error_of(PJRT_Error_Code_INVALID_ARGUMENT, why.data(), why.size());
}

int workers(const std::string& names) {
  return names.empty() ? 1 : 1 + static_cast<int>(std::ranges::count(names, ','));
}

void read_environment(Joined& client) {
  const char *id = std::getenv("TPU_WORKER_ID"), *names = std::getenv("TPU_WORKER_HOSTNAMES");
  if (id != nullptr) client.node = std::atoi(id);
  if (names != nullptr) client.nodes = workers(names);
}

PJRT_Error* read_options(const PJRT_Client_Create_Args& arguments, Joined& client) {
  for (std::size_t i = 0; i < arguments.num_options; ++i) {
    const PJRT_NamedValue& option = arguments.create_options[i];
    const std::string_view name(option.name, option.name_size);
    if (name == "node_id")
      client.node = static_cast<int>(option.int64_value);
    else if (name == "num_nodes")
      client.nodes = static_cast<int>(option.int64_value);
    else if (name == "cpu_device_count")
      client.own = option.int64_value;
    else if (name == "timeout_ms")
      client.timeout_ms = static_cast<int>(option.int64_value);
    else
      return refuse("unknown option " + std::string(name));
  }
  if (client.nodes > 1 && arguments.kv_get_callback == nullptr)
    return refuse("several processes, no callbacks");
  return nullptr;
}

// All must have as many devices.
PJRT_Error* find_others(const Joined& client) {
  if (client.nodes == 1) return nullptr;
  const std::string own = std::to_string(client.own);
  if (PJRT_Error* error = put(client, "devices of " + std::to_string(client.node), own)) return error;
  for (int node = 0; node < client.nodes; ++node) {
    std::string others;
    if (PJRT_Error* error = get(client, "devices of " + std::to_string(node), others)) return error;
    if (others != own) return refuse("got " + others + " and " + own + " devices, expected as many");
  }
  return nullptr;
}

void show_devices(PJRT_Client* handle, Joined& client) {
  ARGUMENTS(PJRT_Client_AddressableDevices_Args, devices);
  devices.client = handle;
  inner->PJRT_Client_AddressableDevices(&devices);
  for (std::size_t i = 0; i < devices.num_addressable_devices; ++i) {
    PJRT_Device* device = devices.addressable_devices[i];
    const int process = static_cast<int>(static_cast<std::int64_t>(i) / client.own);
    if (process == client.node) client.own_devices.push_back(device);
    ARGUMENTS(PJRT_Device_GetDescription_Args, description);
    description.device = device;
    inner->PJRT_Device_GetDescription(&description);
    processes[description.device_description] = process;
  }
}

PJRT_Error* create_client(PJRT_Client_Create_Args* arguments) {
  Joined client;
  client.creation = *arguments;
  read_environment(client);
  if (PJRT_Error* error = read_options(*arguments, client)) return error;
  if (PJRT_Error* error = find_others(client)) return error;
  ARGUMENTS(PJRT_NamedValue, count);
  count.name = "cpu_device_count";
  count.name_size = std::string_view(count.name).size();
  count.type = PJRT_NamedValue_kInt64;
  count.int64_value = client.own * client.nodes;
  count.value_size = 1;
  ARGUMENTS(PJRT_Client_Create_Args, creation);
  creation.create_options = &count;
  creation.num_options = 1;
  if (PJRT_Error* error = inner->PJRT_Client_Create(&creation)) return error;
  arguments->client = creation.client;
  const std::lock_guard lock(mutex);
  show_devices(creation.client, clients[creation.client] = client);
  return nullptr;
}

PJRT_Error* destroy_client(PJRT_Client_Destroy_Args* arguments) {
  {
    const std::lock_guard lock(mutex);
    clients.erase(arguments->client);
  }
  return inner->PJRT_Client_Destroy(arguments);
}

PJRT_Error* process_index(PJRT_Client_ProcessIndex_Args* arguments) {
  const std::lock_guard lock(mutex);
  arguments->process_index = clients.at(arguments->client).node;
  return nullptr;
}

PJRT_Error* addressable_devices(PJRT_Client_AddressableDevices_Args* arguments) {
  const std::lock_guard lock(mutex);
  const Joined& client = clients.at(arguments->client);
  arguments->addressable_devices = client.own_devices.data();
  arguments->num_addressable_devices = client.own_devices.size();
  return nullptr;
}

PJRT_Error* process_of_device(PJRT_DeviceDescription_ProcessIndex_Args* arguments) {
  const std::lock_guard lock(mutex);
  arguments->process_index = processes.at(arguments->device_description);
  return nullptr;
}

// Programs

void note(PJRT_Client* client, PJRT_LoadedExecutable* executable) {
  ARGUMENTS(PJRT_LoadedExecutable_AddressableDevices_Args, devices);
  devices.executable = executable;
  inner->PJRT_LoadedExecutable_AddressableDevices(&devices);
  const std::lock_guard lock(mutex);
  Loaded& program = programs[executable];
  program.client = &clients.at(client);
  program.all.assign(devices.addressable_devices,
                     devices.addressable_devices + devices.num_addressable_devices);
  const auto& own = program.client->own_devices;
  for (std::size_t i = 0; i < program.all.size(); ++i) {
    if (std::ranges::find(own, program.all[i]) == own.end()) continue;
    if (program.own.empty()) program.first = i;
    program.own.push_back(program.all[i]);
  }
}

PJRT_Error* compile(PJRT_Client_Compile_Args* arguments) {
  if (PJRT_Error* error = inner->PJRT_Client_Compile(arguments)) return error;
  note(arguments->client, arguments->executable);
  return nullptr;
}

PJRT_Error* deserialize(PJRT_Executable_DeserializeAndLoad_Args* arguments) {
  if (PJRT_Error* error = inner->PJRT_Executable_DeserializeAndLoad(arguments)) return error;
  note(arguments->client, arguments->loaded_executable);
  return nullptr;
}

PJRT_Error* destroy_program(PJRT_LoadedExecutable_Destroy_Args* arguments) {
  {
    const std::lock_guard lock(mutex);
    programs.erase(arguments->executable);
  }
  return inner->PJRT_LoadedExecutable_Destroy(arguments);
}

PJRT_Error* devices_of_program(PJRT_LoadedExecutable_AddressableDevices_Args* arguments) {
  const std::lock_guard lock(mutex);
  const Loaded& program = programs.at(arguments->executable);
  arguments->addressable_devices = program.own.data();
  arguments->num_addressable_devices = program.own.size();
  return nullptr;
}

// Buffers

void destroy(PJRT_Event* event) {
  ARGUMENTS(PJRT_Event_Destroy_Args, arguments);
  arguments.event = event;
  inner->PJRT_Event_Destroy(&arguments);
}

PJRT_Error* destroy_buffer(PJRT_Buffer_Destroy_Args* arguments) {
  Twins twins;
  {
    const std::lock_guard lock(mutex);
    if (const auto found = twins_of.find(arguments->buffer); found != twins_of.end()) {
      twins = found->second;
      twins_of.erase(found);
    }
  }
  for (PJRT_Buffer* twin : twins) {
    if (twin == nullptr) continue;
    ARGUMENTS(PJRT_Buffer_Destroy_Args, destruction);
    destruction.buffer = twin;
    inner->PJRT_Buffer_Destroy(&destruction);
  }
  return inner->PJRT_Buffer_Destroy(arguments);
}

PJRT_Error* read(PJRT_Buffer* buffer, std::string& bytes) {
  ARGUMENTS(PJRT_Buffer_ToHostBuffer_Args, copy);
  copy.src = buffer;
  if (PJRT_Error* error = inner->PJRT_Buffer_ToHostBuffer(&copy)) return error;
  bytes.resize(copy.dst_size);
  copy.dst = bytes.data();
  if (PJRT_Error* error = inner->PJRT_Buffer_ToHostBuffer(&copy)) return error;
  ARGUMENTS(PJRT_Event_Await_Args, await);
  await.event = copy.event;
  PJRT_Error* error = inner->PJRT_Event_Await(&await);
  destroy(copy.event);
  return error;
}

// Another replica's, of the same type as `like`.
PJRT_Error* make(PJRT_Client* client, PJRT_Device* device, PJRT_Buffer* like, const std::string& bytes,
                 PJRT_Buffer*& made) {
  ARGUMENTS(PJRT_Buffer_ElementType_Args, type);
  type.buffer = like;
  if (PJRT_Error* error = inner->PJRT_Buffer_ElementType(&type)) return error;
  ARGUMENTS(PJRT_Buffer_Dimensions_Args, dimensions);
  dimensions.buffer = like;
  if (PJRT_Error* error = inner->PJRT_Buffer_Dimensions(&dimensions)) return error;
  ARGUMENTS(PJRT_Client_BufferFromHostBuffer_Args, copy);
  copy.client = client;
  copy.data = bytes.data();
  copy.type = type.type;
  copy.dims = dimensions.dims;
  copy.num_dims = dimensions.num_dims;
  copy.host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableOnlyDuringCall;
  copy.device = device;
  if (PJRT_Error* error = inner->PJRT_Client_BufferFromHostBuffer(&copy)) return error;
  destroy(copy.done_with_host_buffer);
  made = copy.buffer;
  return nullptr;
}

PJRT_Client* handle_of(const Joined* client) {
  const std::lock_guard lock(mutex);
  return std::ranges::find_if(clients, [&](const auto& entry) { return &entry.second == client; })->first;
}

// What the other processes have where this one has `own`, an argument of each of its replicas.
PJRT_Error* exchange(const Loaded& program, const std::string& name, const std::vector<PJRT_Buffer*>& own,
                     Twins& twins) {
  for (std::size_t r = 0; r < own.size(); ++r) {
    std::string bytes;
    if (PJRT_Error* error = read(own[r], bytes)) return error;
    if (PJRT_Error* error = put(*program.client, name + std::to_string(program.first + r), bytes))
      return error;
  }
  twins.resize(program.all.size());
  PJRT_Client* client = handle_of(program.client);
  for (std::size_t r = 0; r < twins.size(); ++r) {
    if (program.is_own(r)) continue;
    std::string bytes;
    if (PJRT_Error* error = get(*program.client, name + std::to_string(r), bytes)) return error;
    if (PJRT_Error* error = make(client, program.all[r], own[0], bytes, twins[r])) return error;
  }
  return nullptr;
}

// [replica][argument], of all.
PJRT_Error* all_arguments(const Loaded& program, const PJRT_LoadedExecutable_Execute_Args& arguments,
                          std::vector<std::vector<PJRT_Buffer*>>& all) {
  const std::string run = "run " + std::to_string(program.client->runs++) + " ";
  all.assign(program.all.size(), std::vector<PJRT_Buffer*>(arguments.num_args));
  for (std::size_t a = 0; a < arguments.num_args; ++a) {
    std::vector<PJRT_Buffer*> own;
    for (std::size_t r = 0; r < program.own.size(); ++r) own.push_back(arguments.argument_lists[r][a]);
    Twins twins;
    {
      const std::lock_guard lock(mutex);
      if (const auto found = twins_of.find(own[0]); found != twins_of.end()) twins = found->second;
    }
    if (twins.empty()) {
      if (PJRT_Error* error = exchange(program, run + std::to_string(a) + " of ", own, twins)) return error;
      const std::lock_guard lock(mutex);
      twins_of[own[0]] = twins;
    }
    for (std::size_t r = 0; r < program.all.size(); ++r)
      all[r][a] = program.is_own(r) ? own[r - program.first] : twins[r];
  }
  return nullptr;
}

std::size_t results_of(PJRT_LoadedExecutable* executable) {
  ARGUMENTS(PJRT_LoadedExecutable_GetExecutable_Args, get_executable);
  get_executable.loaded_executable = executable;
  inner->PJRT_LoadedExecutable_GetExecutable(&get_executable);
  ARGUMENTS(PJRT_Executable_NumOutputs_Args, outputs);
  outputs.executable = get_executable.executable;
  inner->PJRT_Executable_NumOutputs(&outputs);
  ARGUMENTS(PJRT_Executable_Destroy_Args, destruction);
  destruction.executable = get_executable.executable;
  inner->PJRT_Executable_Destroy(&destruction);
  return outputs.num_outputs;
}

template <typename T>
std::vector<T*> pointers(std::vector<std::vector<T>>& lists) {
  std::vector<T*> result;
  for (auto& list : lists) result.push_back(list.data());
  return result;
}

PJRT_Error* execute(PJRT_LoadedExecutable_Execute_Args* arguments) {
  Loaded program;
  {
    const std::lock_guard lock(mutex);
    program = programs.at(arguments->executable);
  }
  if (!program.is_together()) return inner->PJRT_LoadedExecutable_Execute(arguments);
  std::vector<std::vector<PJRT_Buffer*>> in,
      out(program.all.size(), std::vector<PJRT_Buffer*>(results_of(arguments->executable)));
  if (PJRT_Error* error = all_arguments(program, *arguments, in)) return error;
  std::vector<PJRT_Event*> done(program.all.size());
  const std::vector<PJRT_Buffer**> in_lists = pointers(in), out_lists = pointers(out);
  PJRT_LoadedExecutable_Execute_Args execution = *arguments;
  execution.argument_lists = in_lists.data();
  execution.num_devices = program.all.size();
  execution.output_lists = out_lists.data();
  execution.device_complete_events = done.data();
  if (PJRT_Error* error = inner->PJRT_LoadedExecutable_Execute(&execution)) return error;
  const std::lock_guard lock(mutex);
  for (std::size_t r = 0; r < program.all.size(); ++r) {
    if (!program.is_own(r)) {
      destroy(done[r]);
      for (std::size_t i = 0; i < out[r].size(); ++i) {
        Twins& twins = twins_of[out[program.first][i]];
        twins.resize(program.all.size());
        twins[r] = out[r][i];
      }
      continue;
    }
    arguments->device_complete_events[r - program.first] = done[r];
    std::ranges::copy(out[r], arguments->output_lists[r - program.first]);
  }
  return nullptr;
}

const PJRT_Api* load_inner() {
  for (const char* name :
       {"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"}) {
    const std::filesystem::path path = std::filesystem::path(SSD_SOURCE_DIR) / ".deps/pjrt" / name;
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) continue;
    return reinterpret_cast<const PJRT_Api* (*)()>(::dlsym(library, "GetPjrtApi"))();
  }
  return nullptr;
}

PJRT_Api joining_api() {
  PJRT_Api api{};
  std::copy_n(reinterpret_cast<const char*>(inner),
              std::min<std::size_t>(inner->struct_size, PJRT_Api_STRUCT_SIZE), reinterpret_cast<char*>(&api));
  api.struct_size = std::min<std::size_t>(inner->struct_size, PJRT_Api_STRUCT_SIZE);
  api.PJRT_Error_Destroy = destroy_error;
  api.PJRT_Error_Message = message_of;
  api.PJRT_Error_GetCode = code_of;
  api.PJRT_Client_Create = create_client;
  api.PJRT_Client_Destroy = destroy_client;
  api.PJRT_Client_ProcessIndex = process_index;
  api.PJRT_Client_AddressableDevices = addressable_devices;
  api.PJRT_DeviceDescription_ProcessIndex = process_of_device;
  api.PJRT_Client_Compile = compile;
  api.PJRT_Executable_DeserializeAndLoad = deserialize;
  api.PJRT_LoadedExecutable_Destroy = destroy_program;
  api.PJRT_LoadedExecutable_AddressableDevices = devices_of_program;
  api.PJRT_LoadedExecutable_Execute = execute;
  api.PJRT_Buffer_Destroy = destroy_buffer;
  return api;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const PJRT_Api* GetPjrtApi() {
  static const PJRT_Api* const api = []() -> const PJRT_Api* {
    inner = load_inner();
    return inner == nullptr ? nullptr : new PJRT_Api(joining_api());
  }();
  return api;
}
