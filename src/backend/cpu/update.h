// The optimizer's update of a weight, by any UpdateRule.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_update(const Task& task);

}  // namespace ssd::cpu
