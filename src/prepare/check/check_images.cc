#include "prepare/check/check_images.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "base/error.h"
#include "base/thread_pool.h"
#include "image/jpeg.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// What one thread needs for many pictures.
struct Reader {
  JpegDecoder decoder;
  std::vector<std::byte> buffer;
};

void decode(JpegDecoder& decoder, const JpegInfo& info) {
  decoder.start({.rect = {0, 0, info.width, info.height}});
  while (decoder.rows_left() > 0) decoder.read_rows();
}

void check_jpeg(std::span<const std::byte> bytes, CheckOptions::Pictures pictures, JpegDecoder& decoder,
                CheckedPicture& picture) {
  const JpegInfo info = decoder.open(bytes);
  picture.width = info.width;
  picture.height = info.height;
  picture.components = info.components;
  picture.orientation = info.orientation;
  picture.turn = turn_of_orientation(info.orientation);
  if (pictures == CheckOptions::Pictures::decode) decode(decoder, info);
}

// The finding names the file already.
void break_picture(CheckedPicture& picture, std::string reason, const std::string& name) {
  picture.state = CheckedPicture::State::broken;
  if (reason.starts_with(name + ": ")) reason.erase(0, name.size() + 2);
  picture.reason = std::move(reason);
}

CheckedPicture check_picture(const fs::path& file, CheckOptions::Pictures pictures, Reader& reader) {
  CheckedPicture picture;
  std::error_code error;
  if (!fs::exists(file, error)) {
    picture.state = CheckedPicture::State::missing;
    picture.reason = error ? error.message() : "no such file";
    return picture;
  }
  try {
    const auto bytes = read_file(file.string(), reader.buffer);
    picture.bytes = bytes.size();
    check_jpeg(bytes, pictures, reader.decoder, picture);
  } catch (const Error& broken) {
    break_picture(picture, broken.what(), file.string());
  }
  return picture;
}

CheckedPicture check_record(const RecordCache& cache, std::size_t index, CheckOptions::Pictures pictures,
                            Reader& reader) {
  CheckedPicture picture;
  try {
    const Record record = cache.record(index);
    picture.bytes = record.bytes.size();
    picture.width = record.width;
    picture.height = record.height;
    picture.components = 3;
    if (record.encoding == RecordEncoding::jpeg) check_jpeg(record.bytes, pictures, reader.decoder, picture);
  } catch (const Error& broken) {
    break_picture(picture, broken.what(), cache.annotations().images[index].file_name);
  }
  return picture;
}

// `check` makes a picture of its index and a thread's reader.
template <typename Check>
std::vector<CheckedPicture> check_all(std::size_t count, const CheckOptions& options, const Check& check) {
  std::vector<CheckedPicture> checked(count);
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

std::vector<CheckedPicture> check_pictures(const std::vector<fs::path>& files, const CheckOptions& options) {
  return check_all(files.size(), options, [&](std::size_t i, Reader& reader) {
    return check_picture(files[i], options.pictures, reader);
  });
}

std::vector<CheckedPicture> check_records(const RecordCache& cache, const CheckOptions& options) {
  return check_all(cache.size(), options, [&](std::size_t i, Reader& reader) {
    return check_record(cache, i, options.pictures, reader);
  });
}

void summarize_pictures(const std::vector<CheckedPicture>& pictures, CheckSummary& summary) {
  for (const CheckedPicture& picture : pictures) {
    summary.picture_bytes += picture.bytes;
    if (picture.state != CheckedPicture::State::good) continue;
    ++summary.pictures_decoded;
    if (picture.components == 1) ++summary.gray;
    if (picture.components == 4) ++summary.cmyk;
    if (picture.turn != Turn{}) ++summary.turned;
  }
}

CheckSpread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {values.front(), values[values.size() / 2], values.back()};
}

}  // namespace ssd
