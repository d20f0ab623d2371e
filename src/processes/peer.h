// Who a process of a run is, and whether it still lives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ssd {

struct Peer {
  std::string host;
  std::int64_t process = 0;   // its id there
  std::uint64_t started = 0;  // in the kernel's clock ticks: ids are used again
  std::string processors;     // of its affinity mask: "0,1,2"
};

Peer this_process();

// As bytes, and back. Throws Error for other bytes.
std::string to_text(const Peer& peer);
Peer parse_peer(const std::string& text);

// Whether a process of this machine still runs: one that has ended and waits for its parent does not. By
// /proc/PID/stat (proc(5)); also false where that cannot be read, as in containers of their own.
bool is_running(const Peer& peer);

// How many of the processes share the processors of number `rank`, itself included: those of its host whose
// affinity masks are the same.
int sharers_of_processors(const std::vector<Peer>& peers, int rank);

}  // namespace ssd
