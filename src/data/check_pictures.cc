#include "data/check_pictures.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "base/error.h"
#include "base/thread_pool.h"
#include "data/exif.h"
#include "data/file_bytes.h"
#include "data/jpeg.h"

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

CheckedPicture check_picture(const fs::path& file, CheckOptions::Pictures pictures, Reader& reader) {
  CheckedPicture picture;
  std::error_code error;
  if (!fs::exists(file, error)) {
    picture.state = CheckedPicture::State::missing;
    return picture;
  }
  try {
    const auto bytes = read_file(file.string(), reader.buffer);
    picture.bytes = bytes.size();
    const JpegInfo info = reader.decoder.open(bytes);
    picture.width = info.width;
    picture.height = info.height;
    picture.components = info.components;
    picture.turned = turn_of_orientation(info.orientation) != Turn{};
    picture.transposed = turn_of_orientation(info.orientation).transpose;
    if (pictures == CheckOptions::Pictures::decode) decode(reader.decoder, info);
  } catch (const Error& broken) {
    picture.state = CheckedPicture::State::broken;
    picture.reason = broken.what();
    // read_file names the file, which the finding does already.
    const std::string prefix = file.string() + ": ";
    if (picture.reason.starts_with(prefix)) picture.reason.erase(0, prefix.size());
  }
  return picture;
}

}  // namespace

std::vector<CheckedPicture> check_pictures(const std::vector<fs::path>& files, const CheckOptions& options) {
  std::vector<CheckedPicture> checked(files.size());
  const auto threads =
      static_cast<std::size_t>(options.threads > 0 ? options.threads : available_processors());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::size_t done = 0;
  const auto work = [&](std::size_t) {
    Reader reader;
    for (std::size_t i = next++; i < files.size(); i = next++) {
      checked[i] = check_picture(files[i], options.pictures, reader);
      if (!options.progress) continue;
      std::lock_guard lock(mutex);
      options.progress(++done, files.size());
    }
  };
  const std::size_t workers = std::clamp<std::size_t>(files.size(), 1, threads);
  if (workers == 1) {
    work(0);
  } else {
    ThreadPool(static_cast<int>(workers) - 1).parallel_for(workers, work);  // the caller works too
  }
  return checked;
}

void summarize_pictures(const std::vector<CheckedPicture>& pictures, CheckSummary& summary) {
  for (const CheckedPicture& picture : pictures) {
    summary.picture_bytes += picture.bytes;
    if (picture.state != CheckedPicture::State::good) continue;
    ++summary.pictures_decoded;
    if (picture.components == 1) ++summary.gray;
    if (picture.components == 4) ++summary.cmyk;
    if (picture.turned) ++summary.turned;
  }
}

CheckSpread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {values.front(), values[values.size() / 2], values.back()};
}

}  // namespace ssd
