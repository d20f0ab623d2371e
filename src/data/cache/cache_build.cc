#include "data/cache/cache_build.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "data/cache/cache_writer.h"
#include "data/dataset/coco_split.h"
#include "image/format.h"
#include "image/jpeg_encode.h"
#include "image/orientation.h"
#include "image/resize.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

constexpr std::size_t slots_a_thread = 8;

// One image on its way into the cache; `bytes` or `pixels` hold what the record points to.
struct Slot {
  std::vector<std::byte> bytes;
  Image pixels;
  Record record;
  std::string problem;
};

void check_options(const CacheOptions& options) {
  if (options.quality < 0 || options.quality > 100)
    throw Error("quality: got {}, expected 1 to 100, or 0 for the files as they are", options.quality);
  if (options.quality > 0 && options.encoding == RecordEncoding::raw)
    throw Error("quality: got {} with raw records, which have none; leave it out or choose files",
                options.quality);
  if (options.max_side < 0)
    throw Error("max-side: got {}, expected 1 or more, or 0 for no limit", options.max_side);
}

Image shrunk(Image image, int max_side) {
  const double scale = static_cast<double>(max_side) / std::max(image.width, image.height);
  const auto scaled = [scale](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  Image small{.width = scaled(image.width), .height = scaled(image.height), .rgb = {}};
  small.rgb.resize(std::size_t{3} * small.width * small.height);
  const auto axis = [](int from, int to) {
    return ResizeAxis{.length = from, .begin = 0, .end = static_cast<double>(from), .size = to};
  };
  resize(image.rgb, {.x = axis(image.width, small.width), .y = axis(image.height, small.height)}, small.rgb);
  return small;
}

// Goes through the whole image without keeping it.
void try_decoding(std::span<const std::byte> file) {
  ImageDecoders decoders;
  ImageDecoder& decoder = decoders.open(file);
  decoder.start_whole();
  while (decoder.rows_left() > 0) decoder.read_rows();
}

void fill(Slot& slot, const CocoImage& image, const std::filesystem::path& folder,
          const CacheOptions& options) {
  const std::span<const std::byte> file = read_file((folder / image.file_name).string(), slot.bytes);
  const ImageInfo info = read_image_header(file);
  const Orientation orientation = orientation_for_annotation(info, image.width, image.height);
  const bool too_large = options.max_side > 0 && std::max(info.width, info.height) > options.max_side;
  if (options.encoding == RecordEncoding::file && options.quality == 0 && !too_large) {
    try_decoding(file);  // a broken one shall show now
    slot.record = {RecordEncoding::file, file, image.width, image.height};
    return;
  }
  slot.pixels = oriented(decode_image(file), orientation);
  if (too_large) slot.pixels = shrunk(std::move(slot.pixels), options.max_side);
  slot.record = {options.encoding, std::as_bytes(std::span(slot.pixels.rgb)), slot.pixels.width,
                 slot.pixels.height};
  if (options.encoding == RecordEncoding::file) {
    encode_jpeg(slot.pixels, options.quality > 0 ? options.quality : CacheOptions::default_quality,
                slot.bytes);
    slot.record.bytes = slot.bytes;
    slot.pixels = {};
  } else {
    slot.bytes = std::vector<std::byte>();  // assigning {} would keep the memory
  }
}

// About what a filled slot holds, by the annotated size: pixels, a file of no more bytes, or a JPEG of an
// eighth as many.
std::uint64_t held_bytes(const CocoImage& image, const CacheOptions& options) {
  const int side = std::max(image.width, image.height);
  const double scale =
      options.max_side > 0 && side > options.max_side ? static_cast<double>(options.max_side) / side : 1;
  const double pixels = scale * image.width * scale * image.height;
  // No image beyond the decoder's limits is held.
  const double bytes = 3 * std::min(pixels, static_cast<double>(image_limits().pixels));
  return static_cast<std::uint64_t>(options.quality > 0 ? bytes / 8 : bytes);
}

// How many images from `first` on to make at the same time: as many as there are threads, and more where
// they are small.
std::size_t images_at_once(const CocoFile& coco, std::size_t first, const CacheOptions& options) {
  constexpr std::uint64_t most_bytes = std::uint64_t{128} << 20;
  const auto threads = static_cast<std::size_t>(std::max(1, options.threads));
  const std::size_t left = coco.images.size() - first;
  std::size_t count = 0;
  for (std::uint64_t bytes = 0; count < std::min(left, threads * slots_a_thread); ++count) {
    bytes += held_bytes(coco.images[first + count], options);
    if (bytes > most_bytes && count >= threads) break;
  }
  return count;
}

}  // namespace

CacheReport build_cache(const CocoPaths& paths, const std::filesystem::path& file,
                        const CacheOptions& options, const CacheProgress& progress) {
  const CocoSplit split = read_coco_split(paths);
  return build_cache({split.coco, paths.images, paths.annotations.string()}, file, options, progress);
}

CacheReport build_cache(const CacheSource& source, const std::filesystem::path& file,
                        const CacheOptions& options, const CacheProgress& progress) {
  check_options(options);
  const CocoFile& coco = source.coco;
  make_dataset(coco, source.images, {}, source.name);  // refuses what could not be trained on
  CacheWriter writer(file, {options.encoding, options.max_side, options.quality});
  const int threads = std::max(1, options.threads);
  ThreadPool pool(threads);
  std::vector<Slot> slots(static_cast<std::size_t>(threads) * slots_a_thread);
  CacheReport report{.images = coco.images.size(), .bytes = 0, .unreadable = {}};
  for (std::size_t first = 0, count = 0; first < coco.images.size(); first += count) {
    count = images_at_once(coco, first, options);
    pool.parallel_for(count, [&](std::size_t i) {
      slots[i].problem.clear();
      try {
        fill(slots[i], coco.images[first + i], source.images, options);
      } catch (const Error& error) {
        slots[i].record = {};
        slots[i].problem = fmt::format("{}: {}", coco.images[first + i].file_name, error.what());
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      writer.add(slots[i].record);
      if (!slots[i].problem.empty()) report.unreadable.push_back(std::move(slots[i].problem));
      slots[i] = {};  // one large image shall not hold its memory to the end
    }
    if (progress && !progress(first + count, coco.images.size()))
      throw Error("{}: stopped after {} of {} images", file.string(), first + count, coco.images.size());
  }
  if (report.unreadable.size() == report.images)
    throw Error("{}: none of the {} images could be read; the first: {}", source.images.string(),
                report.images, report.unreadable.front());
  writer.finish(coco);
  report.bytes = writer.bytes();
  return report;
}

}  // namespace ssd
