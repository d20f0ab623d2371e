// Convolutions, batch norm, pooling and the update, in float64.
#include <algorithm>
#include <array>
#include <cmath>

#include "graph/interpreter/nodes.h"

namespace ssd::graph {
namespace {

std::int64_t offset4(const Shape& s, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  return ((a * s[1] + b) * s[2] + c) * s[3] + d;
}

// Calls body(x index, weight index, y index) for every product of a convolution.
template <typename Body>
void for_each_product(const ConvolutionAttributes& a, const Shape& x, const Shape& y, const Body& body) {
  const std::int64_t k = a.kernel;
  const Shape weight{y[3], x[3], k, k};
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t r = 0; r < k; ++r)
          for (std::int64_t s = 0; s < k; ++s) {
            const std::int64_t row = i * a.stride - a.padding + r, column = j * a.stride - a.padding + s;
            if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
            for (std::int64_t o = 0; o < y[3]; ++o)
              for (std::int64_t c = 0; c < x[3]; ++c)
                body(offset4(x, n, row, column, c), offset4(weight, o, c, r, s), offset4(y, n, i, j, o));
          }
}

std::int64_t output_extent(std::int64_t extent, std::int64_t window, std::int64_t stride,
                           std::int64_t padding) {
  return (extent + 2 * padding - window) / stride + 1;
}

// Per channel: sum over all values of all replicas of f(replica, index).
template <typename F>
std::vector<double> channel_sums(const std::vector<Inputs>& in, const F& f) {
  const Array& x = *in[0][0];
  const std::size_t channels = static_cast<std::size_t>(x.shape[3]);
  std::vector<double> sums(channels);
  for (std::size_t r = 0; r < in.size(); ++r)
    for (std::size_t i = 0; i < x.values.size(); ++i) sums[i % channels] += f(r, i);
  return sums;
}

// The values of a rule for element i.
double norm(const Array& array) {
  double squares = 0;
  for (const double value : array.values) squares += value * value;
  return std::sqrt(squares);
}

// The values of a rule for element i. `norms` are those of weight and gradient, where the rule uses them.
std::vector<double> evaluate(const UpdateRule& rule, const Inputs& in, const std::array<double, 2>& norms,
                             std::size_t i) {
  using Op = UpdateRule::Op;
  const std::size_t slots = rule.slots.size();
  std::vector<double> v;
  for (const UpdateRule::Instruction& one : rule.instructions) {
    switch (one.op) {
      case Op::weight:
        v.push_back(in[0]->values[i]);
        break;
      case Op::gradient:
        v.push_back(in[1]->values[i]);
        break;
      case Op::slot:
        v.push_back(in[2 + static_cast<std::size_t>(one.a)]->values[i]);
        break;
      case Op::learning_rate:
        v.push_back(in[2 + slots]->values[0]);
        break;
      case Op::step:
        v.push_back(in[3 + slots]->values[0]);
        break;
      case Op::weight_norm:
      case Op::gradient_norm:
        v.push_back(norms[one.op == Op::gradient_norm]);
        break;
      case Op::squared_norm:
        v.push_back(in.back()->values[0]);
        break;
      case Op::constant:
        v.push_back(one.number);
        break;
      case Op::add:
        v.push_back(v[one.a] + v[one.b]);
        break;
      case Op::subtract:
        v.push_back(v[one.a] - v[one.b]);
        break;
      case Op::multiply:
        v.push_back(v[one.a] * v[one.b]);
        break;
      case Op::divide:
        v.push_back(v[one.a] / v[one.b]);
        break;
      case Op::minimum:
        v.push_back(std::min(v[one.a], v[one.b]));
        break;
      case Op::square_root:
        v.push_back(std::sqrt(v[one.a]));
        break;
      case Op::positive:
        v.push_back(v[one.a] > 0);
        break;
      case Op::one_minus_power:
        v.push_back(1 - std::pow(one.number, v[one.a]));
        break;
    }
  }
  return v;
}

}  // namespace

Arrays eval_normalize(const NormalizeAttributes& a, const Inputs& in) {
  Array y(in[0]->shape);
  for (std::size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = (in[0]->values[i] / 255 - a.mean[i % 3]) / a.standard_deviation[i % 3];
  return {y};
}

namespace {

void round_to_8_bits(const Rounding& rounding, std::vector<double>& values) {
  const double least = rounding.has_sign ? -128 : 0, most = rounding.has_sign ? 127 : 255;
  for (double& value : values)
    value = std::clamp(std::nearbyint(value / rounding.scale), least, most) * rounding.scale;
}

// Every output channel by a scale of its own.
void round_weight(Array& weight) {
  const std::size_t channel = weight.values.size() / static_cast<std::size_t>(weight.shape[0]);
  for (auto first = weight.values.begin(); first != weight.values.end(); first += channel) {
    double most = 0;
    for (auto w = first; w != first + channel; ++w) most = std::max(most, std::abs(*w));
    if (most == 0) continue;
    for (auto w = first; w != first + channel; ++w) *w = std::nearbyint(*w / (most / 127)) * (most / 127);
  }
}

}  // namespace

Arrays eval_convolution(const ConvolutionAttributes& a, const Inputs& in, bool fused) {
  Array x = *in[0], weight = *in[1];
  if (a.x_rounding) {
    round_to_8_bits(a.x_rounding, x.values);
    round_weight(weight);
  }
  Array y({x.shape[0], output_extent(x.shape[1], a.kernel, a.stride, a.padding),
           output_extent(x.shape[2], a.kernel, a.stride, a.padding), weight.shape[0]});
  const std::size_t channels = static_cast<std::size_t>(weight.shape[0]);
  if (in.size() > 2)
    for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = in[2]->values[i % channels];
  for_each_product(a, x.shape, y.shape, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    y.values[yi] += x.values[xi] * weight.values[wi];
  });
  if (fused)
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      if (in.size() > 3) y.values[i] += in[3]->values[i];
      if (a.relu) y.values[i] = std::max(0.0, y.values[i]);
    }
  if (a.y_rounding) round_to_8_bits(a.y_rounding, y.values);
  return {y};
}

Arrays eval_convolution_grad_input(const ConvolutionAttributes& a, const Inputs& in) {
  const Array &dy = *in[0], &weight = *in[1];
  Array dx(a.input);
  for_each_product(a, a.input, dy.shape, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dx.values[xi] += dy.values[yi] * weight.values[wi];
  });
  return {dx};
}

Arrays eval_convolution_grad_weight(const ConvolutionAttributes& a, const Inputs& in) {
  const Array &x = *in[0], &dy = *in[1];
  Array dw({dy.shape[3], x.shape[3], a.kernel, a.kernel});
  for_each_product(a, x.shape, dy.shape, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dw.values[wi] += dy.values[yi] * x.values[xi];
  });
  if (!a.bias) return {dw};
  Array db({dy.shape[3]});
  for (std::size_t i = 0; i < dy.values.size(); ++i) db.values[i % db.values.size()] += dy.values[i];
  return {dw, db};
}

std::vector<Arrays> eval_batch_norm(const BatchNormAttributes& a, const std::vector<Inputs>& in) {
  const Array& x = *in[0][0];
  const std::size_t channels = static_cast<std::size_t>(x.shape[3]);
  const double count = static_cast<double>(x.values.size() / channels * in.size());
  std::vector<double> mean =
      channel_sums(in, [&](std::size_t r, std::size_t i) { return in[r][0]->values[i]; });
  for (double& m : mean) m /= count;
  std::vector<double> variance = channel_sums(in, [&](std::size_t r, std::size_t i) {
    const double d = in[r][0]->values[i] - mean[i % channels];
    return d * d;
  });
  for (double& v : variance) v /= count;
  std::vector<Arrays> results;
  for (const Inputs& one : in) {
    Array y(x.shape);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const std::size_t c = i % channels;
      double value = (one[0]->values[i] - mean[c]) / std::sqrt(variance[c] + a.epsilon);
      value = value * one[1]->values[c] + one[2]->values[c];
      if (a.residual) value += one[3]->values[i];
      y.values[i] = a.relu ? std::max(0.0, value) : value;
    }
    const Shape vector{x.shape[3]};
    results.push_back({y, Array(vector, mean), Array(vector, variance)});
  }
  return results;
}

std::vector<Arrays> eval_batch_norm_grad(const BatchNormAttributes& a, const std::vector<Inputs>& in) {
  const Array& x = *in[0][1];
  const std::size_t channels = static_cast<std::size_t>(x.shape[3]);
  const double count = static_cast<double>(x.values.size() / channels * in.size());
  const auto masked = [&](std::size_t r, std::size_t i) {
    return a.relu && !(in[r][2]->values[i] > 0) ? 0.0 : in[r][0]->values[i];
  };
  const auto inverse = [&](std::size_t r, std::size_t c) {
    return 1 / std::sqrt(in[r][5]->values[c] + a.epsilon);
  };
  const auto normal = [&](std::size_t r, std::size_t i) {
    const std::size_t c = i % channels;
    return (in[r][1]->values[i] - in[r][4]->values[c]) * inverse(r, c);
  };
  const std::vector<double> sum = channel_sums(in, masked);
  const std::vector<double> product =
      channel_sums(in, [&](std::size_t r, std::size_t i) { return masked(r, i) * normal(r, i); });
  std::vector<Arrays> results;
  for (std::size_t r = 0; r < in.size(); ++r) {
    Array dx(x.shape), dscale({x.shape[3]}), dshift({x.shape[3]}), dresidual(x.shape);
    for (std::size_t i = 0; i < dx.values.size(); ++i) {
      const std::size_t c = i % channels;
      dresidual.values[i] = masked(r, i);
      dshift.values[c] += masked(r, i);
      dscale.values[c] += masked(r, i) * normal(r, i);
      dx.values[i] = in[r][3]->values[c] * inverse(r, c) *
                     (masked(r, i) - sum[c] / count - normal(r, i) * product[c] / count);
    }
    results.push_back({dx, dscale, dshift});
    if (a.residual) results.back().push_back(dresidual);
  }
  return results;
}

namespace {

// Calls body(index of the first maximum in x, y index) for every window.
template <typename Body>
void for_each_window(const PoolAttributes& a, const Array& x, const Shape& y, const Body& body) {
  for (std::int64_t n = 0; n < y[0]; ++n)
    for (std::int64_t i = 0; i < y[1]; ++i)
      for (std::int64_t j = 0; j < y[2]; ++j)
        for (std::int64_t c = 0; c < y[3]; ++c) {
          std::int64_t best = -1;
          for (std::int64_t r = 0; r < a.window; ++r)
            for (std::int64_t s = 0; s < a.window; ++s) {
              const std::int64_t row = i * a.stride - a.padding + r, column = j * a.stride - a.padding + s;
              if (row < 0 || row >= x.shape[1] || column < 0 || column >= x.shape[2]) continue;
              const std::int64_t index = offset4(x.shape, n, row, column, c);
              if (best < 0 || x.values[index] > x.values[best]) best = index;
            }
          body(best, offset4(y, n, i, j, c));
        }
}

}  // namespace

Arrays eval_max_pool(const PoolAttributes& a, const Inputs& in) {
  const Shape& x = in[0]->shape;
  Array y({x[0], output_extent(x[1], a.window, a.stride, a.padding),
           output_extent(x[2], a.window, a.stride, a.padding), x[3]});
  for_each_window(a, *in[0], y.shape,
                  [&](std::int64_t xi, std::int64_t yi) { y.values[yi] = in[0]->values[xi]; });
  return {y};
}

Arrays eval_max_pool_grad(const PoolAttributes& a, const Inputs& in) {
  Array dx(in[1]->shape);
  for_each_window(a, *in[1], in[0]->shape,
                  [&](std::int64_t xi, std::int64_t yi) { dx.values[xi] += in[0]->values[yi]; });
  return {dx};
}

Arrays eval_add(const Inputs& in) {
  Array sum = *in[0];
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += in[1]->values[i];
  return {sum};
}

Arrays eval_squared_norm(const Inputs& in) {
  Array sum{Shape{}};
  for (const Array* one : in)
    for (const double value : one->values) sum.values[0] += value * value;
  return {sum};
}

Arrays eval_running_statistics(const RunningAttributes& a, const Inputs& in) {
  Array mean = *in[0], variance = *in[1];
  const auto count = static_cast<double>(a.count);
  const double unbiased = count > 1 ? count / (count - 1) : 1;
  for (std::size_t c = 0; c < mean.values.size(); ++c) {
    mean.values[c] = (1 - a.momentum) * mean.values[c] + a.momentum * in[2]->values[c];
    variance.values[c] = (1 - a.momentum) * variance.values[c] + a.momentum * in[3]->values[c] * unbiased;
  }
  return {mean, variance};
}

Arrays eval_update(const UpdateAttributes& a, const Inputs& in) {
  const UpdateRule& rule = a.rule;
  Arrays after(1 + rule.slots.size(), Array(in[0]->shape));
  std::array<double, 2> norms{};
  if (rule.uses(UpdateRule::Op::weight_norm)) norms[0] = norm(*in[0]);
  if (rule.uses(UpdateRule::Op::gradient_norm)) norms[1] = norm(*in[1]);
  for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
    const std::vector<double> values = evaluate(rule, in, norms, i);
    after[0].values[i] = values[rule.weight];
    for (std::size_t s = 0; s < rule.slots.size(); ++s) after[1 + s].values[i] = values[rule.slots[s]];
  }
  return after;
}

std::vector<Arrays> eval_all_reduce(const std::vector<Inputs>& in) {
  Arrays mean;
  for (std::size_t k = 0; k < in[0].size(); ++k) {
    Array sum(in[0][k]->shape);
    for (const Inputs& one : in)
      for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += one[k]->values[i];
    for (double& value : sum.values) value /= static_cast<double>(in.size());
    mean.push_back(std::move(sum));
  }
  return std::vector<Arrays>(in.size(), mean);
}

}  // namespace ssd::graph
