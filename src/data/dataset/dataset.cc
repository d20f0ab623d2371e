#include "data/dataset/dataset.h"

#include <algorithm>
#include <unordered_map>

#include "base/counted.h"
#include "base/error.h"
#include "data/dataset/coco_split.h"

namespace ssd {
namespace {

using Index = std::unordered_map<std::int64_t, std::uint32_t>;

template <typename Item>
Index index_by_id(const std::vector<Item>& items, std::string_view what, std::string_view name) {
  Index index;
  index.reserve(items.size());
  for (std::uint32_t i = 0; i < items.size(); ++i)
    if (!index.try_emplace(items[i].id, i).second)
      throw Error("{}: {} id {} occurs twice, expected once; `singleshot data check` lists such faults", name,
                  what, items[i].id);
  return index;
}

bool is_clipped(const std::array<double, 4>& bbox, const Sample& sample) {
  return bbox[0] < -0.5 || bbox[1] < -0.5 || bbox[0] + bbox[2] > sample.width + 0.5 ||
         bbox[1] + bbox[3] > sample.height + 0.5;
}

void add_boxes(const CocoFile& coco, const Index& images, const Index& categories, Dataset& dataset) {
  for (const CocoAnnotation& annotation : coco.annotations) {
    const auto image = images.find(annotation.image_id);
    const auto category = categories.find(annotation.category_id);
    if (image == images.end()) {
      ++dataset.left_out.boxes_without_image;
    } else if (category == categories.end()) {
      ++dataset.left_out.boxes_without_category;
    } else {
      Sample& sample = dataset.samples[image->second];
      dataset.left_out.boxes_clipped += is_clipped(annotation.bbox, sample);
      const Box box = normalized_box(annotation.bbox, sample.width, sample.height);
      if (box.left < box.right && box.top < box.bottom)
        sample.boxes.push_back({box, static_cast<std::int32_t>(category->second) + 1});
      else
        ++dataset.left_out.boxes_without_area;
    }
  }
}

}  // namespace

CocoPaths coco_paths(const std::filesystem::path& folder, std::string_view split) {
  const std::filesystem::path annotations = folder / "annotations" / fmt::format("instances_{}.json", split);
  for (const std::filesystem::path& images :
       {folder / split, folder / "images" / split, folder / "images", folder / "JPEGImages"}) {
    if (std::error_code ignored; std::filesystem::is_directory(images, ignored)) return {annotations, images};
  }
  return {annotations, folder / split};
}

Box normalized_box(const std::array<double, 4>& bbox, int width, int height) {
  const auto share = [](double position, double extent) {
    return static_cast<float>(std::clamp(position / extent, 0.0, 1.0));
  };
  return {share(bbox[0], width), share(bbox[1], height), share(bbox[0] + bbox[2], width),
          share(bbox[1] + bbox[3], height)};
}

Dataset make_dataset(const CocoFile& coco, const std::filesystem::path& images, const DatasetOptions& options,
                     std::string_view name) {
  Dataset dataset;
  dataset.categories = coco.categories;
  dataset.samples.reserve(coco.images.size());
  for (const CocoImage& image : coco.images)
    dataset.samples.push_back({.image_id = image.id,
                               .file = (images / image.file_name).string(),
                               .width = image.width,
                               .height = image.height,
                               .record = static_cast<std::uint32_t>(dataset.samples.size()),
                               .boxes = {}});
  add_boxes(coco, index_by_id(coco.images, "image", name), index_by_id(coco.categories, "category", name),
            dataset);
  if (options.empty_images == DatasetOptions::EmptyImages::skip)
    dataset.left_out.images_without_boxes =
        std::erase_if(dataset.samples, [](const Sample& sample) { return sample.boxes.empty(); });
  if (dataset.samples.empty())
    throw Error("{}: got {} and {}, of which no image with a box remains; give a file with both{}", name,
                counted(coco.images.size(), "image[s]"), counted(coco.annotations.size(), "box[es]"),
                coco.left_out.empty() ? "" : fmt::format(" (left out: {})", coco.left_out.front().reason));
  for (const Sample& sample : dataset.samples)
    dataset.max_boxes = std::max(dataset.max_boxes, static_cast<int>(sample.boxes.size()));
  return dataset;
}

Dataset read_dataset(const CocoPaths& paths, const DatasetOptions& options) {
  return make_dataset(read_coco_split(paths).coco, paths.images, options, paths.annotations.string());
}

}  // namespace ssd
