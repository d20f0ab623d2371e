// Whether a launcher (mpirun, srun) has started this process as one of several, and the MPI that they talk
// by.
#pragma once

#include <filesystem>
#include <string>

#include "processes/mpi_functions.h"

namespace ssd {

struct Launched {
  int processes = 1;
  std::string said_by;  // the environment variable that says so; empty: none does
};

// By Open MPI's, MPICH's and Slurm's environment variables.
Launched launched();

// Loads MPI's functions from the folder of the program or, where that is installed, from lib/singleshot
// beside it. They stay loaded. Throws Error where the library is missing or does not load.
const MpiFunctions& load_mpi_functions(const Launched& launched);

}  // namespace ssd
