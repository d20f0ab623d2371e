#include "backend/cpu/executor.h"

#include <cassert>

#include "backend/cpu/batch_norm.h"
#include "backend/cpu/bf16_values.h"
#include "backend/cpu/elementwise.h"
#include "backend/cpu/images.h"
#include "backend/cpu/loss.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/rounding.h"
#include "backend/cpu/squared_norm.h"
#include "backend/cpu/update.h"
#include "backend/cpu/winograd.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_executor(const Task& task, Communicator& communicator) {
  using graph::Kind;
  check_rounding(task);
  check_bf16(task);
  switch (task.node->kind) {
    case Kind::input:
    case Kind::parameter:
    case Kind::all_reduce:
      break;
    case Kind::normalize:
      return make_normalize(task);
    case Kind::convolution:
    case Kind::fused_convolution:
    case Kind::convolution_grad_input:
    case Kind::convolution_grad_weight:
      return winograd_pays(task) ? make_winograd(task) : make_onednn_convolution(task);
    case Kind::batch_norm:
      return make_batch_norm(task, communicator);
    case Kind::batch_norm_grad:
      return make_batch_norm_grad(task, communicator);
    case Kind::max_pool:
      return make_max_pool(task);
    case Kind::max_pool_grad:
      return make_max_pool_grad(task);
    case Kind::add:
      return make_add(task);
    case Kind::head_view:
      return make_head_view(task);
    case Kind::head_view_grad:
      return make_head_view_grad(task);
    case Kind::multibox_loss:
      return make_multibox_loss(task);
    case Kind::multibox_loss_grad:
      return make_multibox_loss_grad(task);
    case Kind::running_statistics:
      return make_running_statistics(task);
    case Kind::update:
      return make_update(task);
    case Kind::squared_norm:
      return make_squared_norm(task);
  }
  assert(false && "no task is scheduled for these kinds");
  return nullptr;
}

}  // namespace ssd::cpu
