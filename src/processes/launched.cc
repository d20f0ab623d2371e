#include "processes/launched.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/late_library.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// Slurm sets its own within each step that srun starts, not for the script of a job.
constexpr std::array<const char*, 3> variables{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};

int number_of(std::string_view text) {
  int number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::array<fs::path, 3> places_of_module() {
  std::error_code unknown;
  const fs::path folder = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  return {folder / mpi_module_name, folder / "../lib/singleshot" / mpi_module_name,
          folder / ".." / SSD_INSTALL_LIBDIR / "singleshot" / mpi_module_name};
}

}  // namespace

Launched launched() {
  for (const char* variable : variables) {
    const char* value = std::getenv(variable);
    if (value == nullptr) continue;
    if (const int processes = number_of(value); processes > 1) return {processes, variable};
  }
  return {};
}

const MpiFunctions& load_mpi_functions(const Launched& launched) {
  for (const fs::path& place : places_of_module()) {
    if (!fs::exists(place)) continue;
    const LateLibrary module(place.string(), LateLibrary::Scope::global);
    if (!module.is_loaded()) throw Error("MPI: {}; install Open MPI's library (libopenmpi3)", module.fault());
    const MpiFunctions* (*functions)() = nullptr;
    if (!module.find(mpi_functions_name, functions))
      throw Error("MPI: {} has no {}; install the program anew", place.string(), mpi_functions_name);
    return *functions();
  }
  throw Error(
      "MPI: one of {} processes ({}), but this build has no {}; install libopenmpi-dev and build it again, "
      "or start one process",
      launched.processes, launched.said_by, mpi_module_name);
}

}  // namespace ssd
