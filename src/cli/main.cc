// singleshot: train, evaluate and run SSD300 v1.1.
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  CLI::App program("SSD300 v1.1 object detection: train it, evaluate it, run it.", "singleshot");
  program.require_subcommand(1);
  program.set_version_flag("--version", SSD_VERSION);
  program.get_formatter()->column_width(38);
  ssd::cli::Session session;
  ssd::cli::add_train(program, session);
  ssd::cli::add_eval(program, session);
  ssd::cli::add_detect(program, session);
  ssd::cli::add_bench(program, session);
  ssd::cli::add_data(program, session);
  ssd::cli::add_compile(program, session);
  ssd::cli::add_devices(program, session);
  ssd::cli::add_verify(program, session);
  try {
    program.parse(argc, argv);
    return session.exit_code;
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const ssd::UsageError& error) {
    std::fprintf(stderr, "singleshot: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "singleshot: %s\n", error.what());
    return 1;
  }
}
