// Signals that ask a run to end with a checkpoint.
#pragma once

#include <atomic>

namespace ssd::cli {

// From now on SIGINT, SIGTERM and, where it is not ignored (nohup), SIGHUP set the flag that is returned. A
// second SIGINT or SIGTERM ends the program at once; a hang-up counts as neither, since a closed terminal
// sends it from several sides.
const std::atomic<bool>& watch_stop_signals();

// A reader of the console that goes away (`| head`) is then a failed write, not the end of the program.
void ignore_closed_pipes();

}  // namespace ssd::cli
