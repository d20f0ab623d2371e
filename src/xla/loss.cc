// The multibox loss and its gradient. Hard negatives are found by selection: the k-th largest cross entropy
// of an image is bisected on the bits of its float, with counting passes over the default boxes instead of a
// sort.
#include <functional>

#include "xla/node.h"

namespace ssd::xla {
namespace {

// The inputs that loss and gradient share, starting at `first`, and what both derive from them.
// N images, D default boxes, G ground-truth boxes, K classes.
struct Loss {
  Loss(const NodeSite& node_site, std::size_t first)
      : site(node_site),
        body(site.body),
        loc(site.inputs[first]),
        conf(site.inputs[first + 1]),
        match(site.inputs[first + 2]),
        boxes(site.inputs[first + 3]),
        labels(site.inputs[first + 4]),
        defaults(site.inputs[first + 5]),
        per_box{loc.shape[0], loc.shape[1]} {}

  Term over_boxes(const Term& per_image) const { return body.broadcast(per_image, per_box, {0}); }
  Term positive() const { return body.compare(Direction::greater_equal, match, 0.0); }

  Term matched(const Term& values) const;
  Term label_mask() const;
  Term offsets_error() const;
  struct Softmax {
    Term exponential;  // (N,D,K) of logits minus their maximum
    Term sum;          // (N,D) of the exponentials
    Term centred;      // (N,D,K) logits minus their maximum
  };
  Softmax softmax() const;

  const NodeSite& site;
  Body& body;
  const Term &loc, &conf, &match, &boxes, &labels, &defaults;
  const Shape per_box;  // (N,D)
};

// values (N,G,...) -> (N,D,...): those of the matched box, 0 where there is none. A comparison with every box
// of the image: with G small this costs less than a gather on devices that have no fast one.
Term Loss::matched(const Term& values) const {
  const std::int64_t n = per_box[0], d = per_box[1], g = values.shape[1];
  const Shape pairs{n, g, d};
  const Term hit = body.compare(Direction::equal, body.broadcast(match, pairs, {0, 2}), body.iota(pairs, 1));
  if (values.shape.rank() == 2)
    return body.sum(body.select(hit, body.broadcast(values, pairs, {0, 1}), 0.0), {1});
  const Shape all{n, g, d, values.shape[2]};
  return body.sum(
      body.select(body.broadcast(hit, all, {0, 1, 2}), body.broadcast(values, all, {0, 1, 3}), 0.0), {1});
}

// (N,D,K): which logit is that of the default box's label; background is class 0.
Term Loss::label_mask() const {
  const Term label = matched(labels);
  return body.compare(Direction::equal, body.broadcast(label, conf.shape, {0, 1}), body.iota(conf.shape, 2));
}

// (N,D,4): predicted minus wanted offsets, 0 where nothing is matched.
Term Loss::offsets_error() const {
  const auto& attributes = site.node.as<graph::LossAttributes>();
  const Shape half{per_box[0], per_box[1], 2};
  const auto of_defaults = [&](std::int64_t from) {
    return body.broadcast(body.slice(defaults, 1, from, from + 2), half, {1, 2});
  };
  const Term centre = of_defaults(0), extent = of_defaults(2);
  const Term hit = body.broadcast(positive(), half, {0, 1});
  const Term box = matched(boxes);
  const Term xy =
      body.divide(body.divide(body.subtract(body.slice(box, 2, 0, 2), centre), extent), attributes.scale_xy);
  // Unmatched boxes have no extent; the ratio 1 keeps their logarithm finite.
  const Term ratio = body.select(hit, body.divide(body.slice(box, 2, 2, 4), extent), 1.0);
  const Term wh = body.divide(body.unary("log", ratio), attributes.scale_wh);
  const Term error = body.subtract(loc, body.concatenate({xy, wh}, 2));
  return body.select(body.broadcast(positive(), loc.shape, {0, 1}), error, 0.0);
}

Loss::Softmax Loss::softmax() const {
  const Term highest = body.max(conf, {2});
  Softmax result;
  result.centred = body.subtract(conf, body.broadcast(highest, conf.shape, {0, 1}));
  result.exponential = body.unary("exponential", result.centred);
  result.sum = body.sum(result.exponential, {2});
  return result;
}

// The largest t of `bits` bits, an image, for which holds(t), which must be true for 0 and, once false, stay
// so. Four bits a round: fifteen candidates are tried at once, and as many hold as the digit says.
Term bisect(Body& body, std::int64_t images, int bits, const std::function<Term(const Term&)>& holds) {
  Term t = body.constant(0, Element::i32, Shape{images});
  for (int shift = (bits - 1) / 4 * 4; shift >= 0; shift -= 4) {
    const std::int64_t digits = (std::int64_t{1} << std::min(4, bits - shift)) - 1;
    const Shape candidates{images, digits};
    const double unit = static_cast<double>(std::int64_t{1} << shift);
    const Term digit = body.add(body.iota(candidates, 1), 1.0);
    const Term candidate = body.add(body.broadcast(t, candidates, {0}), body.multiply(digit, unit));
    const Term held = body.sum(body.convert(holds(candidate), Element::i32), {1});
    t = body.add(t, body.multiply(held, unit));
  }
  return t;
}

// How many default boxes of an image satisfy `condition` against each candidate: (N,D) and (N,C) -> i32
// (N,C). The condition compares `values` with the candidate in `direction`; `among` (N,D) limits the boxes
// counted.
struct Count {
  Direction direction;
  const Term& values;
  const Term* among = nullptr;
};
Term count(Body& body, const Count& what, const Term& candidates) {
  const Shape pairs{candidates.shape[0], candidates.shape[1], what.values.shape[1]};
  Term hit = body.compare(what.direction, body.broadcast(what.values, pairs, {0, 2}),
                          body.broadcast(candidates, pairs, {0, 1}));
  if (what.among) hit = body.both(hit, body.broadcast(*what.among, pairs, {0, 2}));
  return body.sum(body.convert(hit, Element::i32), {2});
}

// (N,D): the k[n] boxes of image n with the largest `cost`, of equal ones those that come first. Costs are
// not negative, so their bits order as they do.
Term largest(Body& body, const Term& cost, const Term& k) {
  const Shape& shape = cost.shape;
  const std::int64_t images = shape[0];
  const auto wanted = [&](const Term& number, const Term& like) {
    return body.broadcast(number, like.shape, {0});
  };
  const Term bits = body.bits(cost);
  const Term threshold = bisect(body, images, 31, [&](const Term& candidate) {
    return body.compare(Direction::greater_equal, count(body, {Direction::greater_equal, bits}, candidate),
                        wanted(k, candidate));
  });
  const Term level = body.broadcast(threshold, shape, {0});
  const Term above = body.compare(Direction::greater, bits, level);
  const Term tied = body.compare(Direction::equal, bits, level);
  const Term room = body.subtract(k, body.sum(body.convert(above, Element::i32), {1}));
  const Term index = body.iota(shape, 1);
  int index_bits = 1;
  while ((std::int64_t{1} << index_bits) <= shape[1]) ++index_bits;
  const Term end = bisect(body, images, index_bits, [&](const Term& candidate) {
    return body.compare(Direction::less_equal, count(body, {Direction::less, index, &tied}, candidate),
                        wanted(room, candidate));
  });
  const Term early = body.compare(Direction::less, index, body.broadcast(end, shape, {0}));
  return body.either(above, body.both(tied, early));
}

// 1 / positives of an image, 0 where there are none; divided by the number of images.
Term weight_of(Body& body, const Term& positives) {
  const Term number = body.convert(positives, Element::f32);
  const Term weight = body.divide(body.constant(1, Element::f32, number.shape), body.maximum(number, 1.0));
  const Term some = body.compare(Direction::greater, positives, 0.0);
  return body.divide(body.select(some, weight, 0.0), static_cast<double>(positives.shape[0]));
}

}  // namespace

std::vector<Term> multibox_loss(const NodeSite& site) {
  Body& body = site.body;
  const Loss loss(site, 0);
  const auto& attributes = site.node.as<graph::LossAttributes>();
  const Term positive = loss.positive();
  const Term positives = body.sum(body.convert(positive, Element::i32), {1});

  const Term error = body.unary("abs", loss.offsets_error());
  const Term near = body.multiply(body.multiply(error, error), 0.5), far = body.subtract(error, 0.5);
  const Term smooth = body.select(body.compare(Direction::less, error, 1.0), near, far);
  const Term loc_loss = body.sum(smooth, {1, 2});

  // Never negative: the sum holds exp(0) = 1 and the label's centred logit is at most 0.
  const Loss::Softmax softmax = loss.softmax();
  const Term own = body.sum(body.select(loss.label_mask(), softmax.centred, 0.0), {2});
  const Term cross_entropy = body.subtract(body.unary("log", softmax.sum), own);

  const Term negative = body.select(positive, body.constant(0, Element::f32, loss.per_box), cross_entropy);
  const auto limit = static_cast<double>(loss.per_box[1]);
  const Term k = body.minimum(body.multiply(positives, attributes.negatives_per_positive), limit);
  const Term hard = largest(body, negative, k);
  const Term chosen = body.add(body.convert(positive, Element::f32), body.convert(hard, Element::f32));
  const Term conf_loss = body.sum(body.multiply(cross_entropy, chosen), {1});

  const Term weighted = body.multiply(body.add(loc_loss, conf_loss), weight_of(body, positives));
  return {body.sum(weighted, {0}), loc_loss, conf_loss, positives, body.convert(chosen, Element::u8)};
}

std::vector<Term> multibox_loss_grad(const NodeSite& site) {
  Body& body = site.body;
  const Loss loss(site, 1);
  const Term &dloss = site.inputs[0], &positives = site.inputs[7], &chosen = site.inputs[8];
  const Term weight = body.multiply(weight_of(body, positives), body.broadcast(dloss, positives.shape, {}));

  const Shape& offsets = loss.loc.shape;
  const Term slope = body.maximum(body.minimum(loss.offsets_error(), 1.0), -1.0);
  const Term dloc = body.multiply(slope, body.broadcast(weight, offsets, {0}));

  const Shape& logits = loss.conf.shape;
  const Loss::Softmax softmax = loss.softmax();
  const Term probability = body.divide(softmax.exponential, body.broadcast(softmax.sum, logits, {0, 1}));
  const Term target = body.convert(loss.label_mask(), Element::f32);
  const Term factor = body.multiply(body.convert(chosen, Element::f32), loss.over_boxes(weight));
  const Term dconf =
      body.multiply(body.subtract(probability, target), body.broadcast(factor, logits, {0, 1}));
  return {dloc, dconf};
}

}  // namespace ssd::xla
