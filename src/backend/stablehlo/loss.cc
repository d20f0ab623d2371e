// The multibox loss and its gradient. Hard negatives are found by selection: the k-th largest cross entropy
// of an image is bisected on the bits of its float, with counting passes over the default boxes instead of a
// sort.
#include <functional>
#include <limits>

#include "backend/stablehlo/node.h"

namespace ssd::stablehlo {
namespace {

// The inputs that loss and gradient share, starting at `first`, and what both derive from them.
// N images, D default boxes, G ground-truth boxes, K classes; H rows, W columns and n boxes a cell of a
// level.
struct Loss {
  Loss(const NodeSite& node_site, std::size_t first)
      : site(node_site),
        body(site.body),
        loc(site.inputs[first]),
        match(site.inputs[first + 2]),
        boxes(site.inputs[first + 3]),
        labels(site.inputs[first + 4]),
        defaults(site.inputs[first + 5]),
        per_box{loc.shape[0], loc.shape[1]},
        classes(site.inputs[first + 1].shape[2]),
        logits(site.bound[first + 1].levels) {
    // Logits that do not come from heads: one level of one column.
    if (logits.empty())
      logits.push_back({split_levels(body, site.inputs[first + 1], {{per_box[1], 1, 1}})[0], 1, 0});
    for (Level& level : logits) {
      const Shape& s = level.rows.shape;
      levels.push_back({s[1], s[2], level.boxes});
      class_of.push_back(classes_of(level));
      const bool all = level.first == 0 && s[3] * level.parts_of_row() == classes;
      if (!all) level.rows = without_others(level.rows, class_of.back());
    }
  }

  Term positive() const { return body.compare(Direction::greater_equal, match, 0.0); }
  Term matched(const Term& values) const;
  Term offsets_error() const;

  std::vector<Term> by_level(const Term& per_default_box) const;
  Term joined(const std::vector<Term>& terms) const;
  Term classes_of(const Level& level) const;
  Term without_others(const Term& rows, const Term& class_numbers) const;
  Term over_classes(const Term& per_cell_box, std::size_t level) const;
  using Reduction = Term (Body::*)(const Term&, const Axes&);
  Term reduce_classes(Reduction reduction, const Term& rows, std::size_t level) const;
  Term is_label(const Term& label, std::size_t level) const {
    return body.compare(Direction::equal, over_classes(label, level), class_of[level]);
  }

  Term is_class(const Term& class_numbers) const {
    return body.both(body.compare(Direction::greater_equal, class_numbers, 0.0),
                     body.compare(Direction::less, class_numbers, static_cast<double>(classes)));
  }
  Term target(const Term& label, std::size_t level) const;

  struct Softmax {
    Term centred;        // (N,H,W,R,m) logits minus their box's maximum
    Term log_partition;  // (N,H,W,n) logarithm of the sum of their exponentials
  };
  Softmax softmax(std::size_t level) const;

  const NodeSite& site;
  Body& body;
  const Term &loc, &match, &boxes, &labels, &defaults;
  const Shape per_box;  // (N,D)
  const std::int64_t classes;
  std::vector<Level> logits;  // minus infinity where there is no class
  std::vector<graph::HeadLevel> levels;
  std::vector<Term> class_of;  // (N,H,W,R,m) a level: the class that a channel belongs to
};

// (N,D) -> (N,H,W,n) a level.
std::vector<Term> Loss::by_level(const Term& per_default_box) const {
  std::vector<Term> parts =
      split_levels(body, body.reshape(per_default_box, {per_box[0], per_box[1], 1}), levels);
  for (Term& part : parts)
    part = body.reshape(part, {part.shape[0], part.shape[1], part.shape[2], part.shape[4]});
  return parts;
}

// (N,H,W,n) a level -> (N,D).
Term Loss::joined(const std::vector<Term>& terms) const {
  std::vector<Term> parts;
  for (const Term& term : terms)
    parts.push_back(body.reshape(term, {term.shape[0], term.shape[1], term.shape[2], 1, term.shape[3]}));
  return body.reshape(join_levels(body, parts), per_box);
}

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

// Negative for offsets, `classes` and more for padding.
Term Loss::classes_of(const Level& level) const {
  const Shape& rows = level.rows.shape;
  const std::int64_t parts = level.parts_of_row();
  const Shape split{rows[3], parts, level.boxes};
  const auto first = static_cast<double>(level.first * parts);
  const Term of_row = body.multiply(body.iota(split, 0), static_cast<double>(parts));
  const Term part = body.subtract(body.add(of_row, body.iota(split, 1)), first);
  return body.broadcast(body.reshape(part, {rows[3], rows[4]}), rows, {3, 4});
}

Term Loss::without_others(const Term& rows, const Term& class_numbers) const {
  return body.select(is_class(class_numbers), rows, -std::numeric_limits<double>::infinity());
}

// (N,H,W,R,m): what each class's probability ought to be; 0 where there is no class.
Term Loss::target(const Term& label, std::size_t level) const {
  const Term own = body.convert(is_label(label, level), Element::f32);
  const double smoothing = site.node.as<graph::LossAttributes>().label_smoothing;
  if (smoothing == 0) return own;
  const Term share = body.constant(smoothing / static_cast<double>(classes), Element::f32, own.shape);
  return body.add(body.multiply(own, 1 - smoothing), body.select(is_class(class_of[level]), share, 0.0));
}

// (N,H,W,n) -> (N,H,W,R,m)
Term Loss::over_classes(const Term& per_cell_box, std::size_t level) const {
  const Shape& s = logits[level].rows.shape;
  const Shape parts{s[0], s[1], s[2], logits[level].parts_of_row(), logits[level].boxes};
  const Term row = body.reshape(body.broadcast(per_cell_box, parts, {0, 1, 2, 4}), {s[0], s[1], s[2], s[4]});
  return body.broadcast(row, s, {0, 1, 2, 4});
}

// (N,H,W,R,m) -> (N,H,W,n)
Term Loss::reduce_classes(Reduction reduction, const Term& rows, std::size_t level) const {
  const Shape& s = rows.shape;
  const Term row = (body.*reduction)(rows, {3});
  const std::int64_t parts = logits[level].parts_of_row();
  if (parts == 1) return row;
  return (body.*reduction)(body.reshape(row, {s[0], s[1], s[2], parts, logits[level].boxes}), {3});
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

Loss::Softmax Loss::softmax(std::size_t level) const {
  const Term& rows = logits[level].rows;
  Softmax result;
  result.centred = body.subtract(rows, over_classes(reduce_classes(&Body::max, rows, level), level));
  const Term exponentials = body.unary("exponential", result.centred);
  result.log_partition = body.unary("log", reduce_classes(&Body::sum, exponentials, level));
  return result;
}

// (N,D): minus the logarithm of the label's probability, or with smoothed labels the mean of that of all
// classes by their targets. Never negative: the partition holds exp(0) = 1, and centred logits are at most 0.
Term cross_entropy(const Loss& loss) {
  Body& body = loss.body;
  const double smoothing = loss.site.node.as<graph::LossAttributes>().label_smoothing;
  const std::vector<Term> labels = loss.by_level(loss.matched(loss.labels));  // background is class 0
  std::vector<Term> result;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Loss::Softmax softmax = loss.softmax(i);
    const Term own_rows =
        smoothing == 0 ? body.select(loss.is_label(labels[i], i), softmax.centred, 0.0)
                       : body.multiply(loss.target(labels[i], i),
                                       body.select(loss.is_class(loss.class_of[i]), softmax.centred, 0.0));
    const Term own = loss.reduce_classes(&Body::sum, own_rows, i);
    result.push_back(body.subtract(softmax.log_partition, own));
  }
  return loss.joined(result);
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

// 1 / positives of an image, image_weight(0) where there are none; divided by the number of images.
Term weight_of(Body& body, const Term& positives, const graph::LossAttributes& attributes) {
  const Term number = body.convert(positives, Element::f32);
  const Term weight = body.divide(body.constant(1, Element::f32, number.shape), body.maximum(number, 1.0));
  const Term some = body.compare(Direction::greater, positives, 0.0);
  return body.divide(body.select(some, weight, attributes.image_weight(0)),
                     static_cast<double>(positives.shape[0]));
}

Term negatives_of(Body& body, const Term& positives, const graph::LossAttributes& attributes) {
  const Term of_positives = body.multiply(positives, attributes.negatives_per_positive);
  if (attributes.background_negatives == 0) return of_positives;
  const Term some = body.compare(Direction::greater, positives, 0.0);
  return body.select(some, of_positives, static_cast<double>(attributes.background_negatives));
}

Term times(Body& body, const Term& term, double weight) {
  return weight == 1 ? term : body.multiply(term, weight);
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

  const Term entropy = cross_entropy(loss);
  const Term negative = body.select(positive, body.constant(0, Element::f32, loss.per_box), entropy);
  const auto limit = static_cast<double>(loss.per_box[1]);
  const Term k = body.minimum(negatives_of(body, positives, attributes), limit);
  const Term hard = largest(body, negative, k);
  const Term chosen = body.add(body.convert(positive, Element::f32), body.convert(hard, Element::f32));
  const Term conf_loss = body.sum(body.multiply(entropy, chosen), {1});

  const Term parts =
      body.add(times(body, loc_loss, attributes.loc_weight), times(body, conf_loss, attributes.conf_weight));
  const Term weighted = body.multiply(parts, weight_of(body, positives, attributes));
  return {body.sum(weighted, {0}), loc_loss, conf_loss, positives, body.convert(chosen, Element::u8)};
}

// d loss / d logit = chosen * (probability - target) / positives / N, times conf_weight.
std::vector<Bound> multibox_loss_grad(const NodeSite& site) {
  Body& body = site.body;
  const Loss loss(site, 1);
  const auto& attributes = site.node.as<graph::LossAttributes>();
  const Term &dloss = site.inputs[0], &positives = site.inputs[7], &chosen = site.inputs[8];
  const Term weight =
      body.multiply(weight_of(body, positives, attributes), body.broadcast(dloss, positives.shape, {}));

  const Term slope = body.maximum(body.minimum(loss.offsets_error(), 1.0), -1.0);
  const Term loc_weight = times(body, weight, attributes.loc_weight);
  const Term dloc = body.multiply(slope, body.broadcast(loc_weight, loss.loc.shape, {0}));

  const Term conf_weight = body.broadcast(times(body, weight, attributes.conf_weight), loss.per_box, {0});
  const std::vector<Term> factors =
      loss.by_level(body.multiply(body.convert(chosen, Element::f32), conf_weight));
  const std::vector<Term> labels = loss.by_level(loss.matched(loss.labels));
  std::vector<Level> dconf = loss.logits;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const Loss::Softmax softmax = loss.softmax(i);
    const Term logarithm = body.subtract(softmax.centred, loss.over_classes(softmax.log_partition, i));
    const Term probability = body.unary("exponential", logarithm);
    const Term target = loss.target(labels[i], i);
    dconf[i].rows = body.multiply(body.subtract(probability, target), loss.over_classes(factors[i], i));
  }
  return {dloc, {Term{"", site.element(1), site.shape(1)}, std::move(dconf)}};
}

}  // namespace ssd::stablehlo
