#include "cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

namespace ssd::cli {
namespace {

constexpr std::array group_order = {
    group::recipe,    group::input,       group::network, group::optimisation, group::evaluation,
    group::detection, group::measurement, group::output,  group::device,       group::general};

struct Line {
  std::string names;  // "-e, --epochs N"
  std::string text;   // "Passes over the training set [65]"
};

struct Group {
  std::string name;
  std::vector<Line> lines;
};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool takes_several(const CLI::Option& option) {
  return option.get_items_expected_max() >= CLI::detail::expected_max_vector_size;
}

// "FILE", "N". CLI11 appends to the type's name what its checks would say, which the text says already.
std::string value_name(const CLI::Option& option) {
  std::string name = option.get_type_name();
  name = name.substr(0, name.find(':'));
  if (name == "INT" || name == "UINT") name = "N";
  if (name == "FLOAT") name = "X";
  if (name == "TEXT") name = "NAME";
  return takes_several(option) ? name + "..." : name;
}

std::string names_of(const CLI::Option& option) {
  if (option.get_positional())
    return upper(option.get_name(true, false)) + (takes_several(option) ? "..." : "");
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return fmt::format("{}{}", fmt::join(names, ", "), takes_value(option) ? " " + value_name(option) : "");
}

// CLI11 writes lists as "[43,54]".
std::string text_of(const CLI::Option& option) {
  std::string value = option.get_default_str();
  if (value.empty() || !takes_value(option)) return option.get_description();
  if (value.front() == '[' && value.back() == ']') value = value.substr(1, value.size() - 2);
  std::replace(value.begin(), value.end(), ',', ' ');
  return fmt::format("{} [{}]", option.get_description(), value);
}

// What help shows of a command's options: positional ones first, then the groups. Those in no group ("") stay
// hidden.
std::vector<Group> groups_of(const CLI::App& app) {
  std::vector<Group> groups{{"Arguments", {}}};
  for (const char* name : group_order) groups.push_back({name, {}});
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    const bool general = option == app.get_help_ptr();
    const std::string name = option->get_positional() ? "Arguments"
                             : general                ? std::string(group::general)
                                                      : option->get_group();
    auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.name == name; });
    if (found == groups.end()) found = groups.insert(groups.end() - 1, {name, {}});
    found->lines.push_back({names_of(*option), text_of(*option)});
  }
  std::erase_if(groups, [](const Group& group) { return group.lines.empty(); });
  return groups;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

// "singleshot detect IMAGES... --checkpoint PATH --out FOLDER [OPTIONS]".
std::string synopsis(const CLI::App& app, const std::string& name) {
  std::string line = name;
  for (const CLI::Option* option : app.get_options([](const CLI::Option* o) { return o->get_positional(); }))
    line += option->get_required() ? " " + names_of(*option) : " [" + names_of(*option) + "]";
  for (const CLI::Option* option : app.get_options([](const CLI::Option* o) { return o->nonpositional(); }))
    if (option->get_required()) line += fmt::format(" {} {}", option->get_name(), value_name(*option));
  return line + (commands_of(app).empty() ? " [OPTIONS]" : " COMMAND [OPTIONS]");
}

std::string two_columns(const Group& group, std::size_t width) {
  std::string text = fmt::format("\n{}:\n", group.name);
  for (const Line& line : group.lines) text += fmt::format("  {:<{}}  {}\n", line.names, width, line.text);
  return text;
}

std::string code(const std::string& text) { return fmt::format("`{}`", text); }

// A section of the manual for a command that runs, one after the other for a command of commands.
void append_command(std::string& text, const CLI::App& app, const std::string& name) {
  if (const auto commands = commands_of(app); !commands.empty()) {
    for (const CLI::App* command : commands) append_command(text, *command, name + " " + command->get_name());
    return;
  }
  text += fmt::format("\n### {}\n\n{}.\n\n    {}\n", name, app.get_description(), synopsis(app, name));
  for (const Group& group : groups_of(app)) {
    if (group.name == group::general) continue;
    text += fmt::format("\n{}:\n\n", group.name);
    for (const Line& line : group.lines) text += fmt::format("- {}: {}\n", code(line.names), line.text);
  }
  if (!app.get_footer().empty()) text += fmt::format("\n{}\n", app.get_footer());
}

constexpr std::string_view about =
    R"(<!-- Made by scripts/docs from the definitions in src/cli; change those and run it again. -->

# singleshot: the command line

SSD300 v1.1 object detection: train it, evaluate it, run it.

    singleshot COMMAND [OPTIONS]
    singleshot --help | --version

Every command takes `--help`. An option's default stands in brackets behind what it does. Results go to standard output or
to the files named, progress and complaints to standard error, one line each. `-` as the file of `--json` and the like is
standard output. Options that would do nothing beside others are refused.

## Commands
)";

constexpr std::string_view circumstances = R"(
## Exit status

| status | meaning |
|---|---|
| 0 | done; a training run that was stopped and wrote its checkpoint is done as well |
| 1 | failed, or problems found (`data check`, `verify`, `detect`, `compile`); one line says why and what to do |
| 2 | bad usage: an unknown command or option, a value out of range, options that exclude each other |

## Environment

| variable | meaning |
|---|---|
| `SINGLESHOT_CACHE` | folder of compiled programs; `off`: none is kept or read |
| `XDG_CACHE_HOME` | without `SINGLESHOT_CACHE` they are in its `singleshot`, without either in `~/.cache/singleshot`; published weights are in `singleshot/weights` of it or of `~/.cache` |
| `SINGLESHOT_WEIGHTS_URL` | a mirror of published weights, as `--weights-url` |
| `TORCH_HOME` | published weights are looked for in its `hub/checkpoints` too, by default in `~/.cache/torch` |
| `SINGLESHOT_PJRT_PLUGIN` | path of the plugin for `--device tpu` and `--device cuda` |
| `PJRT_NAMES_AND_LIBRARY_PATHS` | the same for several, `name:path,name:path`; looked at second |
| `TPU_LIBRARY_PATH` | path of libtpu for `--device tpu`; looked at third, before the wheels that are installed |
| `XLA_FLAGS`, `LIBTPU_INIT_ARGS` | options of the devices' compilers; a cached program is used with the same ones only |

## Files

| file | holds |
|---|---|
| `SAVE/checkpoints/` | the latest checkpoints of `train --save SAVE`: weights, the optimizer's slots, `state.json` |
| `SAVE/log.jsonl` | one JSON object a line: steps, speed, evaluations, images that could not be read |
| `SAVE/events.*`, `SAVE/lock` | the same curves for TensorBoard; what keeps a second process out of the run |
| `OUT/detections.json` | of `detect --out OUT`: the images with their detections, beside the drawings (PNG) |
| `DATA/annotations/instances_SPLIT.json` | annotations of a COCO folder, whose images are in `DATA/SPLIT` |)";

}  // namespace

void begin_group(CLI::App& command, const char* group) { command.option_defaults()->group(group); }

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const {
  std::vector<Group> groups = groups_of(*app);
  Group commands{"Commands", {}};
  for (const CLI::App* command : commands_of(*app))
    commands.lines.push_back({command->get_name(), command->get_description()});
  if (!commands.lines.empty()) groups.insert(groups.begin(), std::move(commands));
  std::size_t width = 0;
  for (const Group& group : groups)
    for (const Line& line : group.lines) width = std::max(width, line.names.size());
  std::string text = fmt::format("{}\n\nUsage: {}\n", app->get_description(), synopsis(*app, name));
  for (const Group& group : groups) text += two_columns(group, width);
  if (!app->get_footer().empty()) text += "\n" + app->get_footer() + "\n";
  return text;
}

std::string manual(const CLI::App& program) {
  std::string text(about);
  append_command(text, program, program.get_name());
  return text + std::string(circumstances);
}

}  // namespace ssd::cli
