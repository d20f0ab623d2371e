#include "backend/pjrt/pjrt_api.h"

#include <string_view>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

std::string_view name_of_code(PJRT_Error_Code code) {
  switch (code) {
    case PJRT_Error_Code_OK:
      return "OK";
    case PJRT_Error_Code_CANCELLED:
      return "CANCELLED";
    case PJRT_Error_Code_UNKNOWN:
      return "UNKNOWN";
    case PJRT_Error_Code_INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case PJRT_Error_Code_DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case PJRT_Error_Code_NOT_FOUND:
      return "NOT_FOUND";
    case PJRT_Error_Code_ALREADY_EXISTS:
      return "ALREADY_EXISTS";
    case PJRT_Error_Code_PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case PJRT_Error_Code_RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case PJRT_Error_Code_FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case PJRT_Error_Code_ABORTED:
      return "ABORTED";
    case PJRT_Error_Code_OUT_OF_RANGE:
      return "OUT_OF_RANGE";
    case PJRT_Error_Code_UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case PJRT_Error_Code_INTERNAL:
      return "INTERNAL";
    case PJRT_Error_Code_UNAVAILABLE:
      return "UNAVAILABLE";
    case PJRT_Error_Code_DATA_LOSS:
      return "DATA_LOSS";
    case PJRT_Error_Code_UNAUTHENTICATED:
      return "UNAUTHENTICATED";
  }
  return "unknown code";
}

void destroy(const PJRT_Api* api, PJRT_Error* error) {
  SSD_ARGUMENTS(PJRT_Error_Destroy_Args, arguments);
  arguments.error = error;
  api->PJRT_Error_Destroy(&arguments);
}

}  // namespace

bool has(const PJRT_Api* api, std::size_t offset) {
  if (offset + sizeof(void*) > api->struct_size) return false;
  return *reinterpret_cast<void* const*>(reinterpret_cast<const char*>(api) + offset) != nullptr;
}

void require(const PJRT_Api* api, std::size_t offset, const char* function) {
  if (!has(api, offset))
    throw Error("{}: this plugin (API {}.{}) does not have it; use a newer plugin", function,
                api->pjrt_api_version.major_version, api->pjrt_api_version.minor_version);
}

void check(const PJRT_Api* api, const char* function, PJRT_Error* error) {
  if (error == nullptr) return;
  SSD_ARGUMENTS(PJRT_Error_Message_Args, message);
  message.error = error;
  api->PJRT_Error_Message(&message);
  std::string text(message.message, message.message_size);
  for (char& c : text)
    if (c == '\n') c = ' ';
  SSD_ARGUMENTS(PJRT_Error_GetCode_Args, code);
  code.error = error;
  if (PJRT_Error* second = api->PJRT_Error_GetCode(&code)) {
    destroy(api, second);
    code.code = PJRT_Error_Code_UNKNOWN;
  }
  destroy(api, error);
  throw Error("{}: {}: {}", function, name_of_code(code.code), text);
}

void ignore(const PJRT_Api* api, PJRT_Error* error) {
  if (error != nullptr) destroy(api, error);
}

std::string kind_of(const PJRT_Api* api, PJRT_DeviceDescription* description) {
  SSD_ARGUMENTS(PJRT_DeviceDescription_Kind_Args, arguments);
  arguments.device_description = description;
  SSD_CALL(api, PJRT_DeviceDescription_Kind, arguments);
  return {arguments.device_kind, arguments.device_kind_size};
}

}  // namespace ssd::pjrt
