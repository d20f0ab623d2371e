#include "verify/exported_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "boxes/decode.h"
#include "boxes/default_boxes.h"
#include "boxes/ssd300.h"
#include "detect/predictor.h"
#include "verify/largest.h"

namespace ssd {
namespace {

constexpr auto default_boxes = static_cast<std::int64_t>(default_box_count);
constexpr double least_score_tolerance = 1e-4, missing_tolerance = 0.01;

double tolerance_of(DType precision) {
  if (precision == DType::f16) return 5e-3;
  return precision == DType::bf16 ? 4e-2 : 1e-4;
}

const Tensor& array(const ExportedOutputs& outputs, std::string_view name) {
  const auto found = outputs.arrays.find(std::string(name));
  if (found == outputs.arrays.end())
    throw Error("{}: got no '{}', expected loc and conf, or boxes and scores, or these with labels and count",
                outputs.name, name);
  return found->second;
}

[[noreturn]] void refuse_shape(const ExportedOutputs& outputs, const std::string& name, const Shape& shape,
                               const std::string& expected) {
  throw Error("{}: {}: got shape {}, expected {}", outputs.name, name, to_string(shape), expected);
}

// The values of an array of this shape as T: f32 of any floating-point type, i64 of i32 and i64.
Tensor floats(const ExportedOutputs& outputs, const std::string& name, const Shape& shape) {
  const Tensor& found = array(outputs, name);
  if (found.shape() != shape) refuse_shape(outputs, name, found.shape(), to_string(shape));
  return to_f32(found);
}

Tensor integers(const ExportedOutputs& outputs, const std::string& name, const Shape& shape) {
  const Tensor& found = array(outputs, name);
  if (found.shape() != shape) refuse_shape(outputs, name, found.shape(), to_string(shape));
  if (found.dtype() == DType::i64) return found.clone();
  if (found.dtype() != DType::i32)
    throw Error("{}: {}: got {}, expected i64 or i32", outputs.name, name, name_of(found.dtype()));
  Tensor wide(DType::i64, shape);
  std::ranges::copy(found.as<std::int32_t>(), wide.as<std::int64_t>().begin());
  return wide;
}

// An output with values for every default box, and how far it is from ours.
class DenseOutput {
 public:
  DenseOutput(const ExportedOutputs& outputs, const std::string& name, std::int64_t images,
              std::int64_t parts)
      : name_(name), parts_(static_cast<std::size_t>(parts)), largest_(name, 0) {
    const Shape& shape = array(outputs, name).shape();
    const Shape boxes_first{images, default_boxes, parts}, parts_first{images, parts, default_boxes};
    if (shape != boxes_first && shape != parts_first)
      refuse_shape(outputs, name, shape, to_string(boxes_first) + " or " + to_string(parts_first));
    box_stride_ = shape == boxes_first ? parts_ : 1;
    part_stride_ = shape == boxes_first ? 1 : default_box_count;
    values_ = to_f32(array(outputs, name));
  }

  // `ours`: (8732, parts).
  void compare(std::size_t image, std::span<const double> ours) {
    const auto theirs = values_.as<float>().subspan(image * default_box_count * parts_);
    for (std::size_t box = 0; box < default_box_count; ++box)
      for (std::size_t part = 0; part < parts_; ++part) {
        const double value = ours[box * parts_ + part];
        if (std::isfinite(value)) {
          least_ = std::min(least_, value);
          most_ = std::max(most_, value);
        }
        const double error = difference(theirs[box * box_stride_ + part * part_stride_], value);
        if (largest_.exceeded_by(error))
          largest_.add(error, fmt::format("image {}, default box {}", image, box));
      }
  }

  VerifyRow row(double tolerance) const {
    VerifyRow row = largest_.row();
    if (row.error != 0) row.error /= most_ - least_;
    row.tolerance = tolerance;
    return row;
  }

 private:
  std::string name_;
  std::size_t parts_, box_stride_ = 0, part_stride_ = 0;
  Tensor values_;
  Largest largest_;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -least_;
};

// What the network says of one image.
struct ImageOutputs {
  TensorView loc, conf;  // f32 (1, 8732, 4) and (1, 8732, C)
};

// One way of exporting the outputs.
class Comparison {
 public:
  virtual ~Comparison() = default;
  virtual void compare(std::size_t image, const ImageOutputs& ours) = 0;
  virtual std::vector<VerifyRow> rows(double tolerance) const = 0;
};

// Two outputs that say something of every default box: loc and conf, or boxes and scores.
class DenseComparison : public Comparison {
 public:
  DenseComparison(DenseOutput places, DenseOutput classes)
      : places_(std::move(places)), classes_(std::move(classes)) {}

  void compare(std::size_t image, const ImageOutputs& ours) override {
    places_.compare(image, places_of(ours.loc.as<float>()));
    classes_.compare(image, classes_of(ours.conf.as<float>()));
  }
  std::vector<VerifyRow> rows(double tolerance) const override {
    return {places_.row(tolerance), classes_.row(tolerance)};
  }

 protected:
  virtual std::vector<double> places_of(std::span<const float> loc) const { return {loc.begin(), loc.end()}; }
  virtual std::vector<double> classes_of(std::span<const float> conf) const {
    return {conf.begin(), conf.end()};
  }

 private:
  DenseOutput places_, classes_;
};

class BoxComparison final : public DenseComparison {
 public:
  using DenseComparison::DenseComparison;

 private:
  std::vector<double> places_of(std::span<const float> loc) const override {
    std::vector<double> values;
    const auto centers = ssd300_default_boxes().centers();
    for (std::size_t i = 0; i < centers.size(); ++i) {
      const Box box = decode({loc[4 * i], loc[4 * i + 1], loc[4 * i + 2], loc[4 * i + 3]}, centers[i]);
      values.insert(values.end(), {box.left, box.top, box.right, box.bottom});
    }
    return values;
  }

  // The softmax of every box's logits.
  std::vector<double> classes_of(std::span<const float> conf) const override {
    std::vector<double> values(conf.begin(), conf.end());
    const std::size_t classes = values.size() / default_box_count;
    for (std::size_t first = 0; first < values.size(); first += classes) {
      const std::span<double> logits = std::span(values).subspan(first, classes);
      const double most = std::ranges::max(logits);
      double sum = 0;
      for (double& value : logits) sum += value = std::exp(value - most);
      for (double& value : logits) value /= sum;
    }
    return values;
  }
};

class DetectionComparison final : public Comparison {
 public:
  DetectionComparison(const ExportedOutputs& outputs, std::int64_t images, const ExportedOptions& options)
      : name_(outputs.name), options_(options), count_(integers(outputs, "count", {images})) {
    const Shape& shape = array(outputs, "scores").shape();
    if (shape.rank() != 2) refuse_shape(outputs, "scores", shape, fmt::format("({}, T)", images));
    const std::int64_t places = shape[1];
    boxes_ = floats(outputs, "boxes", {images, places, 4});
    scores_ = floats(outputs, "scores", {images, places});
    labels_ = integers(outputs, "labels", {images, places});
    for (const std::int64_t count : count_.as<std::int64_t>())
      if (count < 0 || count > places)
        throw Error("{}: count: got {}, expected 0 to {}, the places of an image", name_, count, places);
    options_.detector.total = static_cast<std::size_t>(std::max<std::int64_t>(places, 1));
  }

  void compare(std::size_t image, const ImageOutputs& ours) override {
    const std::vector<Detection> expected = detect({ours.loc, ours.conf}, options_.detector).front();
    const auto there = static_cast<std::size_t>(count_.as<std::int64_t>()[image]);
    std::vector<bool> taken(there, false);
    for (const Detection& detection : expected)
      for (std::size_t i = 0; i < there; ++i) {
        if (taken[i] || !is_same(detection, image, i)) continue;
        taken[i] = true;
        ++found_;
        break;
      }
    expected_ += expected.size();
    there_ += there;
  }

  std::vector<VerifyRow> rows(double) const override {
    const std::size_t all = std::max(expected_, there_);
    if (all == 0)
      throw Error("{}: got no detections, and the network has none: nothing was compared; take other images",
                  name_);
    return {{"detections missing", 1 - static_cast<double>(found_) / static_cast<double>(all),
             missing_tolerance, fmt::format("{} of {} found, {} in the file", found_, expected_, there_)}};
  }

 private:
  bool is_same(const Detection& detection, std::size_t image, std::size_t i) const {
    const std::size_t place = image * options_.detector.total + i;
    const double tolerance =
        options_.precision == DType::f32 ? least_score_tolerance : tolerance_of(options_.precision);
    if (labels_.as<std::int64_t>()[place] != detection.label ||
        !(std::abs(scores_.as<float>()[place] - detection.score) <= tolerance))
      return false;
    const auto box = boxes_.as<float>().subspan(4 * place, 4);
    const std::array sides{detection.box.left, detection.box.top, detection.box.right, detection.box.bottom};
    for (std::size_t k = 0; k < 4; ++k)
      if (!(std::abs(box[k] - sides[k]) <= 10 * tolerance)) return false;
    return true;
  }

  std::string name_;
  ExportedOptions options_;
  Tensor count_, boxes_, scores_, labels_;
  std::size_t found_ = 0, expected_ = 0, there_ = 0;
};

std::unique_ptr<Comparison> comparison_of(const ExportedOutputs& outputs, std::int64_t images,
                                          const TrainedModel& network, const ExportedOptions& options) {
  const std::int64_t classes = network.model.classes;
  if (outputs.has_detections()) return std::make_unique<DetectionComparison>(outputs, images, options);
  if (outputs.arrays.contains("loc"))
    return std::make_unique<DenseComparison>(DenseOutput(outputs, "loc", images, 4),
                                             DenseOutput(outputs, "conf", images, classes));
  return std::make_unique<BoxComparison>(DenseOutput(outputs, "boxes", images, 4),
                                         DenseOutput(outputs, "scores", images, classes));
}

}  // namespace

Tensor ExportedOutputs::images() const {
  const Tensor& found = array(*this, "images");
  const std::int64_t count = found.shape().rank() == 4 ? found.shape()[0] : 0;
  const Shape bytes{count, image_size, image_size, 3}, planes{count, 3, image_size, image_size};
  if (count > 0 && found.dtype() == DType::u8 && found.shape() == bytes) return found.clone();
  if (count == 0 || found.dtype() != DType::f32 || found.shape() != planes)
    throw Error("{}: images: got {} {}, expected u8 (N, 300, 300, 3) or f32 (N, 3, 300, 300)", name,
                name_of(found.dtype()), to_string(found.shape()));
  Tensor result(DType::u8, bytes);
  constexpr std::size_t area = std::size_t{image_size} * image_size;
  const auto values = found.as<float>();
  const auto pixels = result.as<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float level = values[i] * 255, whole = std::round(level);
    if (!(whole >= 0 && whole <= 255 && std::abs(level - whole) <= 0.01f))
      throw Error("{}: images: got the value {}, expected a byte divided by 255", name, values[i]);
    const std::size_t image = i / (3 * area), channel = i / area % 3;
    pixels[(image * area + i % area) * 3 + channel] = static_cast<std::uint8_t>(whole);
  }
  return result;
}

std::string rounding_note(float least_logit, float most_logit) {
  // Runtimes differ by this share of the logits' range (docs/export.md). Two logits that are so far off, one
  // up and one down, move their softmax by half of that where it is steepest.
  constexpr double rounding = 5e-6;
  const double moved = rounding * (static_cast<double>(most_logit) - least_logit) / 2;
  if (!(moved > least_score_tolerance)) return "";
  return fmt::format(
      "the network's logits reach from {:.0f} to {:.0f}, and rounding alone may move scores by {:.1e}, "
      "change the order of "
      "equal ones, and with it what NMS keeps; compare raw outputs (export --postprocess none), or train for "
      "longer",
      least_logit, most_logit, moved);
}

VerifyReport verify_exported(const ExportedOutputs& outputs, const Tensor& images, graph::Device& device,
                             const TrainedModel& network, const ExportedOptions& options) {
  const std::int64_t count = images.shape()[0];
  const std::unique_ptr<Comparison> comparison = comparison_of(outputs, count, network, options);
  Predictor predictor(device, network.model, {.batch = std::min(options.batch, count)});
  predictor.load(network.weights);
  Tensor batch(DType::u8, {predictor.batch(), image_size, image_size, 3});
  float least = std::numeric_limits<float>::infinity(), most = -least;  // logits
  for (std::int64_t first = 0; first < count; first += predictor.batch()) {
    if (options.progress) options.progress(first, count);
    const std::int64_t valid = std::min(predictor.batch(), count - first);
    const TensorView part = TensorView(images).slices(first, valid);
    std::memcpy(batch.data(), part.data, part.bytes());
    predictor.start(batch);
    const std::vector<Tensor> found = predictor.finish_outputs();
    const TensorView loc = found[0], conf = found[1];
    const auto logits = conf.slices(0, valid).as<float>();
    least = std::min(least, std::ranges::min(logits));
    most = std::max(most, std::ranges::max(logits));
    for (std::int64_t i = 0; i < valid; ++i)
      comparison->compare(static_cast<std::size_t>(first + i), {loc.slices(i, 1), conf.slices(i, 1)});
  }
  VerifyReport report{.backbone = network.model.backbone,
                      .arithmetic = std::string(name_of(options.precision)),
                      .rows = comparison->rows(tolerance_of(options.precision)),
                      .note = ""};
  if (!report.ok() && !outputs.arrays.contains("conf")) report.note = rounding_note(least, most);
  return report;
}

VerifyRow compare_images(const Tensor& theirs, const Tensor& ours) {
  if (theirs.shape() != ours.shape())
    throw Error("images: got {} in the file, expected {}, those that were named", theirs.shape()[0],
                ours.shape()[0]);
  Largest largest("images, in levels", 1);
  const auto a = theirs.as<std::uint8_t>(), b = ours.as<std::uint8_t>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - b[i]);
    if (largest.exceeded_by(error))
      largest.add(error, fmt::format("image {}", i / (3 * std::size_t{image_size} * image_size)));
  }
  return largest.row();
}

}  // namespace ssd
