#include <algorithm>
#include <string>
#include <vector>

#include "testing/hosts_plugin.h"

namespace ssd::hosts_plugin {
namespace {

struct Loaded {
  Joined* client = nullptr;
  std::vector<PJRT_Device*> all, own;
  std::size_t first = 0;  // own replica, among all

  bool is_together() const { return own.size() < all.size(); }
  bool is_own(std::size_t replica) const { return replica >= first && replica < first + own.size(); }
};

// Of the others, by replica; null for those of this process.
using Twins = std::vector<PJRT_Buffer*>;

std::map<PJRT_LoadedExecutable*, Loaded> programs;
std::map<PJRT_Buffer*, Twins> twins_of;  // by the first own replica's

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
  forget(programs, arguments->executable);
  return inner->PJRT_LoadedExecutable_Destroy(arguments);
}

PJRT_Error* devices_of_program(PJRT_LoadedExecutable_AddressableDevices_Args* arguments) {
  const std::lock_guard lock(mutex);
  return show(programs.at(arguments->executable).own, *arguments);
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

}  // namespace

void compute_together(PJRT_Api& api) {
  api.PJRT_Client_Compile = compile;
  api.PJRT_Executable_DeserializeAndLoad = deserialize;
  api.PJRT_LoadedExecutable_Destroy = destroy_program;
  api.PJRT_LoadedExecutable_AddressableDevices = devices_of_program;
  api.PJRT_LoadedExecutable_Execute = execute;
  api.PJRT_Buffer_Destroy = destroy_buffer;
}

}  // namespace ssd::hosts_plugin
