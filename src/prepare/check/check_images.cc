#include "prepare/check/check_images.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "base/error.h"
#include "base/thread_pool.h"
#include "image/format.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// What one thread needs for many images.
struct Reader {
  ImageDecoders decoders;
  std::vector<std::byte> buffer;
};

void decode(ImageDecoder& decoder) {
  decoder.start_whole();
  while (decoder.rows_left() > 0) decoder.read_rows();
}

void check_file(std::span<const std::byte> bytes, CheckOptions::Images images, ImageDecoders& decoders,
                CheckedImage& image) {
  ImageDecoder& decoder = decoders.open(bytes);
  const ImageInfo& info = decoder.info();
  image.width = info.width;
  image.height = info.height;
  image.channels = info.channels;
  image.orientation_tag = info.orientation;
  image.orientation = orientation_of_tag(info.orientation);
  if (images == CheckOptions::Images::decode) decode(decoder);
}

// The finding names the file already.
void break_image(CheckedImage& image, std::string reason, const std::string& name) {
  image.state = CheckedImage::State::broken;
  if (reason.starts_with(name + ": ")) reason.erase(0, name.size() + 2);
  image.reason = std::move(reason);
}

CheckedImage check_image(const fs::path& file, CheckOptions::Images images, Reader& reader) {
  CheckedImage image;
  std::error_code error;
  if (!fs::exists(file, error)) {
    image.state = CheckedImage::State::missing;
    image.reason = error ? error.message() : "no such file";
    return image;
  }
  try {
    const auto bytes = read_file(file.string(), reader.buffer);
    image.bytes = bytes.size();
    check_file(bytes, images, reader.decoders, image);
  } catch (const Error& broken) {
    break_image(image, broken.what(), file.string());
  }
  return image;
}

CheckedImage check_record(const RecordCache& cache, std::size_t index, CheckOptions::Images images,
                          Reader& reader) {
  CheckedImage image;
  try {
    const Record record = cache.record(index);
    image.bytes = record.bytes.size();
    image.width = record.width;
    image.height = record.height;
    image.channels = 3;
    if (record.encoding == RecordEncoding::file) check_file(record.bytes, images, reader.decoders, image);
  } catch (const Error& broken) {
    break_image(image, broken.what(), cache.annotations().images[index].file_name);
  }
  return image;
}

// `check` makes an image of its index and a thread's reader.
template <typename Check>
std::vector<CheckedImage> check_all(std::size_t count, const CheckOptions& options, const Check& check) {
  std::vector<CheckedImage> checked(count);
  const auto threads =
      static_cast<std::size_t>(options.threads > 0 ? options.threads : available_processors());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::size_t done = 0;
  const auto work = [&](std::size_t) {
    Reader reader;
    for (std::size_t i = next++; i < count; i = next++) {
      checked[i] = check(i, reader);
      if (!options.progress) continue;
      std::lock_guard lock(mutex);
      options.progress(++done, count);
    }
  };
  const std::size_t workers = std::clamp<std::size_t>(count, 1, threads);
  if (workers == 1) {
    work(0);
  } else {
    ThreadPool(static_cast<int>(workers) - 1).parallel_for(workers, work);  // the caller works too
  }
  return checked;
}

}  // namespace

std::vector<CheckedImage> check_images(const std::vector<fs::path>& files, const CheckOptions& options) {
  return check_all(files.size(), options, [&](std::size_t i, Reader& reader) {
    return check_image(files[i], options.images, reader);
  });
}

std::vector<CheckedImage> check_records(const RecordCache& cache, const CheckOptions& options) {
  return check_all(cache.size(), options, [&](std::size_t i, Reader& reader) {
    return check_record(cache, i, options.images, reader);
  });
}

void summarize_images(const std::vector<CheckedImage>& images, CheckSummary& summary) {
  for (const CheckedImage& image : images) {
    summary.image_bytes += image.bytes;
    if (image.state != CheckedImage::State::good) continue;
    ++summary.images_decoded;
    if (image.channels == 1) ++summary.gray;
    if (image.channels == 4) ++summary.cmyk;
    if (image.orientation != Orientation{}) ++summary.exif_oriented;
  }
}

CheckSpread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {values.front(), values[values.size() / 2], values.back()};
}

}  // namespace ssd
