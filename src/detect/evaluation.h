// A network's detections on a whole data set, and what they are worth.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/communicator.h"
#include "data/dataset/coco.h"
#include "data/dataset/dataset.h"
#include "data/loader/loader.h"
#include "detect/predictor.h"
#include "eval/coco_summary.h"

namespace ssd {

struct DetectSetOptions {
  int threads = 1;                       // that decode images
  Communicator* communicator = nullptr;  // the processes that share the set; null: this one alone
  LoaderOptions::BadImages bad_images = LoaderOptions::BadImages::replace;  // replace: passed over
  std::function<void(const BadImage&)> on_bad_image;
  std::function<void(std::uint64_t done, std::uint64_t of)> progress;  // images
  std::function<bool()> stop;                                          // true: give up with an Error
};

// Every process looks at its share of the images; rank 0 gets the detections of all, the others none.
// Detections in pixels of the annotated images, with the categories' ids; boxes may reach over the edge.
// Throws Error where no image at all can be read.
std::vector<DetectedBox> detect_set(Predictor& predictor, const Dataset& dataset,
                                    const DetectSetOptions& options);

struct CategoryPrecision {
  std::string name;               // with the id behind it, "bat (2)", where categories share a name
  double average_precision = -1;  // -1: no object of it in the set
};

struct EvaluationReport {
  std::size_t images = 0;             // of the annotation file
  std::size_t images_with_boxes = 0;  // of them, those with at least one annotation
  std::size_t bad_images = 0;         // could not be read; whoever detected fills it in
  std::size_t detections = 0;
  CocoLimits limits = coco_limits;   // detections of a category in an image
  CocoNumbers numbers{};             // over all images
  CocoNumbers numbers_with_boxes{};  // over those with boxes: the recipe's habit
  std::vector<CategoryPrecision> categories;
};

struct EvaluateOptions {
  ThreadPool* pool = nullptr;
  // Takes the curves of all categories over all images, which of thousands of categories take gigabytes.
  CocoEvalResult* arrays = nullptr;
  CocoLimits limits = coco_limits;
};

// Detections of images that the annotations do not list are passed over.
EvaluationReport evaluate_detections(const CocoFile& ground_truth, const std::vector<DetectedBox>& detections,
                                     const EvaluateOptions& options = {});

std::string to_text(const EvaluationReport& report);  // a table of both ways of counting
std::string to_json(const EvaluationReport& report);  // one object

}  // namespace ssd
