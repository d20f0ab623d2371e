// Everything of the network that is neither a convolution nor the loss.
#include "backend/stablehlo/node.h"
#include "backend/stablehlo/pointwise.h"
#include "base/error.h"

namespace ssd::stablehlo {
namespace {

using graph::BatchNormAttributes;
using graph::HeadAttributes;
using graph::HeadLevel;

const Axes all_but_channels{0, 1, 2};

Term channels_last(const NodeSite& site, const Term& vector, const Shape& shape) {
  return site.body.broadcast(vector, shape, {3});
}

// Sums over the batch of this replica -> means over it and the replicas it shares statistics with.
std::vector<Term> shared_means(const NodeSite& site, std::vector<Term> sums) {
  const auto& attributes = site.node.as<BatchNormAttributes>();
  const Shape& shape = site.shape(0);
  if (attributes.group > 1) {
    if (site.graph.replicas % attributes.group != 0)
      throw Error("batch norm '{}': got groups of {} replicas, expected a divisor of the {} replicas",
                  site.node.name, attributes.group, site.graph.replicas);
    sums = site.body.all_reduce(sums, site.graph.replicas, attributes.group);
  }
  const auto count = static_cast<double>(shape.elements() / shape[3] * attributes.group);
  for (Term& sum : sums) sum = site.body.multiply(sum, 1 / count);
  return sums;
}

// 1 / sqrt(variance + epsilon).
Term inverse_deviation(const NodeSite& site, const Term& variance) {
  const double epsilon = site.node.as<BatchNormAttributes>().epsilon;
  return site.body.unary("rsqrt", site.body.add(variance, epsilon));
}

// Both sums in one pass, which the compiler can attach to the convolution that makes x.
Statistics statistics(const NodeSite& site, const Term& x) {
  Body& body = site.body;
  const std::vector<Term> means =
      shared_means(site, {body.sum(x, all_but_channels), body.sum(body.multiply(x, x), all_but_channels)});
  const Term &mean = means[0], &square = means[1];
  return {mean, body.maximum(body.subtract(square, body.multiply(mean, mean)), 0.0)};
}

// What batch norm makes of x - mean, before residual and ReLU.
Term scaled(const NodeSite& site, const Term& centred, const Term& factor, const Term& shift) {
  return site.body.add(site.body.multiply(centred, channels_last(site, factor, centred.shape)),
                       channels_last(site, shift, centred.shape));
}

// How the input number `index` of a batch norm, or of its gradient, was made, where that serves; a group of
// replicas needs the statistics of all.
std::shared_ptr<const Pointwise> pointwise_of(const NodeSite& site, std::size_t index) {
  return site.node.as<BatchNormAttributes>().group > 1 ? nullptr : site.bound[index].pointwise;
}

// Of a batch norm's gradient: what is positive where the ReLU let through.
Term before_relu(const NodeSite& site) {
  const Term& shift = site.bound[2].shift;
  if (shift.name.empty()) return site.inputs[2];
  Body& body = site.body;
  const Term factor = body.multiply(inverse_deviation(site, site.inputs[5]), site.inputs[3]);
  const Term x = body.convert(site.inputs[1], Element::f32);
  const Term centred = body.subtract(x, channels_last(site, site.inputs[4], site.shape(0)));
  return scaled(site, centred, factor, shift);
}

}  // namespace

Term normalize(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<graph::NormalizeAttributes>();
  const Shape& shape = site.shape(0);
  std::vector<double> mean, deviation;
  for (std::size_t c = 0; c < 3; ++c) {
    mean.push_back(attributes.mean[c]);
    deviation.push_back(attributes.standard_deviation[c]);
  }
  const Term x = body.divide(body.convert(site.inputs[0], Element::f32), 255.0);
  const Term centred = body.subtract(x, channels_last(site, body.vector(mean), shape));
  return body.convert(body.divide(centred, channels_last(site, body.vector(deviation), shape)),
                      site.element(0));
}

std::vector<Bound> batch_norm(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<BatchNormAttributes>();
  const Shape& shape = site.shape(0);
  const auto pointwise = pointwise_of(site, 0);
  const Term x = pointwise ? pointwise->y : body.convert(site.inputs[0], Element::f32);
  const auto [mean, variance] = pointwise ? statistics_of(body, *pointwise) : statistics(site, x);

  const Term factor = body.multiply(inverse_deviation(site, variance), site.inputs[1]);
  Term y = scaled(site, body.subtract(x, channels_last(site, mean, shape)), factor, site.inputs[2]);
  if (attributes.residual) y = body.add(y, body.convert(site.inputs[3], Element::f32));
  if (attributes.relu) y = body.maximum(y, 0.0);
  Bound result(body.convert(y, site.element(0)));
  if (!site.options.relu_from_result && !attributes.residual && !pointwise) result.shift = site.inputs[2];
  return {result, mean, variance};
}

// With g = dy where the ReLU let y through, h = (x - mean) / deviation and n values a channel:
// dshift = sum g, dscale = sum g h, dx = scale / deviation * (g - dshift / n - h dscale / n).
std::vector<Bound> batch_norm_grad(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<BatchNormAttributes>();
  const Term &scale = site.inputs[3], &mean = site.inputs[4], &variance = site.inputs[5];
  const Shape& shape = site.shape(0);
  const Term inverse = inverse_deviation(site, variance);
  Term g = site.inputs[0];
  if (attributes.relu) g = body.select(body.compare(Direction::greater, before_relu(site), 0.0), g, 0.0);
  std::vector<Bound> results;
  if (const auto pointwise = pointwise_of(site, 1)) {
    NormGradient gradient = norm_gradient(body, pointwise, g, scale, inverse);
    const Term type{"", site.element(0), shape};
    results = {Bound(type, std::move(gradient.dy)), gradient.dscale, gradient.dshift};
  } else {
    const Term wide = body.convert(g, Element::f32), x = body.convert(site.inputs[1], Element::f32);
    const Term centred = body.subtract(x, channels_last(site, mean, shape));
    const Term h = body.multiply(centred, channels_last(site, inverse, shape));
    const Term dshift = body.sum(wide, all_but_channels);
    const Term dscale = body.sum(body.multiply(wide, h), all_but_channels);
    const std::vector<Term> means = shared_means(site, {dshift, dscale});
    Term dx = body.subtract(wide, channels_last(site, means[0], shape));
    dx = body.subtract(dx, body.multiply(h, channels_last(site, means[1], shape)));
    dx = body.multiply(dx, channels_last(site, body.multiply(scale, inverse), shape));
    results = {body.convert(dx, site.element(0)), dscale, dshift};
  }
  if (attributes.residual) results.push_back(g);
  return results;
}

// Each map's channels are [4 + K][boxes of a cell], and padding where the convolution was asked for it.
std::vector<Bound> head_view(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<HeadAttributes>();
  std::vector<Term> loc;
  std::vector<Level> conf;
  for (std::size_t i = 0; i < attributes.levels.size(); ++i) {
    conf.push_back(level_of(body, site.inputs[i], attributes.levels[i].boxes, attributes.classes));
    loc.push_back(parts_of(body, conf.back(), 0, 4));
  }
  return {join_levels(body, loc), {Term{"", site.element(1), site.shape(1)}, std::move(conf)}};
}

// The offsets' rows of a level's gradient are zero where the loss made it: dloc is added there.
std::vector<Bound> head_view_grad(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<HeadAttributes>();
  const std::vector<Term> dloc = split_levels(body, site.inputs[0], attributes.levels);
  std::vector<Level> dconf = site.bound[1].levels;
  std::vector<Bound> results;
  const auto channels = [&](const Term& part) {
    const Shape& s = part.shape;
    return body.reshape(part, {s[0], s[1], s[2], s[3] * s[4]});
  };
  if (dconf.empty()) {
    const std::vector<Term> classes = split_levels(body, site.inputs[1], attributes.levels);
    for (std::size_t i = 0; i < dloc.size(); ++i)
      results.push_back(body.concatenate({channels(dloc[i]), channels(classes[i])}, 3));
    return results;
  }
  for (std::size_t i = 0; i < dloc.size(); ++i) {
    const Shape& s = dconf[i].rows.shape;
    const Term offsets = body.reshape(dloc[i], {s[0], s[1], s[2], dconf[i].first, s[4]});
    results.push_back(channels(body.add(pad(body, offsets, 3, s[3]), dconf[i].rows)));
  }
  return results;
}

std::vector<Term> running_statistics(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<graph::RunningAttributes>();
  const double count = static_cast<double>(attributes.count);
  const double unbiased = count > 1 ? count / (count - 1) : 1;
  const auto blend = [&](const Term& running, const Term& batch, double factor) {
    return body.add(body.multiply(running, 1 - attributes.momentum),
                    body.multiply(batch, attributes.momentum * factor));
  };
  return {blend(site.inputs[0], site.inputs[2], 1), blend(site.inputs[1], site.inputs[3], unbiased)};
}

// Rows first: sums of sums lose less than one long sum in f32.
Term squared_norm(const NodeSite& site) {
  Body& body = site.body;
  Term total = body.constant(0, Element::f32);
  for (const Term& x : site.inputs) {
    Term squares = body.multiply(x, x);
    while (squares.shape.rank() > 0)
      squares = body.sum(squares, {static_cast<std::int64_t>(squares.shape.rank()) - 1});
    total = body.add(total, squares);
  }
  return total;
}

std::vector<Term> all_reduce(const NodeSite& site) {
  const int replicas = site.graph.replicas;
  if (replicas == 1) return site.inputs;
  std::vector<Term> means;
  for (const Term& sum : site.body.all_reduce(site.inputs, replicas, replicas))
    means.push_back(site.body.multiply(sum, 1.0 / replicas));
  return means;
}

}  // namespace ssd::stablehlo
