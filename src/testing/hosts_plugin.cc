// A PJRT plugin for tests: the devices of several processes, on one machine. It stands before the CPU plugin
// and joins processes as those of GPUs do, by the options node_id and num_nodes and by the caller's key-value
// callbacks, or, where these options are not given, as TPUs' does, by TPU_WORKER_ID and TPU_WORKER_HOSTNAMES.
//
// Each process has the CPU plugin make up the devices of all, and shows its own as addressable. A program on
// devices of several processes is computed by each of them for all: arguments that the others have travel as
// values, and their results are kept beside the own ones. So such programs run as they are, with the sums
// over all replicas that they hold; what is made up is the network.
#include "testing/hosts_plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>

namespace ssd::hosts_plugin {
namespace {

struct OwnError {
  PJRT_Error_Code code;
  std::string message;
};
std::set<OwnError*> errors;
std::map<PJRT_DeviceDescription*, int> processes;

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

}  // namespace

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

namespace {

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
  forget(clients, arguments->client);
  return inner->PJRT_Client_Destroy(arguments);
}

PJRT_Error* process_index(PJRT_Client_ProcessIndex_Args* arguments) {
  const std::lock_guard lock(mutex);
  arguments->process_index = clients.at(arguments->client).node;
  return nullptr;
}

PJRT_Error* addressable_devices(PJRT_Client_AddressableDevices_Args* arguments) {
  const std::lock_guard lock(mutex);
  return show(clients.at(arguments->client).own_devices, *arguments);
}

PJRT_Error* process_of_device(PJRT_DeviceDescription_ProcessIndex_Args* arguments) {
  const std::lock_guard lock(mutex);
  arguments->process_index = processes.at(arguments->device_description);
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
  compute_together(api);
  return api;
}

}  // namespace
}  // namespace ssd::hosts_plugin

extern "C" __attribute__((visibility("default"))) const PJRT_Api* GetPjrtApi() {
  using namespace ssd::hosts_plugin;
  static const PJRT_Api* const api = []() -> const PJRT_Api* {
    inner = load_inner();
    return inner == nullptr ? nullptr : new PJRT_Api(joining_api());
  }();
  return api;
}
