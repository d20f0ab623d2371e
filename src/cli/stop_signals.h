// Signals that ask a command to end.
#pragma once

#include <atomic>

namespace ssd::cli {

// To be called first of all: from now on SIGINT, SIGTERM and, where it is not ignored (nohup), SIGHUP are
// remembered, so that none ends a command before it can end itself. A second SIGINT or SIGTERM ends the
// program at once; a hang-up counts as neither, since a closed terminal sends it from several sides. A write
// beyond a limit on the size of files (SIGXFSZ) is a failed write, not the end of the program.
void catch_stop_signals();

// For a command that ends itself: the flag that is set by the signals, also by those that came before. It
// ends a training run with a checkpoint, and the making of a cache without half a file.
const std::atomic<bool>& watch_stop_signals();

// For a command that does not: from now on the signals end the program as they end any (130, 143, 129 in a
// shell); one that came before does so now.
void release_stop_signals();

// A reader of the console that goes away (`| head`) is then a failed write, not the end of the program.
void ignore_closed_pipes();

}  // namespace ssd::cli
