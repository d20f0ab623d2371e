// What the CUDA plugin needs of its surroundings: NVIDIA's libraries and the toolkit's device code, which
// come with the machine or as wheels in a site-packages folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ssd::pjrt {

// Whether a library is the CUDA plugin of JAX's wheels, by its name.
bool is_cuda_plugin(const std::filesystem::path& plugin);

// site-packages/nvidia of the plugin itself where it is there, else of the first of `sites` that has one;
// empty where none has.
std::filesystem::path nvidia_folder(const std::filesystem::path& plugin,
                                    const std::vector<std::filesystem::path>& sites);

// Loads what the plugin is linked with or opens by name, so that it is found though no search path leads
// there. Libraries that are missing or do not load are passed over: the machine may have them elsewhere.
// Returns how many were loaded.
int preload_nvidia_libraries(const std::filesystem::path& nvidia);

// The CUDA toolkit for the compiler: the first folder with nvvm/libdevice/libdevice.10.bc, of the wheels and
// of /usr/local/cuda; empty where there is none.
std::filesystem::path cuda_toolkit(const std::filesystem::path& nvidia);

}  // namespace ssd::pjrt
