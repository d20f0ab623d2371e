// The nodes that treat every element alike: sums and running statistics.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_add(const Task& task);
std::unique_ptr<Executor> make_running_statistics(const Task& task);

}  // namespace ssd::cpu
