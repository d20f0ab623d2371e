// The multibox loss and its gradient (Liu et al. 2016, section 2.2).
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_multibox_loss(const Task& task);
std::unique_ptr<Executor> make_multibox_loss_grad(const Task& task);

}  // namespace ssd::cpu
