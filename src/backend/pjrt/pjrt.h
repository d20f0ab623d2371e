// The PJRT C API as C++: plugins, clients, buffers and executables as owning handles. The C header stays
// behind pjrt_api.h; where it was missing at build time pjrt_absent.cc stands in, and Plugin::load throws.
//
// Every failing call throws Error with the call, its code and the plugin's message. Destructors swallow
// errors. A handle shares the ownership of what it came from, so none outlives its client; plugins are never
// unloaded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/key_values.h"
#include "base/tensor.h"
#include "graph/graph.h"

struct PJRT_Api;
struct PJRT_Buffer;
struct PJRT_Client;
struct PJRT_Device;
struct PJRT_Event;
struct PJRT_Executable;
struct PJRT_LoadedExecutable;

namespace ssd::pjrt {

// Of the PJRT C API that the program was built with: "0.81", or "none" where the header was missing.
std::string api_version();

// A loaded plugin library.
class Plugin {
 public:
  // Loads and initialises the library once a process. Throws Error when it is no plugin or speaks another
  // major version of the API.
  static std::shared_ptr<const Plugin> load(const std::string& path);

  const std::string& path() const { return path_; }
  std::string version() const;  // of the API: "0.81"
  const PJRT_Api* api() const { return api_; }

 private:
  Plugin() = default;
  std::string path_;
  const PJRT_Api* api_ = nullptr;
};

struct DeviceInfo {
  int id = 0;               // no other device has it, in any process that the client has joined
  int process = 0;          // whose device it is, as the plugin counts processes
  std::string kind;         // "TPU v3", "NVIDIA H200", "cpu"
  std::string description;  // for people
  // Bytes; -1 where the plugin does not say.
  std::int64_t memory_in_use = -1;
  std::int64_t memory_limit = -1;
};

// Options of a client by name; which there are, and of what kind, is the plugin's to say.
using CreateOption = std::variant<std::int64_t, bool, float, std::string>;
using CreateOptions = std::map<std::string, CreateOption>;

// A plugin's runtime and its devices.
class Client : public std::enable_shared_from_this<Client> {
 public:
  // `values`: by which clients of several processes find each other, where the plugin asks for them (GPUs'
  // also to compile and to start); they outlive the client. Of one client a process.
  static std::shared_ptr<Client> create(std::shared_ptr<const Plugin> plugin,
                                        const CreateOptions& options = {}, KeyValues* values = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::string platform() const;          // "tpu", "cuda", "cpu"
  std::string platform_version() const;  // many lines for some plugins
  int process() const;                   // this one, as the plugin counts processes
  // Devices of this process, in the plugin's order.
  const std::vector<PJRT_Device*>& devices() const { return devices_; }
  // And those of the others that the client has joined.
  const std::vector<PJRT_Device*>& all_devices() const { return all_devices_; }
  DeviceInfo describe(PJRT_Device* device) const;

  const Plugin& plugin() const { return *plugin_; }
  const PJRT_Api* api() const { return plugin_->api(); }
  PJRT_Client* handle() const { return handle_; }

 private:
  Client() = default;
  std::shared_ptr<const Plugin> plugin_;
  PJRT_Client* handle_ = nullptr;
  std::vector<PJRT_Device*> devices_, all_devices_;
};

// Something the device will have done. Destroying it does not wait: memory that the device may still read or
// write must outlive a wait().
class Event {
 public:
  Event() = default;
  Event(std::shared_ptr<const Client> client, PJRT_Event* handle)
      : client_(std::move(client)), handle_(handle) {}
  Event(Event&& other) noexcept
      : client_(std::move(other.client_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Event& operator=(Event&& other) noexcept;
  ~Event();

  void wait();  // throws what the device reports; returns at once where there is nothing to wait for

 private:
  std::shared_ptr<const Client> client_;
  PJRT_Event* handle_ = nullptr;
};

// A tensor on a device.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<const Client> client, PJRT_Buffer* handle)
      : client_(std::move(client)), handle_(handle) {}
  Buffer(Buffer&& other) noexcept
      : client_(std::move(other.client_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  // Starts copying dense row-major elements to a device. They must stay as they are until `sent` is waited
  // for.
  static Buffer send(const std::shared_ptr<Client>& client, PJRT_Device* device, const TensorView& elements,
                     Event& sent);
  // Starts copying to `bytes` of host memory at `to`, dense and row-major whatever the device's own layout.
  Event fetch(const graph::TensorType& type, std::byte* to) const;

  PJRT_Buffer* handle() const { return handle_; }

 private:
  std::shared_ptr<const Client> client_;
  PJRT_Buffer* handle_ = nullptr;
};

// An argument of a program: lent, or given away to be overwritten (donated).
struct Argument {
  Argument(const Buffer& buffer) : lent(&buffer) {}
  Argument(Buffer&& buffer) : given(std::move(buffer)) {}
  const Buffer* lent = nullptr;
  Buffer given;
};

// A program compiled for some of a client's devices, one replica each, and loaded onto those of this process.
class Executable {
 public:
  // `program` is StableHLO text, `options` a serialized CompileOptionsProto (compile_options.h).
  static std::unique_ptr<Executable> compile(const std::shared_ptr<Client>& client,
                                             const std::string& program, const std::string& options);
  // From serialize() of the same plugin version and device kind.
  static std::unique_ptr<Executable> deserialize(const std::shared_ptr<Client>& client,
                                                 const std::string& bytes);
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  std::string serialize() const;
  // One a replica of this process, in the replicas' order.
  const std::vector<PJRT_Device*>& devices() const { return devices_; }

  struct Run {
    std::vector<std::vector<Buffer>> results;  // [replica][result]
    std::vector<Event> done;                   // [replica]
  };
  // Starts the program on its devices of this process; those of others wait until each has done the same.
  // Arguments are [replica][argument]; those given away are gone.
  Run start(std::vector<std::vector<Argument>> arguments);

 private:
  Executable(std::shared_ptr<Client> client, PJRT_LoadedExecutable* handle);
  std::shared_ptr<Client> client_;
  PJRT_LoadedExecutable* handle_ = nullptr;
  std::size_t results_ = 0;
  std::vector<PJRT_Device*> devices_;
};

// What a compiler says about a program compiled without devices.
struct Compiled {
  std::map<std::string, double> cost;  // "flops", "bytes accessed", "optimal_seconds", ...
  std::int64_t code_bytes = 0;         // of one device, as the rest
  std::int64_t argument_bytes = 0;
  std::int64_t output_bytes = 0;
  std::int64_t alias_bytes = 0;  // of the arguments, reused for outputs
  std::int64_t temporary_bytes = 0;
  std::string optimized_format;  // "hlo_with_config": a serialized HloModuleProtoWithConfig
  std::string optimized;
  std::string executable;  // serialized, empty where the plugin cannot
};
// Compiles ahead of time for a topology such as "v5e:2x2". `options` gets the number of devices of the
// topology and returns a serialized CompileOptionsProto.
class Topology {
 public:
  static Topology create(std::shared_ptr<const Plugin> plugin, const std::string& name,
                         const CreateOptions& options = {});
  int devices() const { return devices_; }
  std::string device_kind() const { return kind_; }
  Compiled compile(const std::string& program, const std::string& options) const;

 private:
  Topology() = default;
  std::shared_ptr<const Plugin> plugin_;
  std::shared_ptr<void> handle_;
  int devices_ = 0;
  std::string kind_;
};

}  // namespace ssd::pjrt
