// The subcommands. Each adds itself to the program with its options and a callback that runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <set>

namespace ssd::cli {

// What a command leaves with: 0 done, 1 failed or problems found.
struct Session {
  int exit_code = 0;
  std::set<const CLI::App*> ends_itself = {};  // commands that watch_stop_signals()
  std::set<const CLI::App*> shares_work = {};  // commands that several processes do together
};

void add_train(CLI::App& program, Session& session);
void add_eval(CLI::App& program, Session& session);
void add_detect(CLI::App& program, Session& session);
void add_export(CLI::App& program, Session& session);
void add_quantize(CLI::App& program, Session& session);
void add_bench(CLI::App& program, Session& session);
void add_data(CLI::App& program, Session& session);
void add_compile(CLI::App& program, Session& session);
void add_devices(CLI::App& program, Session& session);
void add_verify(CLI::App& program, Session& session);

}  // namespace ssd::cli
