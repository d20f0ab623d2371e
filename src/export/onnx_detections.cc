#include "export/onnx_detections.h"

#include <algorithm>

#include "boxes/default_boxes.h"
#include "boxes/ssd300.h"

namespace ssd::onnx {
namespace {

using Axes = std::vector<std::int64_t>;

constexpr auto boxes_of_all_maps = static_cast<std::int64_t>(default_box_count);

class OutputWriter {
 public:
  OutputWriter(Model& model, const NetworkValues& network, std::int64_t classes, const ExportOptions& options)
      : model_(model),
        network_(network),
        classes_(classes),
        options_(options),
        batch_(batch_dimension(options)) {}

  void append() {
    switch (options_.postprocess) {
      case ExportOptions::Postprocess::none:
        result(network_.loc, "loc", {DType::f32, {4, boxes_of_all_maps}});
        result(network_.conf, "conf", {DType::f32, {classes_, boxes_of_all_maps}});
        return;
      case ExportOptions::Postprocess::boxes:
        result(boxes(), "boxes", {DType::f32, {boxes_of_all_maps, 4}});
        result(model_.node("Transpose", {scores()}, {{"perm", Axes{0, 2, 1}}}), "scores",
               {DType::f32, {boxes_of_all_maps, classes_}});
        return;
      case ExportOptions::Postprocess::nms:
        detections();
        return;
    }
  }

 private:
  // An output's type, without N.
  struct Type {
    DType dtype;
    Axes shape;
  };
  void result(const std::string& value, const std::string& name, const Type& type) {
    model_.node("Identity", {value}, {}, name);
    Port port{name, type.dtype, {batch_}};
    for (const std::int64_t extent : type.shape) port.shape.push_back({extent});
    model_.output(port);
  }

  std::string slice(const std::string& value, std::int64_t begin, std::int64_t end, std::int64_t axis) {
    return model_.node("Slice",
                       {value, model_.integers({begin}), model_.integers({end}), model_.integers({axis})});
  }

  // Two rows (1, 2, 8732), a column a default box.
  template <typename First, typename Second>
  std::string rows(const std::string& name, First first, Second second) {
    Tensor tensor(DType::f32, {1, 2, boxes_of_all_maps});
    const auto centers = ssd300_default_boxes().centers();
    for (std::size_t i = 0; i < default_box_count; ++i) {
      tensor.as<float>()[i] = first(centers[i]);
      tensor.as<float>()[default_box_count + i] = second(centers[i]);
    }
    return model_.constant(name, tensor);
  }

  // (N, 8732, 4): left, top, right, bottom. As decode() (boxes/decode.h).
  std::string boxes() {
    const std::string centers = rows(
        "default_boxes.center", [](const CenterBox& box) { return box.cx; },
        [](const CenterBox& box) { return box.cy; });
    const std::string sizes = rows(
        "default_boxes.size", [](const CenterBox& box) { return box.width; },
        [](const CenterBox& box) { return box.height; });
    const std::string xy = scaled(slice(network_.loc, 0, 2, 1), scale_xy);
    const std::string wh = scaled(slice(network_.loc, 2, 4, 1), scale_wh);
    const std::string center = model_.node("Add", {model_.node("Mul", {xy, sizes}), centers});
    const std::string size = model_.node("Mul", {model_.node("Exp", {wh}), sizes});
    const std::string half = scaled(size, 0.5);
    const std::string corners =
        model_.node("Concat", {model_.node("Sub", {center, half}), model_.node("Add", {center, half})},
                    {{"axis", std::int64_t{1}}});
    return model_.node("Transpose", {corners}, {{"perm", Axes{0, 2, 1}}});
  }
  std::string scaled(const std::string& value, double factor) {
    return model_.node("Mul", {value, model_.scalar(static_cast<float>(factor))});
  }

  // (N, C, 8732).
  std::string scores() { return model_.node("Softmax", {network_.conf}, {{"axis", std::int64_t{1}}}); }

  // The values and the indices of the largest `count` along an axis, by falling value.
  std::vector<std::string> largest(const std::string& value, std::int64_t count, std::int64_t axis) {
    const std::vector<std::string> names{model_.fresh("largest"), model_.fresh("places")};
    model_.node("TopK", {value, model_.integers({count})}, {{"axis", axis}}, names);
    return names;
  }

  // The objects' scores (N, C - 1, 8732), 0 for all that does not go into NMS: a class has per_class boxes.
  std::string candidates(const std::string& objects) {
    const auto most = std::min(static_cast<std::int64_t>(options_.detector.per_class), boxes_of_all_maps);
    const std::string best = largest(objects, most, 2)[0];
    const std::string least = slice(best, most - 1, most, 2);
    return model_.node("Where", {model_.node("Less", {objects, least}), model_.scalar(0), objects});
  }

  // The same scores, 0 for all that NMS does not keep.
  std::string kept(const std::string& boxes, const std::string& objects) {
    const std::string selected = model_.node(
        "NonMaxSuppression", {boxes, candidates(objects),
                              model_.integers({static_cast<std::int64_t>(options_.detector.per_class)}),
                              number(options_.detector.iou), number(options_.detector.score)});
    const std::string chosen = model_.node("GatherND", {objects, selected});
    const std::string zeros = model_.node("Sub", {objects, objects});
    return model_.node("ScatterND", {zeros, selected, chosen});
  }
  // One f32 in one dimension.
  std::string number(float value) {
    return model_.constant(model_.fresh("threshold"),
                           {DType::f32, {1}, reinterpret_cast<const std::byte*>(&value)});
  }

  // The best of all classes together, as detect() (detect/detector.h) puts them: equal scores by rising class
  // and then by default box. Places that are left over are 0.
  void detections() {
    const std::string all_boxes = boxes();
    const std::string objects = slice(scores(), 1, classes_, 1);
    const std::string flat = model_.node(
        "Reshape", {kept(all_boxes, objects), model_.integers({0, (classes_ - 1) * boxes_of_all_maps})});
    const std::int64_t most =
        std::min(static_cast<std::int64_t>(options_.detector.total), (classes_ - 1) * boxes_of_all_maps);
    const std::vector<std::string> best = largest(flat, most, 1);
    const std::string found = model_.node("Greater", {best[0], model_.scalar(0)});
    const std::string boxes_of_all = model_.integers({boxes_of_all_maps});
    const std::string box = model_.node("Mod", {best[1], boxes_of_all});
    const std::string label =
        model_.node("Add", {model_.node("Div", {best[1], boxes_of_all}), model_.integers({1})});
    const std::string last_axis = model_.integers({2});
    const std::string corners =
        model_.node("GatherND", {all_boxes, model_.node("Unsqueeze", {box, last_axis})},
                    {{"batch_dims", std::int64_t{1}}});
    const std::string found_box = model_.node("Unsqueeze", {found, last_axis});
    result(model_.node("Where", {found_box, corners, model_.scalar(0)}), "boxes", {DType::f32, {most, 4}});
    result(best[0], "scores", {DType::f32, {most}});
    result(model_.node("Where", {found, label, model_.integers({0})}), "labels", {DType::i64, {most}});
    const std::string ones = model_.node("Cast", {found}, {{"to", number_of(DType::i64)}});
    result(model_.node("ReduceSum", {ones, model_.integers({1})}, {{"keepdims", std::int64_t{0}}}), "count",
           {DType::i64, {}});
  }

  Model& model_;
  const NetworkValues& network_;
  std::int64_t classes_;
  const ExportOptions& options_;
  Dimension batch_;
};

}  // namespace

void append_outputs(Model& model, const NetworkValues& network, std::int64_t classes,
                    const ExportOptions& options) {
  OutputWriter(model, network, classes, options).append();
}

}  // namespace ssd::onnx
