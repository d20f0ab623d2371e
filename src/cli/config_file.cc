#include "cli/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.h"
#include "base/text_file.h"
#include "cli/given.h"

namespace ssd::cli {
namespace {

std::string position(const std::string& name, const YAML::Mark& mark) {
  return fmt::format("{}:{}", name, mark.line + 1);
}

std::vector<std::string> values_of(const YAML::Node& node, const std::string& name) {
  std::vector<std::string> values;
  if (node.IsScalar()) {
    values.push_back(node.Scalar());
  } else if (node.IsSequence()) {
    for (const YAML::Node& element : node) {
      if (!element.IsScalar())
        throw Error("{}: expected numbers or words in the list", position(name, element.Mark()));
      values.push_back(element.Scalar());
    }
  } else if (!node.IsNull()) {
    throw Error("{}: got a map, expected a value or a list of values", position(name, node.Mark()));
  }
  return values;
}

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

// Whether a given option, this one or another of its row, makes the setting meaningless.
bool is_put_out(const CLI::App& command, const CLI::Option& option,
                std::span<const ExclusiveOptions> exclusive) {
  if (option.count() > 0) return true;
  for (const ExclusiveOptions& row : exclusive) {
    if (std::ranges::find(row, option.get_name()) == row.end()) continue;
    if (std::ranges::any_of(row, [&](const std::string& other) { return is_given(command, other); }))
      return true;
  }
  return false;
}

// Numbers stay numbers, existing files become absolute paths.
nlohmann::ordered_json json_of(const CLI::Option& option, const std::string& value) {
  const auto number = nlohmann::ordered_json::parse(value, nullptr, false);
  if (number.is_number()) return number;
  const std::string type = option.get_type_name();
  std::error_code ignored;
  if ((type == "FILE" || type == "FOLDER" || type == "PATH") && std::filesystem::exists(value, ignored))
    return std::filesystem::absolute(value, ignored).string();
  return value;
}

// A default as CLI11 writes it: "[43,54]" is a list.
std::vector<std::string> default_values(const CLI::Option& option) {
  std::string text = option.get_default_str();
  if (text.empty()) return {};
  if (text.front() != '[') return {text};
  std::vector<std::string> values;
  for (const std::string& part : CLI::detail::split(text.substr(1, text.size() - 2), ','))
    if (!part.empty()) values.push_back(part);
  return values;
}

}  // namespace

std::vector<Setting> read_config(const std::filesystem::path& path) {
  const std::string name = path.string(), text = read_text_file(path);
  std::vector<Setting> settings;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) throw Error("{}: expected a map of options, as in 'batch-size: 32'", name);
    for (const auto& entry : root) {
      const std::string option = "--" + entry.first.as<std::string>();
      std::vector<std::string> values = values_of(entry.second, name);
      if (!values.empty()) settings.push_back({option, std::move(values)});
    }
  } catch (const YAML::Exception& error) {
    throw Error("{}: not YAML or JSON: {}", position(name, error.mark), error.msg);
  }
  return settings;
}

std::vector<Setting> settle(CLI::App& command, const std::vector<Setting>& settings,
                            std::span<const ExclusiveOptions> exclusive, const std::string& name) {
  std::vector<std::pair<CLI::Option*, const Setting*>> taken;
  for (const Setting& setting : settings) {
    CLI::Option* option = command.get_option_no_throw(setting.option);
    if (!option)
      throw UsageError("{}: got '{}', which is no option of {}; see its --help", name,
                       setting.option.substr(2), command.get_name());
    if (is_flag(*option) && setting.values == std::vector<std::string>{"false"}) continue;
    if (!is_put_out(command, *option, exclusive)) taken.emplace_back(option, &setting);
  }
  std::vector<Setting> result;
  for (const auto& [option, setting] : taken) {
    try {
      option->add_result(setting->values);
      option->run_callback();
    } catch (const CLI::Error& error) {
      throw UsageError("{}: {}", name, error.what());
    }
    result.push_back(*setting);
  }
  return result;
}

std::string resolved_config(const CLI::App& command, std::span<const char* const> without) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool left_out = std::ranges::any_of(without, [&](std::string_view one) { return one == name; });
    if (left_out || !name.starts_with("--")) continue;
    if (is_flag(*option)) {
      if (option->count() > 0) json[name.substr(2)] = true;
      continue;
    }
    const std::vector<std::string> values = option->count() > 0 ? option->results() : default_values(*option);
    if (values.empty()) continue;
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const std::string& value : values) list.push_back(json_of(*option, value));
    json[name.substr(2)] = list.size() == 1 ? list.front() : list;
  }
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ssd::cli
