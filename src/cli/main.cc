// singleshot: train, evaluate and run SSD300 v1.1.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <string_view>

#include "base/error.h"
#include "base/one_line.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/image_limit_option.h"
#include "cli/processes.h"
#include "cli/stop_signals.h"
#include "cli/version.h"

namespace {

// The subcommands that the arguments name, from the outermost: "singleshot", "bench", "train".
std::vector<CLI::App*> named_by(CLI::App& program) {
  std::vector<CLI::App*> path{&program};
  while (!path.back()->get_subcommands().empty()) path.push_back(path.back()->get_subcommands().front());
  return path;
}

std::vector<std::string> names_of(const std::vector<CLI::App*>& apps) {
  std::vector<std::string> names;
  for (const CLI::App* app : apps) names.push_back(app->get_name());
  return names;
}

// One line: what is wrong, and where help is. A mistyped subcommand is named; CLI11 would miss any.
std::string usage_line(CLI::App& program, const CLI::ParseError& error) {
  const std::vector<CLI::App*> path = named_by(program);
  const std::string command = fmt::format("{}", fmt::join(names_of(path), " "));
  const std::vector<std::string> rest = path.back()->remaining(true);
  const std::vector<CLI::App*> below = path.back()->get_subcommands([](const CLI::App*) { return true; });
  std::string what = error.what();
  if (!below.empty() && !rest.empty() && rest[0].starts_with("-"))
    what = fmt::format("unknown option {}", rest[0]);
  else if (!below.empty() && !rest.empty())
    what = fmt::format("unknown command '{}', expected one of {}", rest[0], fmt::join(names_of(below), ", "));
  else if (!rest.empty() && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    what = fmt::format("not expected here: {}", fmt::join(rest, " "));
  return fmt::format("{}: {}; see {} --help", command, what, command);
}

// Help, version and manual need no command: they leave while the options are read.
void add_commands(CLI::App& program, ssd::cli::Session& session) {
  program.formatter(std::make_shared<ssd::cli::HelpFormatter>());
  program.set_help_flag("-h,--help", "Print this help and exit");
  ssd::cli::begin_group(program, ssd::cli::group::general);
  program.set_version_flag("--version", ssd::cli::version_text,
                           "Print the versions of the program and its libraries");
  ssd::cli::begin_group(program, "");
  program.add_flag_callback(
      "--help-markdown", [&program] { throw CLI::CallForVersion(ssd::cli::manual(program), 0); },
      "Print docs/cli.md");
  ssd::cli::begin_group(program, ssd::cli::group::general);  // commands inherit it
  ssd::cli::add_train(program, session);
  ssd::cli::add_eval(program, session);
  ssd::cli::add_detect(program, session);
  ssd::cli::add_export(program, session);
  ssd::cli::add_quantize(program, session);
  ssd::cli::add_bench(program, session);
  ssd::cli::add_data(program, session);
  ssd::cli::add_compile(program, session);
  ssd::cli::add_devices(program, session);
  ssd::cli::add_verify(program, session);
  ssd::cli::add_image_limit_option(program);
  // Last: commands inherit it.
  program.footer("Exit status: 0 done, 1 failed or problems found, 2 bad usage. More: docs/cli.md.");
}

void print_error(std::string_view message) {
  std::fprintf(stderr, "singleshot: %s%s\n", ssd::cli::who_failed().c_str(), ssd::one_line(message).c_str());
}

// What a thread of a library or a destructor threw, and nobody can catch.
[[noreturn]] void end_at_once() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    print_error("ended within: no error is known; please report how it came to this");
  } catch (const std::exception& error) {
    print_error(error.what());
  } catch (...) {
    print_error("ended by an error of an unknown kind; please report how it came to this");
  }
  std::_Exit(1);
}

// Parses the arguments and runs the command; gives the exit status.
int run(CLI::App& program, const ssd::cli::Session& session, int argc, char** argv) {
  try {
    program.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw ssd::Error("standard output: cannot be written: {}; is the disk full?", std::strerror(errno));
    return session.exit_code;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0)  // --help, --version
      return ssd::cli::processes().is_first() ? program.exit(error) : 0;
    std::fprintf(stderr, "%s%s\n", ssd::cli::who_failed().c_str(),
                 ssd::one_line(usage_line(program, error)).c_str());
    return 2;
  } catch (const ssd::UsageError& error) {
    print_error(error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    print_error(
        "memory: there is not enough; free some, or need less: a smaller --batch-size, fewer --threads");
    return 1;
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(fmt::format("{}: {}; check the path, its permissions and the free space",
                            error.path1().string(), error.code().message()));
    return 1;
  } catch (const std::exception& error) {
    print_error(error.what());
    return 1;
  }
}

void expect_shared_work(const ssd::cli::Session& session, const CLI::App* command) {
  const int processes = ssd::cli::processes().size();
  if (processes > 1 && !session.shares_work.contains(command))
    throw ssd::UsageError(
        "{}: got {} processes, expected one: only train, eval and bench train share their work",
        command->get_name(), processes);
}

}  // namespace

int main(int argc, char** argv) {
  ssd::cli::catch_stop_signals();
  std::set_terminate(end_at_once);
  CLI::App program("SSD300 v1.1 object detection: train it, evaluate it, run it.", "singleshot");
  program.require_subcommand(1);
  ssd::cli::Session session;
  add_commands(program, session);
  // Once it is known which command it is, and before it begins.
  program.parse_complete_callback([&] {
    const CLI::App* command = named_by(program).back();
    if (!session.ends_itself.contains(command)) ssd::cli::release_stop_signals();
    expect_shared_work(session, command);
  });
  try {
    ssd::cli::join_processes();
  } catch (const ssd::Error& error) {
    print_error(error.what());
    return 1;
  }
  const int exit_code = run(program, session, argc, argv);
  ssd::cli::leave_processes(exit_code);
  return exit_code;
}
