// The PJRT C API's header, and what every call of it takes. Private to the sources that call the API: the
// rest of the program sees xla/pjrt.h.
#pragma once

#include <pjrt_c_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "backend/pjrt/pjrt.h"

// Arguments of a call, zeroed, with the size the header says (not sizeof: padding is not counted).
#define SSD_ARGUMENTS(type, name) \
  type name{};                    \
  name.struct_size = type##_STRUCT_SIZE

// Calls a function of the API by name, if this plugin has it, and throws its error.
#define SSD_CALL(api, function, arguments)                 \
  do {                                                     \
    require(api, offsetof(PJRT_Api, function), #function); \
    check(api, #function, (api)->function(&(arguments)));  \
  } while (false)

// Destroys what the API made, a `type` that the call knows as `member`; for destructors, so errors are
// swallowed.
#define SSD_DESTROY(api, type, member, handle)               \
  do {                                                       \
    SSD_ARGUMENTS(PJRT_##type##_Destroy_Args, destruction);  \
    destruction.member = handle;                             \
    ignore(api, (api)->PJRT_##type##_Destroy(&destruction)); \
  } while (false)

namespace ssd::pjrt {

// Whether a plugin has the function at an offset of PJRT_Api: older ones end before it.
bool has(const PJRT_Api* api, std::size_t offset);
// Throws Error where it does not.
void require(const PJRT_Api* api, std::size_t offset, const char* function);

// Both destroy the error: one throws it, with the function that gave it, the other forgets it.
void check(const PJRT_Api* api, const char* function, PJRT_Error* error);
void ignore(const PJRT_Api* api, PJRT_Error* error);

// Views of the options, which must outlive them.
std::vector<PJRT_NamedValue> named_values(const CreateOptions& options);

// Lets a client that is created put and get the values, which outlive it.
void offer(KeyValues& values, PJRT_Client_Create_Args& creation);

std::string kind_of(const PJRT_Api* api, PJRT_DeviceDescription* description);

}  // namespace ssd::pjrt
