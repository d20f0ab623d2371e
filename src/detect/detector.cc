#include "detect/detector.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "base/finite.h"
#include "boxes/candidates.h"
#include "boxes/decode.h"
#include "boxes/default_boxes.h"
#include "boxes/nms.h"

namespace ssd {
namespace {

bool scores_higher(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.box < b.box;
}

void keep_best(std::vector<Candidate>& candidates, std::size_t count) {
  if (candidates.size() > count) {
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(candidates.begin(), last, candidates.end(), scores_higher);
    candidates.resize(count);
  }
  std::sort(candidates.begin(), candidates.end(), scores_higher);
}

// One image's default boxes: loc (8732, 4), conf (8732, C).
std::vector<Detection> detect_image(std::span<const float> loc, std::span<const float> conf,
                                    const DetectorOptions& options) {
  const auto defaults = ssd300_default_boxes().centers();
  std::vector<std::vector<Candidate>> by_class;
  find_candidates(conf, {.classes = conf.size() / default_box_count, .score = options.score}, by_class);

  std::vector<Detection> detections;
  std::vector<Box> boxes;
  std::vector<std::size_t> kept;
  NmsScratch scratch;
  for (std::size_t label = 1; label < by_class.size(); ++label) {
    std::vector<Candidate>& candidates = by_class[label];
    if (candidates.empty()) continue;
    keep_best(candidates, options.per_class);
    boxes.clear();
    for (const Candidate& candidate : candidates) {
      const float* offsets = loc.data() + 4 * static_cast<std::size_t>(candidate.box);
      boxes.push_back(decode({offsets[0], offsets[1], offsets[2], offsets[3]}, defaults[candidate.box]));
    }
    nms(boxes, options.iou, scratch, kept);
    for (const std::size_t k : kept) {
      detections.push_back({boxes[k], static_cast<std::int32_t>(label), candidates[k].score});
    }
  }
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  if (detections.size() > options.total) detections.resize(options.total);
  return detections;
}

bool has_finite_box(const Detection& detection) {
  const Box& box = detection.box;
  return std::isfinite(box.left) && std::isfinite(box.top) && std::isfinite(box.right) &&
         std::isfinite(box.bottom);
}

void check(const NetworkOutputs& outputs, const DetectorOptions& options) {
  const Shape& loc = outputs.loc.shape;
  const Shape& conf = outputs.conf.shape;
  const auto boxes = static_cast<std::int64_t>(default_box_count);
  if (outputs.loc.dtype != DType::f32 || loc.rank() != 3 || loc[1] != boxes || loc[2] != 4) {
    throw Error("detect: loc: got {} {}, expected f32 (N, {}, 4)", name_of(outputs.loc.dtype), to_string(loc),
                boxes);
  }
  if (outputs.conf.dtype != DType::f32 || conf.rank() != 3 || conf[0] != loc[0] || conf[1] != boxes ||
      conf[2] < 2) {
    throw Error("detect: conf: got {} {}, expected f32 ({}, {}, C) with at least 2 classes",
                name_of(outputs.conf.dtype), to_string(conf), loc[0], boxes);
  }
  if (!(options.score >= 0 && options.score < 1)) {
    throw Error("detect: score threshold: got {}, expected 0 <= score < 1", options.score);
  }
  if (!(options.iou >= 0 && options.iou <= 1)) {
    throw Error("detect: NMS overlap: got {}, expected 0 <= iou <= 1", options.iou);
  }
}

}  // namespace

std::vector<std::vector<Detection>> detect(const NetworkOutputs& outputs, const DetectorOptions& options,
                                           ThreadPool* pool) {
  check(outputs, options);
  const auto loc = outputs.loc.as<float>();
  const auto conf = outputs.conf.as<float>();
  const auto images = static_cast<std::size_t>(outputs.loc.shape[0]);
  const std::size_t loc_size = default_box_count * 4;
  const std::size_t conf_size = default_box_count * static_cast<std::size_t>(outputs.conf.shape[2]);
  std::vector<std::vector<Detection>> detections(images);
  const auto run = [&](std::size_t i) {
    detections[i] =
        detect_image(loc.subspan(i * loc_size, loc_size), conf.subspan(i * conf_size, conf_size), options);
    // Finite offsets may still be too large to make a box of.
    const bool finite = is_finite(loc.subspan(i * loc_size, loc_size)) &&
                        is_finite(conf.subspan(i * conf_size, conf_size)) &&
                        std::ranges::all_of(detections[i], has_finite_box);
    if (!finite)
      throw Error(
          "network outputs: got values that are NaN or infinite for {}, expected numbers; are these the "
          "weights of a run that diverged?",
          images == 1 ? "an image" : fmt::format("image {} of a batch", i + 1));
  };
  if (pool != nullptr) {
    pool->parallel_for(images, run);
  } else {
    for (std::size_t i = 0; i < images; ++i) run(i);
  }
  return detections;
}

DetectedBox to_coco(const Detection& detection, const AnnotatedImage& image) {
  if (detection.label < 1 || static_cast<std::size_t>(detection.label) > image.category_ids.size()) {
    throw Error(
        "image {}: got label {}, expected 1 to {}; use the categories that the network was trained on",
        image.id, detection.label, image.category_ids.size());
  }
  const Box& box = detection.box;
  const double left = static_cast<double>(box.left) * image.width;
  const double top = static_cast<double>(box.top) * image.height;
  return {.image_id = image.id,
          .category_id = image.category_ids[static_cast<std::size_t>(detection.label) - 1],
          .box = {left, top, static_cast<double>(box.right) * image.width - left,
                  static_cast<double>(box.bottom) * image.height - top},
          .score = static_cast<double>(detection.score)};
}

}  // namespace ssd
