// singleshot._core.evaluate_coco and the mean of its curves.
#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/thread_pool.h"
#include "bindings.h"
#include "eval/coco_eval.h"
#include "eval/coco_summary.h"

namespace ssd::python {
namespace {

using Ids = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require_rows(const char* name, std::size_t got, std::size_t expected) {
  if (got != expected) throw Error("{}: got {} rows, expected {}", name, got, expected);
}

void require_columns(const char* name, const Rows& rows, std::size_t expected) {
  if (rows.shape(1) != expected)
    throw Error("{}: got {} columns, expected {}", name, rows.shape(1), expected);
}

PixelBox box_of(const Rows& boxes, std::size_t row) {
  const double* at = boxes.data() + 4 * row;
  return {at[0], at[1], at[2], at[3]};
}

struct Objects {
  Ids ids, images, categories, crowds;
  Rows boxes;
  Numbers areas;
};

std::vector<GroundTruthBox> ground_truth_of(const Objects& objects) {
  const std::size_t n = objects.ids.shape(0);
  for (const auto& column : {objects.images, objects.categories, objects.crowds})
    require_rows("ground truth", column.shape(0), n);
  require_rows("ground truth", objects.boxes.shape(0), n);
  require_columns("ground truth: bbox", objects.boxes, 4);
  require_rows("ground truth", objects.areas.shape(0), n);
  std::vector<GroundTruthBox> list(n);
  for (std::size_t i = 0; i < n; ++i)
    list[i] = {objects.ids(i),           objects.images(i), objects.categories(i),
               box_of(objects.boxes, i), objects.areas(i),  objects.crowds(i) != 0};
  return list;
}

struct Found {
  Ids images, categories;
  Rows boxes;
  Numbers scores;
};

std::vector<DetectedBox> detections_of(const Found& found) {
  const std::size_t n = found.images.shape(0);
  require_rows("detections", found.categories.shape(0), n);
  require_rows("detections", found.boxes.shape(0), n);
  require_columns("detections: bbox", found.boxes, 4);
  require_rows("detections", found.scores.shape(0), n);
  std::vector<DetectedBox> list(n);
  for (std::size_t i = 0; i < n; ++i)
    list[i] = {found.images(i), found.categories(i), box_of(found.boxes, i), found.scores(i)};
  return list;
}

struct Axes {
  Numbers iou_thresholds, recall_thresholds;
  Rows areas;
  Ids limits;
};

CocoSettings settings_of(const Axes& axes) {
  CocoSettings settings;
  require_rows("iouThrs", axes.iou_thresholds.shape(0), coco_iou_count);
  require_rows("recThrs", axes.recall_thresholds.shape(0), coco_recall_count);
  require_rows("areaRng", axes.areas.shape(0), coco_area_count);
  require_columns("areaRng", axes.areas, 2);
  require_rows("maxDets", axes.limits.shape(0), coco_limit_count);
  std::copy_n(axes.iou_thresholds.data(), coco_iou_count, settings.iou_thresholds.begin());
  std::copy_n(axes.recall_thresholds.data(), coco_recall_count, settings.recall_thresholds.begin());
  for (std::size_t a = 0; a < coco_area_count; ++a) settings.areas[a] = {axes.areas(a, 0), axes.areas(a, 1)};
  for (std::size_t m = 0; m < coco_limit_count; ++m)
    settings.limits[m] = static_cast<std::size_t>(std::max<std::int64_t>(axes.limits(m), 0));
  return settings;
}

// precision (T, R, K, A, M), recall (T, K, A, M), scores (T, R, K, A, M).
nb::tuple evaluate(const Objects& objects, const Found& found, const Axes& axes, std::int64_t images,
                   std::int64_t categories, int threads) {
  const std::vector<GroundTruthBox> ground_truth = ground_truth_of(objects);
  const std::vector<DetectedBox> detections = detections_of(found);
  const CocoSettings settings = settings_of(axes);
  CocoEvalResult result;
  {
    const nb::gil_scoped_release release;
    const auto upto = [](std::int64_t count) {
      std::vector<std::int64_t> ids(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
      return ids;
    };
    const std::vector<std::int64_t> image_ids = upto(images), category_ids = upto(categories);
    ThreadPool pool(threads > 0 ? threads : available_processors());
    result = evaluate_coco({.image_ids = image_ids,
                            .category_ids = category_ids,
                            .ground_truth = ground_truth,
                            .detections = detections,
                            .settings = settings},
                           &pool);
  }
  const std::size_t t = coco_iou_count, r = coco_recall_count, k = result.category_ids.size(),
                    a = coco_area_count, m = coco_limit_count;
  return nb::make_tuple(array_of(std::move(result.precision), t, r, k, a, m),
                        array_of(std::move(result.recall), t, k, a, m),
                        array_of(std::move(result.scores), t, r, k, a, m));
}

// The value of a dictionary's key, borrowed; null where it has none. Throws what Python raised.
PyObject* value_of(nb::handle annotation, nb::handle key) {
  if (!PyDict_Check(annotation.ptr()))
    throw nb::type_error("annotations: got something else in their list, expected dictionaries");
  PyObject* value = PyDict_GetItemWithError(annotation.ptr(), key.ptr());
  if (value == nullptr && PyErr_Occurred() != nullptr) throw nb::python_error();
  return value;
}

double number_of(PyObject* value) {
  const double number = PyFloat_AsDouble(value);
  if (number == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return number;
}

// Of each annotation the number under `key`, or `otherwise`, where that is no None; a KeyError where it is.
auto numbers_of(const nb::list& annotations, const nb::str& key, nb::handle otherwise) {
  const std::size_t n = annotations.size();
  std::vector<double> numbers(n);
  for (std::size_t i = 0; i < n; ++i) {
    PyObject* value = value_of(annotations[i], key);
    if (value == nullptr && otherwise.is_none()) throw nb::key_error(key.c_str());
    numbers[i] = number_of(value != nullptr ? value : otherwise.ptr());
  }
  return array_of(std::move(numbers), n);
}

// Of each annotation what `positions` has for the value under `key`; -1 where it has nothing.
auto positions_of(const nb::list& annotations, const nb::str& key, const nb::dict& positions) {
  const std::size_t n = annotations.size();
  std::vector<std::int64_t> found(n, -1);
  for (std::size_t i = 0; i < n; ++i) {
    PyObject* value = value_of(annotations[i], key);
    if (value == nullptr) throw nb::key_error(key.c_str());
    PyObject* position = PyDict_GetItemWithError(positions.ptr(), value);
    if (position != nullptr)
      found[i] = nb::cast<std::int64_t>(nb::handle(position));
    else if (PyErr_Occurred() != nullptr)
      throw nb::python_error();
  }
  return array_of(std::move(found), n);
}

// (N, 4): of each annotation its bbox.
auto boxes_of(const nb::list& annotations) {
  const std::size_t n = annotations.size();
  const nb::str key("bbox");
  std::vector<double> boxes(4 * n);
  for (std::size_t i = 0; i < n; ++i) {
    PyObject* value = value_of(annotations[i], key);
    if (value == nullptr) throw nb::key_error("bbox");
    const nb::object box = nb::steal(PySequence_Fast(value, "bbox: expected a list of four numbers"));
    if (!box.is_valid()) throw nb::python_error();
    if (PySequence_Fast_GET_SIZE(box.ptr()) != 4)
      throw Error("bbox: got {} numbers, expected 4: left, top, width, height",
                  PySequence_Fast_GET_SIZE(box.ptr()));
    for (Py_ssize_t c = 0; c < 4; ++c)
      boxes[4 * i + static_cast<std::size_t>(c)] = number_of(PySequence_Fast_GET_ITEM(box.ptr(), c));
  }
  return array_of(std::move(boxes), n, 4);
}

}  // namespace

void bind_coco(nb::module_& module) {
  module.def("numbers_of", &numbers_of, nb::arg(), nb::arg(), nb::arg().none());
  module.def("positions_of", &positions_of);
  module.def("boxes_of", &boxes_of);
  // Images and categories are their positions among those that are evaluated.
  module.def("evaluate_coco",
             [](Ids ids, Ids images, Ids categories, Rows boxes, Numbers areas, Ids crowds, Ids found_images,
                Ids found_categories, Rows found_boxes, Numbers scores, Numbers iou_thresholds,
                Numbers recall_thresholds, Rows area_ranges, Ids limits, std::int64_t image_count,
                std::int64_t category_count, int threads) {
               return evaluate({ids, images, categories, crowds, boxes, areas},
                               {found_images, found_categories, found_boxes, scores},
                               {iou_thresholds, recall_thresholds, area_ranges, limits}, image_count,
                               category_count, threads);
             });
}

}  // namespace ssd::python
