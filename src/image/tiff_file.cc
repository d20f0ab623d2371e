#include "image/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace ssd {

struct TiffFile::Calls {
  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    TiffFile& file = *static_cast<TiffFile*>(handle);
    if (file.at_ >= file.bytes_.size() || count < 0) return 0;
    const auto taken = std::min<std::size_t>(static_cast<std::size_t>(count), file.bytes_.size() - file.at_);
    std::memcpy(to, file.bytes_.data() + file.at_, taken);
    file.at_ += taken;
    return static_cast<tmsize_t>(taken);
  }

  static tmsize_t write(thandle_t, void*, tmsize_t) { return -1; }

  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    TiffFile& file = *static_cast<TiffFile*>(handle);
    const toff_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at_ : file.bytes_.size();
    file.at_ = from + offset;
    return file.at_;
  }

  static int close(thandle_t) { return 0; }

  static toff_t size(thandle_t handle) { return static_cast<TiffFile*>(handle)->bytes_.size(); }

  // libtiff then reads strips where they lie; it never writes to a file opened for reading.
  static int map(thandle_t handle, void** base, toff_t* size) {
    const TiffFile& file = *static_cast<TiffFile*>(handle);
    *base = const_cast<std::byte*>(file.bytes_.data());
    *size = file.bytes_.size();
    return 1;
  }

  static void unmap(thandle_t, void*, toff_t) {}

  static int error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    auto& reason = static_cast<TiffFile*>(user)->reason_;
    if (reason[0] != 0) return 1;
    std::vsnprintf(reason.data(), reason.size(), format, arguments);
    std::ranges::replace_if(
        reason, [](char c) { return c != 0 && static_cast<unsigned char>(c) < ' '; }, ' ');
    return 1;
  }

  static int warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }
};

void TiffFile::open(std::span<const std::byte> bytes, std::int64_t largest_piece) {
  close();
  bytes_ = bytes;
  reason_ = {};
  at_ = 0;
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  if (!options) fail("no memory");
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), Calls::error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), Calls::warning, this);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), std::max<tmsize_t>(largest_piece, 1 << 20));
  file_ = TIFFClientOpenExt("image", "r", this, Calls::read, Calls::write, Calls::seek, Calls::close,
                            Calls::size, Calls::map, Calls::unmap, options.get());
  if (file_ == nullptr) fail("no header");
}

void TiffFile::close() {
  if (file_ != nullptr) TIFFClose(file_);
  file_ = nullptr;
}

void TiffFile::fail(std::string_view otherwise) const {
  throw Error(
      "TIFF data: got {} in {} bytes, expected a whole image that libtiff can read; replace the file or save "
      "it "
      "anew",
      reason_[0] != 0 ? std::string_view(reason_.data()) : otherwise, bytes_.size());
}

}  // namespace ssd
