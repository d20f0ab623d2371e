// singleshot._core.Detector.
#include <nanobind/stl/string.h>

#include <memory>
#include <optional>
#include <string>

#include "api/shared_detector.h"
#include "base/error.h"
#include "base/one_line.h"
#include "bindings.h"

namespace ssd::python {
namespace {

using Pixels = nb::ndarray<const std::uint8_t, nb::device::cpu>;

ChannelOrder order_named(const std::string& name) {
  for (const auto& [known, order] : {std::pair{"rgb", ChannelOrder::rgb},
                                     {"bgr", ChannelOrder::bgr},
                                     {"rgba", ChannelOrder::rgba},
                                     {"bgra", ChannelOrder::bgra},
                                     {"gray", ChannelOrder::gray}})
    if (name == known) return order;
  throw Error("order: got '{}', expected rgb, bgr, rgba, bgra or gray", name);
}

// (height, width, channels) with any distance between the rows; the rows themselves without gaps.
PixelBuffer pixels_of(const Pixels& array, const std::string& order_name) {
  const ChannelOrder order = order_named(order_name);
  const std::size_t channels = channels_of(order);
  if (array.ndim() != 3 || array.shape(2) != channels)
    throw Error("image: got an array of {} dimensions, {} channels, expected (height, width, {}) for {}",
                array.ndim(), array.ndim() == 3 ? array.shape(2) : 0, channels, order_name);
  // numpy gives an axis of one element any stride.
  if ((channels > 1 && array.stride(2) != 1) || array.stride(1) != static_cast<std::int64_t>(channels))
    throw Error("image: got pixels with gaps, expected rows without");
  for (const std::size_t axis : {0u, 1u})
    if (array.shape(axis) > (std::size_t{1} << 30))
      throw Error("image: got {} pixels a side", array.shape(axis));
  return {.data = array.data(),
          .width = static_cast<int>(array.shape(1)),
          .height = static_cast<int>(array.shape(0)),
          .stride = array.shape(0) > 1 ? static_cast<std::ptrdiff_t>(array.stride(0)) : 0,
          .order = order};
}

InputImage input_of(nb::handle image, const std::string& order) {
  if (nb::isinstance<nb::tuple>(image)) {
    const auto path = nb::cast<nb::bytes>(nb::borrow<nb::tuple>(image)[0]);
    return ImageFile{std::string(path.c_str(), path.size())};
  }
  if (nb::isinstance<nb::bytes>(image)) {
    const auto bytes = nb::borrow<nb::bytes>(image);
    return EncodedImage{{static_cast<const std::byte*>(bytes.data()), bytes.size()}};
  }
  return pixels_of(nb::cast<Pixels>(image), order);
}

// boxes (N, 4), scores (N), labels (N), category ids (N), width, height, error.
nb::tuple tuple_of(const ImageResult& result) {
  std::vector<float> boxes, scores;
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> ids;
  for (const DetectedObject& object : result.found.objects) {
    boxes.insert(boxes.end(), {object.left, object.top, object.right, object.bottom});
    scores.push_back(object.score);
    labels.push_back(object.label);
    ids.push_back(object.category.id);
  }
  const std::size_t n = scores.size();
  return nb::make_tuple(array_of(std::move(boxes), n, 4), array_of(std::move(scores), n),
                        array_of(std::move(labels), n), array_of(std::move(ids), n), result.found.width,
                        result.found.height, one_line(result.error));
}

// `images` holds tuples of a path as bytes, bytes of files, and arrays; all stay as they are while the
// network runs.
nb::list detect(SharedDetector& detector, const nb::list& images, const std::string& order,
                const DetectorOptions& options) {
  std::vector<InputImage> inputs;
  for (const nb::handle image : images) inputs.push_back(input_of(image, order));
  std::vector<ImageResult> results;
  {
    const nb::gil_scoped_release release;
    results = detector.detect(inputs, options);
  }
  nb::list list;
  for (const ImageResult& result : results) list.append(tuple_of(result));
  return list;
}

std::optional<model::StrideIn> stride_named(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return model::stride_in_named(name);
}

struct PythonDetector {
  std::shared_ptr<SharedDetector> shared;
};

void construct(PythonDetector* self, const nb::bytes& path, int threads, std::int64_t batch,
               const std::string& stride_in, const std::string& precision) {
  const SharedDetector::Options options{.threads = threads,
                                        .batch = batch,
                                        .stride_in = stride_named(stride_in),
                                        .precision = precision == "bf16" ? DType::bf16 : DType::f32};
  const std::filesystem::path file(std::string(path.c_str(), path.size()));
  const nb::gil_scoped_release release;
  new (self) PythonDetector{made_in_this_process<SharedDetector>(file, options)};
}

}  // namespace

void bind_detector(nb::module_& module) {
  nb::class_<PythonDetector>(module, "Detector")
      .def("__init__", &construct, nb::arg("path"), nb::arg("threads"), nb::arg("batch"),
           nb::arg("stride_in"), nb::arg("precision"))
      .def(
          "detect",
          [](PythonDetector& self, const nb::list& images, const std::string& order, float score, float iou,
             std::size_t most) {
            return detect(*self.shared, images, order, {.score = score, .iou = iou, .total = most});
          },
          nb::arg("images"), nb::arg("order"), nb::arg("score"), nb::arg("iou"), nb::arg("most"))
      .def("categories", [](const PythonDetector& self) {
        // Names need not be UTF-8.
        nb::list list;
        for (const CocoCategory& one : self.shared->categories())
          list.append(nb::make_tuple(one.id, nb::bytes(one.name.data(), one.name.size())));
        return list;
      });
}

}  // namespace ssd::python
