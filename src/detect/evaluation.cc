#include "detect/evaluation.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "detect/batches_in_flight.h"
#include "detect/id_ranks.h"
#include "eval/detections_json.h"

namespace ssd {
namespace {

nlohmann::ordered_json numbers_json(const CocoNumbers& numbers, const CocoLimits& limits) {
  nlohmann::ordered_json json;
  const auto names = coco_number_names_of(limits);
  for (std::size_t i = 0; i < numbers.size(); ++i) json[names[i]] = numbers[i];
  return json;
}

// The categories' names in the order of `ids`, each with its id where that alone tells two apart.
std::vector<std::string> category_names(const CocoFile& coco, const std::vector<std::int64_t>& ids) {
  std::map<std::int64_t, const CocoCategory*> category_of;
  for (const CocoCategory& category : coco.categories) category_of[category.id] = &category;
  std::map<std::string, int> uses;
  for (const auto& [id, category] : category_of) ++uses[category->name];
  std::vector<std::string> names;
  for (const std::int64_t id : ids) {
    const CocoCategory& category = *category_of.at(id);
    std::string name = category.name;
    // Again, should the longer name be another category's.
    for (const bool shared = uses[name] > 1; shared && uses.contains(name);)
      name += fmt::format(" ({})", written_id(category));
    names.push_back(std::move(name));
  }
  return names;
}

// The categories that objects are of: all others have no precision, and their curves would only take room.
std::vector<std::int64_t> categories_with_objects(const std::vector<std::int64_t>& ids,
                                                  const std::vector<GroundTruthBox>& boxes) {
  std::unordered_set<std::int64_t> seen;
  for (const GroundTruthBox& box : boxes) seen.insert(box.category_id);
  std::vector<std::int64_t> found;
  std::ranges::copy_if(ids, std::back_inserter(found), [&](std::int64_t id) { return seen.contains(id); });
  return found;
}

// Of all categories, -1 for those that were not evaluated; ids ascend, each once.
std::vector<CategoryPrecision> precision_of(const CocoFile& ground_truth, std::vector<std::int64_t> ids,
                                            const CocoEvalResult& result) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const std::vector<std::string> names = category_names(ground_truth, ids);
  const std::vector<double> precision = average_precision_of_categories(result);
  std::vector<CategoryPrecision> found;
  for (std::size_t i = 0, k = 0; i < ids.size(); ++i) {
    const bool evaluated = k < result.category_ids.size() && result.category_ids[k] == ids[i];
    found.push_back({names[i], evaluated ? precision[k++] : -1});
  }
  return found;
}

// Detections of images, each by its place in the data set.
struct Found {
  std::vector<std::uint32_t> samples;  // of each box
  std::vector<DetectedBox> boxes;
};

template <typename Value>
std::vector<Value> gathered(const std::vector<Value>& own, Communicator& communicator) {
  static_assert(std::is_trivially_copyable_v<Value>);
  const std::string bytes(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(Value));
  std::vector<Value> all;
  for (const std::string& part : communicator.gather(bytes)) {
    const std::size_t before = all.size();
    all.resize(before + part.size() / sizeof(Value));
    std::copy(part.begin(), part.end(), reinterpret_cast<char*>(all.data() + before));
  }
  return all;
}

// The detections of all processes on rank 0, in the data set's order, as one process alone has them.
std::vector<DetectedBox> gathered(const Found& own, Communicator& communicator) {
  const std::vector<std::uint32_t> samples = gathered(own.samples, communicator);
  const std::vector<DetectedBox> boxes = gathered(own.boxes, communicator);
  std::vector<std::size_t> order(boxes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return samples[i]; });
  std::vector<DetectedBox> all;
  all.reserve(order.size());
  for (const std::size_t i : order) all.push_back(boxes[i]);
  return all;
}

}  // namespace

std::vector<DetectedBox> detect_set(Predictor& predictor, const Dataset& dataset,
                                    const DetectSetOptions& options) {
  Loader loader(dataset, {.mode = LoaderOptions::Mode::evaluate,
                          .batch_size = static_cast<int>(predictor.batch()),
                          .threads = options.threads,
                          .buffers = predictor.depth() + 2,
                          .rank = options.communicator ? options.communicator->rank() : 0,
                          .world = options.communicator ? options.communicator->size() : 1,
                          .bad_images = options.bad_images,
                          .on_bad_image = options.on_bad_image});
  ThreadPool pool(options.threads);
  std::deque<Loader::BatchPointer> batches;  // in flight
  BatchesInFlight in_flight(predictor);
  Found found;
  std::vector<std::int64_t> category_ids;
  for (const CocoCategory& category : dataset.categories) category_ids.push_back(category.id);
  const auto processes = static_cast<std::uint64_t>(options.communicator ? options.communicator->size() : 1);
  std::uint64_t done = 0;  // the others are as far as this one
  const auto finish_oldest = [&] {
    const std::vector<Tensor> outputs = in_flight.finish();
    const Loader::BatchPointer pointer = std::move(batches.front());
    batches.pop_front();
    const Batch& batch = *pointer;
    const auto detections = predictor.detections(outputs, 0, batch.valid, &pool);
    for (std::size_t i = 0; i < detections.size(); ++i) {
      if (batch.sample_indices[i] == Batch::no_sample) continue;
      const Sample& sample = dataset.samples[batch.sample_indices[i]];
      for (const Detection& detection : detections[i])
        found.boxes.push_back(
            to_coco(detection, {sample.image_id, sample.width, sample.height, category_ids}));
      found.samples.resize(found.boxes.size(), batch.sample_indices[i]);
    }
    done += static_cast<std::uint64_t>(batch.valid) * processes;
    if (options.progress)
      options.progress(std::min<std::uint64_t>(done, dataset.samples.size()), dataset.samples.size());
    if (options.stop && options.stop()) throw Error("evaluation: stopped before its end");
  };
  while (Loader::BatchPointer batch = loader.next()) {
    batches.push_back(std::move(batch));
    in_flight.start(batches.back()->images);
    if (in_flight.full()) finish_oldest();
  }
  while (!in_flight.empty()) finish_oldest();
  if (loader.bad_images() == dataset.samples.size())
    throw Error("{}: none of the {} images could be read; is the image folder right?",
                dataset.samples.front().file, dataset.samples.size());
  return options.communicator ? gathered(found, *options.communicator) : found.boxes;
}

namespace {

// Ids sort as they are to be taken.
EvaluationReport evaluate_sorted(const CocoFile& ground_truth, const std::vector<DetectedBox>& detections,
                                 const EvaluateOptions& options) {
  CocoEvalResult* const arrays = options.arrays;
  std::vector<std::int64_t> images, categories;
  std::vector<GroundTruthBox> boxes;
  for (const CocoImage& image : ground_truth.images) images.push_back(image.id);
  for (const CocoCategory& category : ground_truth.categories) categories.push_back(category.id);
  for (const CocoAnnotation& a : ground_truth.annotations)
    boxes.push_back({a.id, a.image_id, a.category_id, a.bbox, a.area, a.iscrowd});

  EvaluationReport report{.images = images.size(), .detections = detections.size(), .limits = options.limits};
  const std::vector<std::int64_t> used = categories_with_objects(categories, boxes);
  using Scores = CocoEvalInput::Scores;
  const CocoEvaluation evaluation({.image_ids = images,
                                   .category_ids = arrays != nullptr ? categories : used,
                                   .ground_truth = boxes,
                                   .detections = detections,
                                   .settings = {.limits = options.limits}},
                                  options.pool);
  {
    CocoEvalResult all =
        evaluation.curves(CocoEvaluation::Images::all, arrays != nullptr ? Scores::kept : Scores::dropped);
    report.numbers = summarize(all);
    report.categories = precision_of(ground_truth, categories, all);
    if (arrays != nullptr) *arrays = std::move(all);
  }
  report.images_with_boxes = evaluation.images_with_objects();
  report.numbers_with_boxes =
      evaluation.all_alike()
          ? report.numbers
          : summarize(evaluation.curves(CocoEvaluation::Images::with_objects, Scores::dropped));
  return report;
}

}  // namespace

EvaluationReport evaluate_detections(const CocoFile& ground_truth, const std::vector<DetectedBox>& detections,
                                     const EvaluateOptions& options) {
  const IdRanks images(ground_truth.images), categories(ground_truth.categories);
  if (!images.needed() && !categories.needed()) return evaluate_sorted(ground_truth, detections, options);
  CocoFile ranked = ground_truth;
  std::vector<DetectedBox> ranked_detections = detections;
  const auto rank = [&](auto& one) {
    one.image_id = images.of(one.image_id);
    one.category_id = categories.of(one.category_id);
  };
  for (CocoImage& image : ranked.images) image = {.id = images.of(image.id)};
  for (CocoCategory& category : ranked.categories) category.id = categories.of(category.id);
  std::ranges::for_each(ranked.annotations, rank);
  std::ranges::for_each(ranked_detections, rank);
  return evaluate_sorted(ranked, ranked_detections, options);
}

std::string to_text(const EvaluationReport& report) {
  std::string text = fmt::format("{:<6} {:>10} {:>18}\n", "", counted(report.images, "image[s]"),
                                 fmt::format("{} with boxes", report.images_with_boxes));
  const auto names = coco_number_names_of(report.limits);
  for (std::size_t i = 0; i < coco_number_count; ++i)
    text +=
        fmt::format("{:<6} {:>10.4f} {:>18.4f}\n", names[i], report.numbers[i], report.numbers_with_boxes[i]);
  if (report.bad_images > 0)
    text +=
        counted(report.bad_images, "image[s] could not be read and [counts|count] as without detections\n");
  return text;
}

std::string to_json(const EvaluationReport& report) {
  nlohmann::ordered_json::object_t categories;  // their names differ, and looking for each takes long
  categories.reserve(report.categories.size());
  for (const CategoryPrecision& category : report.categories)
    static_cast<std::vector<nlohmann::ordered_json::object_t::value_type>&>(categories)
        .emplace_back(category.name, category.average_precision);
  return nlohmann::ordered_json{
      {"images", report.images},
      {"images_with_boxes", report.images_with_boxes},
      {"bad_images", report.bad_images},
      {"detections", report.detections},
      {"numbers", numbers_json(report.numbers, report.limits)},
      {"numbers_with_boxes", numbers_json(report.numbers_with_boxes, report.limits)},
      {"categories", std::move(categories)}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ssd
