// What a test asks of an error.
#pragma once

#include <string>

#include "base/error.h"

namespace ssd {

// The message of the Error that the call throws; empty where it throws none.
std::string message_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace ssd
