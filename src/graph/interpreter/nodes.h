// The interpreter's node kinds, each as a function from input arrays to output arrays.
#pragma once

#include <vector>

#include "graph/interpreter/interpreter.h"

namespace ssd::graph {

using Arrays = std::vector<Array>;
using Inputs = std::vector<const Array*>;

Arrays eval_normalize(const NormalizeAttributes& attributes, const Inputs& in);
Arrays eval_convolution(const ConvolutionAttributes& attributes, const Inputs& in, bool fused);
Arrays eval_convolution_grad_input(const ConvolutionAttributes& attributes, const Inputs& in);
Arrays eval_convolution_grad_weight(const ConvolutionAttributes& attributes, const Inputs& in);
Arrays eval_max_pool(const PoolAttributes& attributes, const Inputs& in);
Arrays eval_max_pool_grad(const PoolAttributes& attributes, const Inputs& in);
Arrays eval_head_view(const HeadAttributes& attributes, const Inputs& in);
Arrays eval_head_view_grad(const HeadAttributes& attributes, const Inputs& in);
Arrays eval_multibox_loss(const LossAttributes& attributes, const Inputs& in);
Arrays eval_multibox_loss_grad(const LossAttributes& attributes, const Inputs& in);
Arrays eval_running_statistics(const RunningAttributes& attributes, const Inputs& in);
Arrays eval_update(const UpdateAttributes& attributes, const Inputs& in);
Arrays eval_add(const Inputs& in);
Arrays eval_squared_norm(const Inputs& in);

// Over all replicas of a group at once: `in` and the result have one entry a replica.
std::vector<Arrays> eval_batch_norm(const BatchNormAttributes& attributes, const std::vector<Inputs>& in);
std::vector<Arrays> eval_batch_norm_grad(const BatchNormAttributes& attributes,
                                         const std::vector<Inputs>& in);
std::vector<Arrays> eval_all_reduce(const std::vector<Inputs>& in);

}  // namespace ssd::graph
