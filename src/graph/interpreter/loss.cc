// The heads' view and the multibox loss, in float64.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/interpreter/nodes.h"

namespace ssd::graph {
namespace {

// Calls body(level, index in the level's map, index in loc or -1, index in conf or -1).
template <typename Body>
void for_each_head_value(const HeadAttributes& a, std::int64_t images, std::int64_t defaults,
                         const Body& body) {
  std::int64_t first = 0;
  for (std::size_t level = 0; level < a.levels.size(); ++level) {
    const auto [height, width, boxes] = a.levels[level];
    const std::int64_t parts = 4 + a.classes;
    for (std::int64_t n = 0; n < images; ++n)
      for (std::int64_t cell = 0; cell < height * width; ++cell)
        for (std::int64_t part = 0; part < parts; ++part)
          for (std::int64_t b = 0; b < boxes; ++b) {
            const std::int64_t map = (n * height * width + cell) * parts * boxes + part * boxes + b;
            const std::int64_t box = n * defaults + first + b * height * width + cell;
            if (part < 4)
              body(level, map, box * 4 + part, -1);
            else
              body(level, map, -1, box * a.classes + part - 4);
          }
    first += height * width * boxes;
  }
}

// One image of the loss: views into the batch's arrays.
struct Image {
  const double* loc;       // (D,4)
  const double* conf;      // (D,K)
  const double* match;     // (D)
  const double* boxes;     // (G,4) cxcywh
  const double* labels;    // (G)
  const double* defaults;  // (D,4) cxcywh
  std::int64_t count, classes;
  const LossAttributes& attributes;

  bool positive(std::int64_t d) const { return match[d] >= 0; }
  std::int64_t label(std::int64_t d) const {
    return positive(d) ? static_cast<std::int64_t>(labels[static_cast<std::int64_t>(match[d])]) : 0;
  }
  double log_sum(std::int64_t d) const {
    const double* row = conf + d * classes;
    const double most = *std::max_element(row, row + classes);
    double sum = 0;
    for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - most);
    return most + std::log(sum);
  }
  // What class k's probability ought to be.
  double target(std::int64_t d, std::int64_t k) const {
    const double smoothing = attributes.label_smoothing;
    return (1 - smoothing) * (k == label(d)) + smoothing / static_cast<double>(classes);
  }
  double cross_entropy(std::int64_t d) const {
    const double partition = log_sum(d);
    double sum = 0;
    for (std::int64_t k = 0; k < classes; ++k) sum += target(d, k) * (partition - conf[d * classes + k]);
    return sum;
  }
  // loc - goal for coordinate k of a positive default box.
  double difference(std::int64_t d, int k) const {
    const double* box = boxes + static_cast<std::int64_t>(match[d]) * 4;
    const double* own = defaults + d * 4;
    const double goal = k < 2 ? (box[k] - own[k]) / own[k + 2] / attributes.scale_xy
                              : std::log(box[k] / own[k]) / attributes.scale_wh;
    return loc[d * 4 + k] - goal;
  }
};

Image image_of(const LossAttributes& attributes, const Inputs& in, std::size_t first, std::int64_t n) {
  const Shape& conf = in[first + 1]->shape;
  const std::int64_t count = conf[1], classes = conf[2], boxes = in[first + 3]->shape[1];
  return {in[first]->values.data() + n * count * 4,
          in[first + 1]->values.data() + n * count * classes,
          in[first + 2]->values.data() + n * count,
          in[first + 3]->values.data() + n * boxes * 4,
          in[first + 4]->values.data() + n * boxes,
          in[first + 5]->values.data(),
          count,
          classes,
          attributes};
}

}  // namespace

Arrays eval_head_view(const HeadAttributes& a, const Inputs& in) {
  const std::int64_t images = in[0]->shape[0];
  std::int64_t defaults = 0;
  for (const HeadLevel& level : a.levels) defaults += level.height * level.width * level.boxes;
  Array loc({images, defaults, 4}), conf({images, defaults, a.classes});
  for_each_head_value(a, images, defaults,
                      [&](std::size_t level, std::int64_t map, std::int64_t l, std::int64_t c) {
                        (l >= 0 ? loc.values[l] : conf.values[c]) = in[level]->values[map];
                      });
  return {loc, conf};
}

Arrays eval_head_view_grad(const HeadAttributes& a, const Inputs& in) {
  const std::int64_t images = in[0]->shape[0];
  Arrays maps;
  for (const HeadLevel& level : a.levels)
    maps.push_back(Array({images, level.height, level.width, level.boxes * (4 + a.classes)}));
  for_each_head_value(a, images, in[0]->shape[1],
                      [&](std::size_t level, std::int64_t map, std::int64_t l, std::int64_t c) {
                        maps[level].values[map] = l >= 0 ? in[0]->values[l] : in[1]->values[c];
                      });
  return maps;
}

Arrays eval_multibox_loss(const LossAttributes& attributes, const Inputs& in) {
  const std::int64_t images = in[0]->shape[0], count = in[0]->shape[1];
  Array loss(Shape{}), loc_loss({images}), conf_loss({images}), positives({images}), chosen({images, count});
  for (std::int64_t n = 0; n < images; ++n) {
    const Image image = image_of(attributes, in, 0, n);
    std::vector<double> entropy(count), negative(count);
    for (std::int64_t d = 0; d < count; ++d) {
      entropy[d] = image.cross_entropy(d);
      negative[d] = image.positive(d) ? 0 : entropy[d];
      if (!image.positive(d)) continue;
      positives.values[n] += 1;
      for (int k = 0; k < 4; ++k) {
        const double size = std::abs(image.difference(d, k));
        loc_loss.values[n] += size < 1 ? 0.5 * size * size : size - 0.5;
      }
    }
    std::vector<std::int64_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return negative[a] > negative[b]; });
    const auto found = static_cast<std::int64_t>(positives.values[n]);
    const std::int64_t kept = std::min(count, attributes.negatives(found));
    double* weight = chosen.values.data() + n * count;
    for (std::int64_t d = 0; d < count; ++d) weight[d] = image.positive(d);
    for (std::int64_t k = 0; k < kept; ++k) weight[order[k]] += 1;
    for (std::int64_t d = 0; d < count; ++d) conf_loss.values[n] += weight[d] * entropy[d];
    loss.values[0] +=
        (attributes.loc_weight * loc_loss.values[n] + attributes.conf_weight * conf_loss.values[n]) *
        attributes.image_weight(found);
  }
  loss.values[0] /= static_cast<double>(images);
  return {loss, loc_loss, conf_loss, positives, chosen};
}

Arrays eval_multibox_loss_grad(const LossAttributes& attributes, const Inputs& in) {
  const std::int64_t images = in[1]->shape[0], count = in[1]->shape[1], classes = in[2]->shape[2];
  Array dloc(in[1]->shape), dconf(in[2]->shape);
  for (std::int64_t n = 0; n < images; ++n) {
    const double image_weight = attributes.image_weight(static_cast<std::int64_t>(in[7]->values[n]));
    if (image_weight == 0) continue;
    const double factor = in[0]->values[0] * image_weight / static_cast<double>(images);
    const Image image = image_of(attributes, in, 1, n);
    for (std::int64_t d = 0; d < count; ++d) {
      if (image.positive(d))
        for (int k = 0; k < 4; ++k)
          dloc.values[(n * count + d) * 4 + k] =
              factor * attributes.loc_weight * std::clamp(image.difference(d, k), -1.0, 1.0);
      const double weight = attributes.conf_weight * in[8]->values[n * count + d];
      if (weight == 0) continue;
      const double log_sum = image.log_sum(d);
      for (std::int64_t k = 0; k < classes; ++k)
        dconf.values[(n * count + d) * classes + k] =
            factor * weight * (std::exp(image.conf[d * classes + k] - log_sum) - image.target(d, k));
    }
  }
  return {dloc, dconf};
}

}  // namespace ssd::graph
