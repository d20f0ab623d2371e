#include "cli/stop.h"

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace ssd::cli {
namespace {

std::atomic<bool> requested{false};

void request(int signal) {
  if (requested.exchange(true)) std::_Exit(128 + signal);
}

}  // namespace

void catch_stop_signals() {
  std::signal(SIGINT, request);
  std::signal(SIGTERM, request);
}

bool stop_requested() { return requested; }

}  // namespace ssd::cli
