#include "data/dataset/coco_split.h"

#include <fmt/format.h>

#include <cstddef>
#include <span>

#include "base/error.h"
#include "data/dataset/coco_settle.h"
#include "image/format.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

bool has_size(const CocoImage& image) { return image.width > 0 && image.height > 0; }

void measure(CocoImage& image, const fs::path& folder, std::vector<std::byte>& buffer) {
  const ImageInfo info = read_image_header(read_file((folder / image.file_name).string(), buffer));
  image.width = info.width;
  image.height = info.height;
}

// Sizes that the annotations do not tell.
void measure_images(CocoSplit& split, const fs::path& folder) {
  std::vector<std::byte> buffer;
  std::vector<CocoImage>& images = split.coco.images;
  for (CocoImage& image : images) {
    if (has_size(image)) continue;
    try {
      measure(image, folder, buffer);
      split.measured.push_back(fmt::format("{} is {}x{}", image.file_name, image.width, image.height));
    } catch (const Error& error) {
      image.width = 0;
      split.coco.left_out.push_back(
          {CocoLeftOut::What::image,
           fmt::format("image {} ({}) has no width and height, nor can they be read: {}", written_id(image),
                       image.file_name, error.what())});
    }
  }
  std::erase_if(images, [](const CocoImage& image) { return !has_size(image); });
}

}  // namespace

CocoSplit read_coco_split(const CocoPaths& paths, const CocoReadOptions& options) {
  CocoSplit split{.coco = read_coco(paths.annotations, options), .located = {}, .measured = {}};
  settle_ids(split.coco);
  split.located = locate_images(split.coco, paths.images);
  measure_images(split, paths.images);
  return split;
}

}  // namespace ssd
