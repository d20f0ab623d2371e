// The sum of the squares of many tensors' elements.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_squared_norm(const Task& task);

}  // namespace ssd::cpu
