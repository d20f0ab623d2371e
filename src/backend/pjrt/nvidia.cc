#include "backend/pjrt/nvidia.h"

#include <dlfcn.h>

#include <algorithm>

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

// In the order of their needs. The folders hold others too, some of which replace functions of the process
// that loads them (nvblas, accinj64): only these are wanted.
constexpr const char* libraries[] = {"cudart",
                                     "nvrtc-builtins",
                                     "nvrtc",
                                     "nvJitLink",
                                     "cublasLt",
                                     "cublas",
                                     "cusparse",
                                     "cusolver",
                                     "cufft",
                                     "cupti",
                                     "cudnn_graph",
                                     "cudnn_engines_precompiled",
                                     "cudnn_ops",
                                     "cudnn_cnn",
                                     "cudnn_adv",
                                     "cudnn_heuristic",
                                     "cudnn_engines_runtime_compiled",
                                     "cudnn",
                                     "nccl",
                                     "nvshmem_host"};

// nvidia/cu13/lib, then nvidia/*/lib of wheels with a folder each.
std::vector<fs::path> library_folders(const fs::path& nvidia) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(nvidia, ignored))
    if (fs::is_directory(entry.path() / "lib", ignored)) folders.push_back(entry.path() / "lib");
  std::sort(folders.begin(), folders.end());
  std::stable_partition(folders.begin(), folders.end(),
                        [](const fs::path& folder) { return folder.parent_path().filename() == "cu13"; });
  return folders;
}

bool preload(const std::vector<fs::path>& folders, const std::string& start) {
  std::error_code ignored;
  for (const fs::path& folder : folders)
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().filename().string().starts_with(start) &&
          dlopen(entry.path().c_str(), RTLD_LAZY | RTLD_GLOBAL) != nullptr)
        return true;
  return false;
}

}  // namespace

bool is_cuda_plugin(const fs::path& plugin) { return plugin.filename() == "xla_cuda_plugin.so"; }

fs::path nvidia_folder(const fs::path& plugin, const std::vector<fs::path>& sites) {
  std::vector<fs::path> candidates{plugin.parent_path().parent_path().parent_path()};
  candidates.insert(candidates.end(), sites.begin(), sites.end());
  std::error_code ignored;
  for (const fs::path& site : candidates)
    if (fs::is_directory(site / "nvidia", ignored)) return site / "nvidia";
  return {};
}

int preload_nvidia_libraries(const fs::path& nvidia) {
  const std::vector<fs::path> folders = library_folders(nvidia);
  return static_cast<int>(std::count_if(std::begin(libraries), std::end(libraries), [&](const char* name) {
    return preload(folders, std::string("lib") + name + ".so.");
  }));
}

fs::path cuda_toolkit(const fs::path& nvidia) {
  std::vector<fs::path> candidates{"/usr/local/cuda"};
  if (!nvidia.empty()) candidates.insert(candidates.begin(), {nvidia / "cu13", nvidia / "cuda_nvcc"});
  std::error_code ignored;
  for (const fs::path& toolkit : candidates)
    if (fs::is_regular_file(toolkit / "nvvm/libdevice/libdevice.10.bc", ignored)) return toolkit;
  return {};
}

}  // namespace ssd::pjrt
