#include "cli/stop_signals.h"

#include <csignal>
#include <cstdlib>

namespace ssd::cli {
namespace {

std::atomic<bool> stop_requested{false}, asked_before{false};

void request_stop(int signal) {
  if (asked_before.exchange(true)) std::_Exit(128 + signal);
  stop_requested = true;
}

void request_stop_on_hangup(int) { stop_requested = true; }

}  // namespace

const std::atomic<bool>& watch_stop_signals() {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  if (std::signal(SIGHUP, request_stop_on_hangup) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  return stop_requested;
}

void ignore_closed_pipes() { std::signal(SIGPIPE, SIG_IGN); }

}  // namespace ssd::cli
