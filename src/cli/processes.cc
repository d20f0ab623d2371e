#include "cli/processes.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/processors.h"
#include "cli/output.h"
#include "processes/launched.h"
#include "processes/mpi_communicator.h"

namespace ssd::cli {
namespace {

std::unique_ptr<MpiCommunicator> joined;

// On the thread that watches: whatever else this process does, it will not be done.
void end_for_lost(const std::string& line) {
  std::fprintf(stderr, "singleshot: %s\n", one_line(line).c_str());
  joined->abort(1);
}

}  // namespace

void join_processes() {
  const Launched by_launcher = launched();
  if (by_launcher.processes <= 1) return;
  joined = std::make_unique<MpiCommunicator>(load_mpi_functions(by_launcher),
                                             PeerWatch::Options{.on_lost = end_for_lost});
  if (joined->size() != by_launcher.processes)
    throw Error(
        "MPI: one of {} processes ({}), but MPI knows of {}; start them by its own launcher, or with "
        "srun --mpi=pmix",
        by_launcher.processes, by_launcher.said_by, joined->size());
  share_processors(sharers_of_processors(joined->peers(), joined->rank()));
  if (!joined->is_first()) fall_silent();
}

Communicator& processes() {
  static SingleProcess alone;
  return joined ? static_cast<Communicator&>(*joined) : alone;
}

KeyValues& key_values() {
  static LocalKeyValues alone;
  return joined ? joined->key_values() : alone;
}

std::string who_failed() {
  if (!joined || joined->is_first()) return "";
  std::this_thread::sleep_for(std::chrono::seconds(2) + joined->rank() * std::chrono::milliseconds(100));
  const Peer& own = joined->peers()[static_cast<std::size_t>(joined->rank())];
  return fmt::format("rank {} on {}: ", joined->rank(), own.host);
}

void leave_processes(int exit_code) {
  if (!joined) return;
  if (exit_code != 0) joined->abort(exit_code);
  joined.reset();
}

}  // namespace ssd::cli
