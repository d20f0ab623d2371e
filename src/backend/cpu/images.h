// The nodes around images: normalization, max pooling, and the view of the heads' maps as boxes.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_normalize(const Task& task);
std::unique_ptr<Executor> make_max_pool(const Task& task);
std::unique_ptr<Executor> make_max_pool_grad(const Task& task);
std::unique_ptr<Executor> make_head_view(const Task& task);
std::unique_ptr<Executor> make_head_view_grad(const Task& task);

}  // namespace ssd::cpu
