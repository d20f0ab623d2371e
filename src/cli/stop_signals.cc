#include "cli/stop_signals.h"

#include <array>
#include <csignal>
#include <cstdlib>

namespace ssd::cli {
namespace {

constexpr std::array<int, 3> stop_signals{SIGINT, SIGTERM, SIGHUP};

std::atomic<bool> stop_requested{false}, asked_before{false};
std::atomic<int> first_signal{0};
std::array<void (*)(int), stop_signals.size()> found{SIG_DFL, SIG_DFL, SIG_DFL};  // before they were caught

void request_stop(int signal) {
  if (signal != SIGHUP && asked_before.exchange(true)) std::_Exit(128 + signal);
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  stop_requested = true;
}

}  // namespace

void catch_stop_signals() {
  for (std::size_t i = 0; i < stop_signals.size(); ++i) found[i] = std::signal(stop_signals[i], request_stop);
  if (found.back() == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

const std::atomic<bool>& watch_stop_signals() { return stop_requested; }

void release_stop_signals() {
  for (std::size_t i = 0; i < stop_signals.size(); ++i) std::signal(stop_signals[i], found[i]);
  if (const int signal = first_signal) std::raise(signal);
}

void ignore_closed_pipes() { std::signal(SIGPIPE, SIG_IGN); }

}  // namespace ssd::cli
