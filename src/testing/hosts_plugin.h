// What the files of the hosts plugin share: hosts_plugin.cc joins processes, hosts_plugin_programs.cc
// computes.
#pragma once

#include <pjrt_c_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ssd::hosts_plugin {

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

inline const PJRT_Api* inner = nullptr;  // the CPU plugin's

inline std::mutex mutex;  // of what is noted of the CPU plugin's objects:
inline std::map<PJRT_Client*, Joined> clients;

// Values that processes leave for each other.
PJRT_Error* put(const Joined& client, const std::string& key, const std::string& value);
PJRT_Error* get(const Joined& client, const std::string& key, std::string& value);

template <typename Handle, typename Noted>
void forget(std::map<Handle*, Noted>& all, Handle* handle) {
  const std::lock_guard lock(mutex);
  all.erase(handle);
}

PJRT_Error* show(const std::vector<PJRT_Device*>& devices, auto& arguments) {
  arguments.addressable_devices = devices.data();
  arguments.num_addressable_devices = devices.size();
  return nullptr;
}

// Replaces the functions of programs and buffers.
void compute_together(PJRT_Api& api);

}  // namespace ssd::hosts_plugin
