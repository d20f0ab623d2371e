// Convolutions and their gradients. Weights stay OIHW and f32; operands are rounded to the node's compute
// type.
#include <cassert>

#include "backend/stablehlo/node.h"
#include "backend/stablehlo/pointwise.h"
#include "base/error.h"

namespace ssd::stablehlo {
namespace {

using graph::ConvolutionAttributes;

Term channels_last(const NodeSite& site, const Term& vector, const Shape& shape) {
  return site.body.broadcast(vector, shape, {3});
}

// What the compiler is asked to make of bf16 operands when f32 sums are wanted.
Element result_of(const NodeSite& site, Element compute, Element wanted) {
  return compute == Element::bf16 && !site.options.mixed_convolutions ? Element::bf16 : wanted;
}

// The rows (or columns) that stride and padding leave unused at the bottom (or right).
std::int64_t unused(const ConvolutionAttributes& attributes, std::int64_t in, std::int64_t out) {
  return in + 2 * attributes.padding - attributes.kernel - (out - 1) * attributes.stride;
}

}  // namespace

Bound convolution(const NodeSite& site) {
  Body& body = site.body;
  const auto& attributes = site.node.as<ConvolutionAttributes>();
  if (attributes.x_rounding)
    throw Error(
        "convolution '{}': is of a quantised network, which the cpu alone runs; give --device cpu, or the "
        "checkpoint that was quantised",
        site.node.name);
  const Element compute = element_of(attributes.compute);
  const bool more = site.inputs.size() > 2 || attributes.relu;  // the bias is added to the f32 sums
  const bool pointwise = is_pointwise(site);                    // the batch norm takes the sums as they are
  const Element wanted = more || pointwise ? Element::f32 : site.element(0);
  const std::int64_t border = attributes.padding;
  const ConvolutionWindow window{.dimensions = "[b, 0, 1, f]x[o, i, 0, 1]->[b, 0, 1, f]",
                                 .stride = attributes.stride,
                                 .low = {border, border},
                                 .high = {border, border}};
  Shape shape = site.shape(0);
  shape[3] = site.channels;
  const Term weight = pad(body, body.convert(site.inputs[1], compute), 0, site.channels);
  Term y = body.convolution(body.convert(site.inputs[0], compute), weight, window,
                            result_of(site, compute, wanted), shape);
  y = body.convert(y, wanted);
  if (site.inputs.size() > 2)
    y = body.add(y, channels_last(site, pad(body, site.inputs[2], 0, site.channels), shape));
  if (site.inputs.size() > 3) y = body.add(y, body.convert(site.inputs[3], Element::f32));
  if (attributes.relu) y = body.maximum(y, 0.0);
  Bound result(body.convert(y, site.element(0)));
  if (pointwise) result.pointwise = make_pointwise(site, y);
  return result;
}

// The transposed convolution: dy with stride - 1 zeros between its cells, against the mirrored kernel.
Term convolution_grad_input(const NodeSite& site) {
  Body& body = site.body;
  if (site.bound[0].gradient)
    return body.convert(input_gradient(body, *site.bound[0].gradient), site.element(0));
  const auto& attributes = site.node.as<ConvolutionAttributes>();
  const Element compute = element_of(attributes.compute);
  const Term& dy = site.inputs[0];
  const Shape& x = site.shape(0);
  const std::int64_t low = attributes.kernel - 1 - attributes.padding;
  ConvolutionWindow window{.dimensions = "[b, 0, 1, f]x[i, o, 0, 1]->[b, 0, 1, f]",
                           .low = {low, low},
                           .high = {low, low},
                           .input_dilation = attributes.stride};
  for (std::size_t i = 0; i < 2; ++i) window.high[i] += unused(attributes, x[i + 1], dy.shape[i + 1]);
  Term weight = pad(body, body.convert(site.inputs[1], compute), 0, dy.shape[3]);
  if (attributes.kernel > 1) weight = body.reverse(weight, {2, 3});
  const Term dx = body.convolution(body.convert(dy, compute), weight, window,
                                   result_of(site, compute, site.element(0)), x);
  return body.convert(dx, site.element(0));
}

// The kernel is dy, spread by the stride; images are what the products are summed over.
std::vector<Term> convolution_grad_weight(const NodeSite& site) {
  Body& body = site.body;
  if (site.bound[1].gradient)
    return {body.reshape(weight_gradient(body, *site.bound[1].gradient), site.shape(0))};
  const auto& attributes = site.node.as<ConvolutionAttributes>();
  const Element compute = element_of(attributes.compute);
  const Term &x = site.inputs[0], &dy = site.inputs[1];
  const std::int64_t pad = attributes.padding;
  ConvolutionWindow window{.dimensions = "[f, 0, 1, b]x[i, 0, 1, o]->[f, b, 0, 1]",
                           .low = {pad, pad},
                           .high = {pad, pad},
                           .kernel_dilation = attributes.stride};
  for (std::size_t i = 0; i < 2; ++i) window.high[i] -= unused(attributes, x.shape[i + 1], dy.shape[i + 1]);
  Shape shape = site.shape(0);
  const std::int64_t channels = shape[0];  // dy may have more, which are zeros
  shape[0] = dy.shape[3];
  const Term dweight = body.convolution(body.convert(x, compute), body.convert(dy, compute), window,
                                        result_of(site, compute, Element::f32), shape);
  const auto own = [&](const Term& term) {
    return shape[0] == channels ? term : body.slice(term, 0, 0, channels);
  };
  std::vector<Term> results{body.convert(own(dweight), Element::f32)};
  if (attributes.bias) results.push_back(own(body.sum(body.convert(dy, Element::f32), {0, 1, 2})));
  return results;
}

}  // namespace ssd::stablehlo
