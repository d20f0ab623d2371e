// 3x3 convolutions of stride 1 by Winograd's minimal filtering, with all three gradients.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

// Whether a convolution task (of any of the four kinds) can and should be computed this way.
bool winograd_pays(const Task& task);

// For tasks that winograd_pays() allows.
std::unique_ptr<Executor> make_winograd(const Task& task);

}  // namespace ssd::cpu
