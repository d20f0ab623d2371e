#include "backend/stablehlo/pointwise.h"

#include <utility>

namespace ssd::stablehlo {
namespace {

// Channels of y for each of x from which on reading y less outweighs the products that take its place.
constexpr std::int64_t least_widening = 4;

double values_of_channel(const Term& x) { return static_cast<double>(x.shape.elements() / x.shape[3]); }

// (N,H,W,A), (N,H,W,B) -> (B,A) f32: sums of b a' over images, rows and columns.
Term sum_of_products(Body& body, const Term& a, const Term& b) {
  const std::int64_t inner = a.shape[3], outer = b.shape[3];
  const ConvolutionWindow window{.dimensions = "[f, 0, 1, b]x[i, 0, 1, o]->[f, b, 0, 1]"};
  const Term sums = body.convolution(a, b, window, Element::f32, Shape{outer, inner, 1, 1});
  return body.reshape(sums, {outer, inner});
}

// (N,H,W,A) by (A,B) -> (N,H,W,B) f32.
Term each_pixel(Body& body, const Term& x, const Term& matrix) {
  const Shape &s = x.shape, &m = matrix.shape;
  const ConvolutionWindow window{.dimensions = "[b, 0, 1, f]x[i, o, 0, 1]->[b, 0, 1, f]"};
  return body.convolution(x, body.reshape(matrix, {m[0], m[1], 1, 1}), window, Element::f32,
                          Shape{s[0], s[1], s[2], m[1]});
}

Term of_rows(Body& body, const Term& vector, const Term& matrix) {
  return body.broadcast(vector, matrix.shape, {0});
}
Term of_columns(Body& body, const Term& vector, const Term& matrix) {
  return body.broadcast(vector, matrix.shape, {1});
}
Term channels_last(Body& body, const Term& vector, const Shape& shape) {
  return body.broadcast(vector, shape, {3});
}
Term times_rows(Body& body, const Term& matrix, const Term& vector) {
  return body.multiply(matrix, of_rows(body, vector, matrix));
}

// a (M,K) by b (K,N), a of a narrow type, b f32: where a is bf16, b's leading bits and the rest are
// multiplied one after the other, so that hardly anything of b is lost.
Term product(Body& body, const Term& a, const Term& b) {
  if (a.element == Element::f32) return body.product(a, b);
  const Term leading = body.rounded_to_bf16(b);
  const Term rest = body.subtract(b, leading);
  return body.add(body.product(a, body.convert(leading, a.element)),
                  body.product(a, body.convert(rest, a.element)));
}

Term mean_of(Body& body, const Term& x) {
  return body.multiply(body.sum(body.convert(x, Element::f32), {0, 1, 2}), 1 / values_of_channel(x));
}

}  // namespace

bool is_pointwise(const NodeSite& site) {
  if (!site.options.pointwise_moments || site.node.kind != graph::Kind::convolution) return false;
  const auto& attributes = site.node.as<graph::ConvolutionAttributes>();
  const Shape& weight = site.inputs[1].shape;
  return site.inputs.size() == 2 && attributes.kernel == 1 && attributes.stride == 1 &&
         attributes.padding == 0 && weight[0] >= least_widening * weight[1];
}

std::shared_ptr<const Pointwise> make_pointwise(const NodeSite& site, const Term& y) {
  const auto& attributes = site.node.as<graph::ConvolutionAttributes>();
  const Shape& weight = site.inputs[1].shape;
  Body& body = site.body;
  const Element compute = element_of(attributes.compute);
  Pointwise result;
  result.x = body.convert(site.inputs[0], compute);
  result.weight = body.reshape(body.convert(site.inputs[1], compute), {weight[0], weight[1]});
  result.y = y;
  result.mean = mean_of(body, result.x);
  const Term second =
      body.multiply(sum_of_products(body, result.x, result.x), 1 / values_of_channel(result.x));
  const Term squares =
      body.multiply(of_rows(body, result.mean, second), of_columns(body, result.mean, second));
  result.covariance = product(body, result.weight, body.subtract(second, squares));
  return std::make_shared<const Pointwise>(std::move(result));
}

Statistics statistics_of(Body& body, const Pointwise& pointwise) {
  const Term weight = body.convert(pointwise.weight, Element::f32);
  const Term mean = body.sum(body.multiply(weight, of_columns(body, pointwise.mean, weight)), {1});
  const Term variance = body.sum(body.multiply(weight, pointwise.covariance), {1});
  return {mean, body.maximum(variance, 0.0)};
}

NormGradient norm_gradient(Body& body, std::shared_ptr<const Pointwise> pointwise, const Term& g,
                           const Term& scale, const Term& inverse) {
  const double count = values_of_channel(g);
  const Term weight = body.convert(pointwise->weight, Element::f32);
  const Term dshift = body.sum(body.convert(g, Element::f32), {0, 1, 2});
  const Term products = sum_of_products(body, pointwise->x, body.convert(g, pointwise->x.element));
  const Term g_by_x = body.subtract(
      products, body.multiply(of_rows(body, dshift, products), of_columns(body, pointwise->mean, products)));
  const Term dscale = body.multiply(body.sum(body.multiply(weight, g_by_x), {1}), inverse);
  const Term slope = body.multiply(scale, inverse);
  const Term descent = body.multiply(body.multiply(slope, inverse), body.multiply(dscale, 1 / count));
  PointwiseGradient dy{.of = std::move(pointwise),
                       .g = g,
                       .mean_g = body.multiply(dshift, 1 / count),
                       .g_by_x = g_by_x,
                       .slope = slope,
                       .descent = descent};
  return {std::make_shared<const PointwiseGradient>(std::move(dy)), dscale, dshift};
}

// Both matrices are rounded to the type of the products; the constant is made of the rounded ones, so that dx
// has the mean 0 that it must have.
Term input_gradient(Body& body, const PointwiseGradient& dy) {
  const Pointwise& of = *dy.of;
  const Element compute = of.x.element;
  const Term weight = body.convert(of.weight, Element::f32);
  const Term by_g = body.convert(times_rows(body, weight, dy.slope), compute);
  const Term descending = body.convert(times_rows(body, weight, dy.descent), compute);
  const Term by_x = body.convert(body.product(body.transpose(of.weight, {1, 0}), descending), compute);
  const auto applied = [&](const Term& vector, const Term& matrix) {
    return body.sum(times_rows(body, body.convert(matrix, Element::f32), vector), {0});
  };
  const Term constant = body.subtract(applied(of.mean, by_x), applied(dy.mean_g, by_g));
  const Term from_x = body.convert(each_pixel(body, of.x, by_x), compute);
  const Term from_g = each_pixel(body, body.convert(dy.g, compute), by_g);
  const Term difference = body.subtract(from_g, body.convert(from_x, Element::f32));
  return body.add(difference, channels_last(body, constant, difference.shape));
}

Term weight_gradient(Body& body, const PointwiseGradient& dy) {
  const Term pulled = times_rows(body, dy.of->covariance, body.multiply(dy.descent, values_of_channel(dy.g)));
  return body.subtract(times_rows(body, dy.g_by_x, dy.slope), pulled);
}

Term whole_gradient(Body& body, const PointwiseGradient& dy) {
  const Term g = body.convert(dy.g, Element::f32);
  const Shape& shape = g.shape;
  const Term mean = statistics_of(body, *dy.of).mean;
  const Term centred = body.subtract(dy.of->y, channels_last(body, mean, shape));
  const Term rising = body.multiply(body.subtract(g, channels_last(body, dy.mean_g, shape)),
                                    channels_last(body, dy.slope, shape));
  return body.subtract(rising, body.multiply(centred, channels_last(body, dy.descent, shape)));
}

}  // namespace ssd::stablehlo
