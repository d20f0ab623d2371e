// The nodes that treat every element alike: sums and updates.
#pragma once

#include <memory>

#include "cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_add(const Task& task);
std::unique_ptr<Executor> make_running_statistics(const Task& task);
std::unique_ptr<Executor> make_sgd_update(const Task& task);

}  // namespace ssd::cpu
