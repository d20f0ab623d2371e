// The devices of several processes, whose programs run in step: one process a host, each with all of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/pjrt/pjrt.h"
#include "base/communicator.h"

namespace ssd::pjrt {

// What a client must be told to join those of the other processes: nothing for TPUs, whose runtime reads the
// environment of its slice (TPU_WORKER_ID, TPU_WORKER_HOSTNAMES); else node_id and num_nodes, as GPUs'
// plugins call them. Called by all processes; throws Error where two would take the same GPUs.
CreateOptions joining_options(Communicator& communicator, const std::string& device,
                              const std::string& plugin);

// A process of a run as its client sees it.
struct Host {
  int process = 0;            // as its plugin counts processes, which need not be its rank
  int processes = 1;          // whose devices it reports
  std::vector<int> replicas;  // the ids of the devices that it runs a replica each on
  std::string runs_on;        // the kind of device and the plugin's version

  bool operator==(const Host&) const = default;
};

// As bytes, and back.
std::string to_text(const Host& host);
Host parse_host(const std::string& text);

// This process, with the client's first `replicas` devices.
Host this_host(const Client& client, int replicas);

// The ids of the devices of all replicas: rank 0's, then rank 1's and so on. Throws Error, the same for all
// processes, which are asked by their ranks: where a client reports another number of processes than were
// started, as of a plugin that joins none; where processes differ in what they run on or in their number of
// replicas; and where two have one device. `device`: what the user called it, and the plugin.
std::vector<std::int64_t> replicas_of(const std::vector<Host>& hosts, const std::string& device);

// Every process's by rank. Called by all.
std::vector<Host> all_hosts(Communicator& communicator, const Host& own);

}  // namespace ssd::pjrt
