// Ctrl-C and SIGTERM for commands that have something to clear away.
#pragma once

namespace ssd::cli {

// From now on the first signal only sets stop_requested(); a second one ends the program at once.
void catch_stop_signals();
bool stop_requested();

}  // namespace ssd::cli
