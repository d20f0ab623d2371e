// The values of processes as the callbacks that a plugin takes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>

#include "backend/pjrt/pjrt_api.h"
#include "base/key_values.h"
#include "base/one_line.h"

namespace ssd::pjrt {
namespace {

PJRT_Error* error_of(PJRT_CallbackError* make, PJRT_Error_Code code, std::string_view message) {
  return (*make)(code, message.data(), message.size());
}

// Copies the value for the plugin, which deletes it by the function that it is given.
template <typename Arguments>
void answer(Arguments* arguments, const std::string& value) {
  arguments->value = new char[value.size()];
  std::ranges::copy(value, arguments->value);
  arguments->value_size = value.size();
  arguments->value_deleter_callback = [](char* bytes) { delete[] bytes; };
}

// No exception crosses the plugin.
template <typename Arguments, typename Body>
PJRT_Error* guarded(Arguments* arguments, const Body& body) {
  try {
    return body(*static_cast<KeyValues*>(arguments->user_arg),
                std::string(arguments->key, arguments->key_size));
  } catch (const std::exception& error) {
    return error_of(arguments->callback_error, PJRT_Error_Code_UNAVAILABLE, error.what());
  }
}

PJRT_Error* get(PJRT_KeyValueGetCallback_Args* arguments) {
  return guarded(arguments, [&](KeyValues& values, const std::string& key) -> PJRT_Error* {
    const auto value = values.get(key, std::chrono::milliseconds(std::max(arguments->timeout_in_ms, 0)));
    if (!value)
      return error_of(
          arguments->callback_error, PJRT_Error_Code_DEADLINE_EXCEEDED,
          fmt::format("no process has put '{}' within {} ms", one_line(key), arguments->timeout_in_ms));
    answer(arguments, *value);
    return nullptr;
  });
}

PJRT_Error* try_get(PJRT_KeyValueTryGetCallback_Args* arguments) {
  return guarded(arguments, [&](KeyValues& values, const std::string& key) -> PJRT_Error* {
    const auto value = values.get(key, std::chrono::milliseconds(0));
    if (!value)
      return error_of(arguments->callback_error, PJRT_Error_Code_NOT_FOUND,
                      fmt::format("no process has put '{}'", one_line(key)));
    answer(arguments, *value);
    return nullptr;
  });
}

PJRT_Error* put(PJRT_KeyValuePutCallback_Args* arguments) {
  return guarded(arguments, [&](KeyValues& values, const std::string& key) -> PJRT_Error* {
    values.put(key, std::string(arguments->value, arguments->value_size));
    return nullptr;
  });
}

}  // namespace

void offer(KeyValues& values, PJRT_Client_Create_Args& creation) {
  creation.kv_get_callback = get;
  creation.kv_put_callback = put;
  creation.kv_try_get_callback = try_get;
  creation.kv_get_user_arg = creation.kv_put_user_arg = creation.kv_try_get_user_arg = &values;
}

}  // namespace ssd::pjrt
