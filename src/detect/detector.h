// From the network's outputs to detections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "boxes/box.h"
#include "eval/coco_eval.h"

namespace ssd {

struct Detection {
  Box box;                 // normalized coordinates; may reach beyond 0..1
  std::int32_t label = 0;  // 1 .. C - 1
  float score = 0;         // softmax score, 0..1
};

// What the network says of a batch of N images: offsets and class logits of every default box.
struct NetworkOutputs {
  TensorView loc;   // f32 (N, 8732, 4): offsets dcx, dcy, log width, log height
  TensorView conf;  // f32 (N, 8732, C): logits, class 0 the background
};

struct DetectorOptions {
  float score = 0.05f;          // detections score above this; 0 <= score < 1
  std::size_t per_class = 200;  // boxes of a class, by falling score, that go into NMS
  float iou = 0.5f;             // NMS suppresses above this overlap
  std::size_t total = 200;      // detections of an image, by falling score
};

// The detections of each image, by falling score (equal scores: lower label first). Softmax, then a class:
// threshold, top per_class, greedy NMS; then the top of all classes together. Images run on the pool where
// there is one. Throws Error for outputs of other shapes or that are not finite, and for options out of
// range.
std::vector<std::vector<Detection>> detect(const NetworkOutputs& outputs, const DetectorOptions& options = {},
                                           ThreadPool* pool = nullptr);

// An image and how the network's labels are called in its annotations.
struct AnnotatedImage {
  std::int64_t id = 0;
  int width = 0, height = 0;                   // pixels
  std::span<const std::int64_t> category_ids;  // of labels 1, 2, ...
};

// A detection in the image's pixels and COCO's ids. Throws Error for a label without a category.
DetectedBox to_coco(const Detection& detection, const AnnotatedImage& image);

}  // namespace ssd
