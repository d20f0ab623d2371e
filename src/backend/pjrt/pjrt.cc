// Plugins, clients, events and buffers; programs are in pjrt_program.cc.
#include "backend/pjrt/pjrt.h"

#include <mutex>

#include "backend/pjrt/pjrt_api.h"
#include "base/error.h"
#include "base/late_library.h"

namespace ssd::pjrt {
namespace {

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
  const LateLibrary library(path);
  if (!library.is_loaded()) throw Error("PJRT plugin '{}': cannot be loaded: {}", path, library.fault());
  const PJRT_Api* (*get)() = nullptr;
  if (!library.find("GetPjrtApi", get))
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

std::vector<PJRT_NamedValue> named_values(const CreateOptions& options) {
  std::vector<PJRT_NamedValue> values;
  for (const auto& [name, option] : options) values.push_back(named_value(name, option));
  return values;
}

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

std::string api_version() { return fmt::format("{}.{}", PJRT_API_MAJOR, PJRT_API_MINOR); }

std::string Plugin::version() const {
  return fmt::format("{}.{}", api_->pjrt_api_version.major_version, api_->pjrt_api_version.minor_version);
}

// Client

std::shared_ptr<Client> Client::create(std::shared_ptr<const Plugin> plugin, const CreateOptions& options,
                                       KeyValues* values) {
  const std::vector<PJRT_NamedValue> named = named_values(options);
  std::shared_ptr<Client> client(new Client);
  client->plugin_ = std::move(plugin);
  const PJRT_Api* api = client->api();
  SSD_ARGUMENTS(PJRT_Client_Create_Args, creation);
  creation.create_options = named.data();
  creation.num_options = named.size();
  if (values != nullptr) offer(*values, creation);
  SSD_CALL(api, PJRT_Client_Create, creation);
  client->handle_ = creation.client;
  SSD_ARGUMENTS(PJRT_Client_AddressableDevices_Args, devices);
  devices.client = client->handle_;
  SSD_CALL(api, PJRT_Client_AddressableDevices, devices);
  client->devices_.assign(devices.addressable_devices,
                          devices.addressable_devices + devices.num_addressable_devices);
  SSD_ARGUMENTS(PJRT_Client_Devices_Args, all);
  all.client = client->handle_;
  SSD_CALL(api, PJRT_Client_Devices, all);
  client->all_devices_.assign(all.devices, all.devices + all.num_devices);
  return client;
}

Client::~Client() {
  if (handle_ == nullptr) return;
  SSD_DESTROY(api(), Client, client, handle_);
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

int Client::process() const {
  SSD_ARGUMENTS(PJRT_Client_ProcessIndex_Args, arguments);
  arguments.client = handle_;
  SSD_CALL(api(), PJRT_Client_ProcessIndex, arguments);
  return arguments.process_index;
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
  SSD_ARGUMENTS(PJRT_DeviceDescription_ProcessIndex_Args, process);
  process.device_description = get.device_description;
  SSD_CALL(api(), PJRT_DeviceDescription_ProcessIndex, process);
  info.process = process.process_index;
  SSD_ARGUMENTS(PJRT_DeviceDescription_ToString_Args, text);
  text.device_description = get.device_description;
  SSD_CALL(api(), PJRT_DeviceDescription_ToString, text);
  info.description.assign(text.to_string, text.to_string_size);
  SSD_ARGUMENTS(PJRT_Device_MemoryStats_Args, memory);
  memory.device = device;
  if (!has(api(), offsetof(PJRT_Api, PJRT_Device_MemoryStats))) return info;
  if (PJRT_Error* error = api()->PJRT_Device_MemoryStats(&memory)) {
    ignore(api(), error);  // CPU devices keep no account
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
  SSD_DESTROY(client_->api(), Event, event, handle_);
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
  SSD_DESTROY(client_->api(), Buffer, buffer, handle_);
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

}  // namespace ssd::pjrt
