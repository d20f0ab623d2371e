#include "backend/pjrt/plugins.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "backend/pjrt/nvidia.h"
#include "base/error.h"

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

// Where the wheels keep their libraries, below a site-packages folder.
struct Wheel {
  const char* device;  // "tpu", "cuda", "cpu"
  const char* path;
};
constexpr Wheel wheels[] = {
    {"tpu", "libtpu/libtpu.so"},
    {"cuda", "jax_plugins/xla_cuda13/xla_cuda_plugin.so"},
    {"cuda", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"},
    {"cpu", "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"},
    {"cpu", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"},
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// lib/python3.*/{site,dist}-packages below a prefix such as /usr/local.
void add_site_packages(const fs::path& prefix, std::vector<fs::path>& folders) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", ignored)) {
    if (!entry.path().filename().string().starts_with("python3")) continue;
    for (const char* name : {"site-packages", "dist-packages"}) {
      const fs::path folder = entry.path() / name;
      const bool known = std::find(folders.begin(), folders.end(), folder) != folders.end();
      if (!known && fs::is_directory(folder, ignored)) folders.push_back(folder);
    }
  }
}

// Of every python3 on PATH. A virtual environment's is a link to another's, so links are not followed.
void add_pythons(std::vector<fs::path>& folders) {
  std::error_code ignored;
  std::istringstream path(environment("PATH"));
  for (std::string bin; std::getline(path, bin, ':');) {
    const fs::path python = (fs::path(bin) / "python3").lexically_normal();
    if (python.is_absolute() && fs::exists(python, ignored))
      add_site_packages(python.parent_path().parent_path(), folders);
  }
}

std::vector<fs::path> wheel_folders() {
  std::vector<fs::path> folders;
  std::error_code ignored;
  fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (; !folder.empty() && folder != folder.root_path(); folder = folder.parent_path())
    if (fs::is_directory(folder / ".deps/pjrt", ignored)) folders.push_back(folder / ".deps/pjrt");
  if (const std::string active = environment("VIRTUAL_ENV"); !active.empty())
    add_site_packages(active, folders);
  add_pythons(folders);
  if (const std::string home = environment("HOME"); !home.empty())
    add_site_packages(fs::path(home) / ".local", folders);
  add_site_packages("/usr/local", folders);
  add_site_packages("/usr", folders);
  return folders;
}

struct Place {
  std::string device;
  std::string path;
  std::string named_by;
};

// name:path,name:path, as JAX reads it.
void add_named(std::vector<Place>& places) {
  const char* variable = "PJRT_NAMES_AND_LIBRARY_PATHS";
  std::string list = environment(variable);
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string item = list.substr(0, comma);
    list = comma == std::string::npos ? "" : list.substr(comma + 1);
    const std::size_t colon = item.find(':');
    if (colon != std::string::npos)
      places.push_back({item.substr(0, colon), item.substr(colon + 1), fmt::format("${}", variable)});
  }
}

// Everywhere a plugin may be, most wanted first, whether there is a file or not.
std::vector<Place> places() {
  std::vector<Place> result;
  if (const std::string path = environment("SINGLESHOT_PJRT_PLUGIN"); !path.empty())
    result.push_back({"", path, "$SINGLESHOT_PJRT_PLUGIN"});
  add_named(result);
  if (const std::string path = environment("TPU_LIBRARY_PATH"); !path.empty())
    result.push_back({"tpu", path, "$TPU_LIBRARY_PATH"});
  const std::vector<fs::path> folders = wheel_folders();
  for (const Wheel& wheel : wheels)
    for (const fs::path& folder : folders) result.push_back({wheel.device, folder / wheel.path, "wheel"});
  for (Place& place : result) place.path = fs::absolute(place.path);
  return result;
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool serves(const Place& place, const std::string& device) {
  return place.device.empty() || place.device == device || (device == "cuda" && place.device == "gpu");
}

// The places for a device. Of CUDA plugins, those with NVIDIA's libraries beside them come first: the others
// rely on the machine's.
std::vector<Place> places_for(const std::string& device) {
  std::vector<Place> result = places();
  std::erase_if(result, [&](const Place& place) { return !serves(place, device); });
  std::stable_partition(result.begin(), result.end(), [](const Place& place) {
    return place.named_by != "wheel" || !is_cuda_plugin(place.path) || !nvidia_folder(place.path, {}).empty();
  });
  return result;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

PluginInfo inspect(const Place& place) {
  const bool named = place.device == "tpu" || place.device == "cuda";
  PluginInfo info{.device = named ? place.device : "pjrt:" + place.path, .path = place.path};
  try {
    prepare_environment(place.path);
    const auto plugin = Plugin::load(place.path);
    info.api = plugin->version();
    if (place.device == "tpu" && !has_tpu())
      throw Error("this machine has no TPU; programs can be compiled for one (singleshot compile)");
    CreateOptions options;
    if (is_cuda_plugin(place.path)) options["preallocate"] = false;  // only to look, beside other programs
    const auto client = Client::create(plugin, options);
    info.platform = client->platform();
    info.version = first_line(client->platform_version());
    for (PJRT_Device* device : client->devices()) info.devices.push_back(client->describe(device));
  } catch (const Error& error) {
    info.problem = error.what();
  }
  return info;
}

void prepare_cuda(const fs::path& plugin) {
  const fs::path nvidia = nvidia_folder(plugin, wheel_folders());
  if (!nvidia.empty()) preload_nvidia_libraries(nvidia);
  const std::string flags = environment("XLA_FLAGS");
  if (flags.find("xla_gpu_cuda_data_dir") != std::string::npos) return;
  if (const fs::path toolkit = cuda_toolkit(nvidia); !toolkit.empty())
    setenv("XLA_FLAGS", fmt::format("{} --xla_gpu_cuda_data_dir={}", flags, toolkit.string()).c_str(), 1);
}

}  // namespace

bool has_tpu() {
  std::error_code ignored;
  return fs::exists("/dev/accel0", ignored) || fs::exists("/dev/vfio/0", ignored) ||
         !environment("TPU_WORKER_HOSTNAMES").empty();
}

void prepare_environment(const std::string& plugin) {
  const fs::path path(plugin);
  setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);  // plugins greet on standard error
  if (path.filename() == "libtpu.so" && !has_tpu()) {
    setenv("TPU_SKIP_MDS_QUERY", "1", 0);
    setenv("ALLOW_MULTIPLE_LIBTPU_LOAD", "1", 0);  // two may compile at once where there is nothing to lock
  }
  if (is_cuda_plugin(path)) prepare_cuda(path);
}

std::string find_plugin(const std::string& device) {
  if (device.starts_with("pjrt:")) {
    const std::string path = device.substr(5);
    if (!is_file(path)) throw Error("--device {}: no file '{}'; name a PJRT plugin library", device, path);
    return fs::absolute(path);  // the loader looks for a bare name elsewhere
  }
  if (device != "tpu" && device != "cuda")
    throw Error("--device: got '{}', expected cpu, tpu, cuda or pjrt:PATH", device);
  std::vector<std::string> tried;
  for (const Place& place : places_for(device)) {
    if (is_file(place.path)) return place.path;
    if (place.named_by != "wheel")
      throw Error("--device {}: no file '{}', which {} names; correct the variable or unset it", device,
                  place.path, place.named_by);
    tried.push_back(place.path);
  }
  throw Error("--device {}: no PJRT plugin found; tried {}; install {} or set SINGLESHOT_PJRT_PLUGIN", device,
              fmt::join(tried, ", "), device == "tpu" ? "libtpu" : "jax-cuda13-pjrt");
}

std::vector<PluginInfo> list_plugins() {
  std::vector<PluginInfo> result;
  std::vector<std::string> seen;
  for (const Place& place : places()) {
    std::error_code ignored;
    const std::string real = fs::weakly_canonical(place.path, ignored);
    const bool known = std::find(seen.begin(), seen.end(), real) != seen.end();
    // A file that a variable names is told about even when it is not there.
    if (known || (!is_file(place.path) && place.named_by == "wheel")) continue;
    seen.push_back(real);
    result.push_back(inspect(place));
  }
  return result;
}

}  // namespace ssd::pjrt
