// Where a network's time goes: what each node of its graph took beside what the machine could do.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/machine_peak.h"
#include "graph/device.h"

namespace ssd {

// One node, or all nodes of a kind that are computed the same way; everything of one iteration.
//
// The roofline says how long the machine would need at least: a node as long as its arithmetic takes at the
// peak or its bytes take to and from memory, whichever is longer; a kind the sum over its nodes. Operations
// are those of the definition: Winograd's way needs about a quarter of the multiplications, and tensors that
// stay in caches need no memory, so that the time can be below this bound.
struct ProfileRow {
  std::string kind;    // "convolution"
  std::string method;  // "Winograd"; empty where the device has one way
  std::string name;    // of the node; empty for a kind
  int nodes = 1;
  double seconds = 0;
  graph::Cost cost;
  double arithmetic_bound =
      0;                    // seconds of the nodes whose arithmetic takes longer than their memory traffic
  double memory_bound = 0;  // and of the others

  double bound() const { return arithmetic_bound + memory_bound; }
  // The share of the roofline that it reaches.
  double of_roofline() const { return seconds > 0 ? bound() / seconds : 0; }
  // "arithmetic" or "memory": what most of the bound is for.
  const char* limit() const { return arithmetic_bound > memory_bound ? "arithmetic" : "memory"; }
};

struct NodeProfile {
  MachinePeak peak;
  int iterations = 0;
  double seconds = 0;             // of an iteration, by the clock
  double node_seconds = 0;        // of it, in nodes; the rest copies inputs, outputs and parameters
  std::vector<ProfileRow> kinds;  // the slowest first
  std::vector<ProfileRow> nodes;  // likewise

  // Two tables for a person, the second of the `most` slowest nodes.
  std::string to_text(std::size_t most = 20) const;
  // Times in milliseconds, GFLOP, MB (a million bytes) and rates of them; shares are of 1.
  nlohmann::ordered_json to_json() const;
};

// Of iterations that took `seconds` all together.
NodeProfile node_profile(const std::vector<graph::NodeTime>& times, const MachinePeak& peak, int iterations,
                         double seconds);

}  // namespace ssd
