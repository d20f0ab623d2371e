// The processes that a launcher (mpirun, srun) started, of which this is one.
#pragma once

#include <string>

#include "base/communicator.h"
#include "base/key_values.h"

namespace ssd::cli {

// Joins them, where there are several; before all that talks or uses processors. All but the first fall
// silent from here on: they tell, put and write nothing. Throws Error where they cannot be joined.
void join_processes();

// This process alone where no others were joined.
Communicator& processes();

// What they leave for each other.
KeyValues& key_values();

// What stands before the message of an error: of several processes, which one it was. All but the first wait
// a moment, for what happened to them happened to the first as well, more often than not, and it ends them
// all.
std::string who_failed();

// Leaves the others: after work that is done waits for them, after a failure ends them all.
void leave_processes(int exit_code);

}  // namespace ssd::cli
