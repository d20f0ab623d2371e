#include "base/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "base/error.h"

namespace ssd {
namespace {

constexpr std::size_t chunk = std::size_t{1} << 20;

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void fail(const std::filesystem::path& file) {
  throw Error("{}: cannot be read: {}; check the name and the permissions", file.string(),
              std::strerror(errno));
}

}  // namespace

std::string read_text_file(const std::filesystem::path& file) {
  std::error_code unknown;  // opening the file says it better
  if (std::filesystem::is_directory(file, unknown))
    throw Error("{}: got a folder, expected a file", file.string());
  const std::unique_ptr<std::FILE, Close> stream(std::fopen(file.c_str(), "rb"));
  if (!stream) fail(file);
  std::string text;
  if (std::filesystem::is_regular_file(file, unknown))
    text.reserve(static_cast<std::size_t>(std::filesystem::file_size(file)) + chunk);
  for (std::size_t got = chunk; got == chunk;) {
    const std::size_t size = text.size();
    text.resize(size + chunk);
    got = std::fread(text.data() + size, 1, chunk, stream.get());
    text.resize(size + got);
  }
  if (std::ferror(stream.get())) fail(file);
  return text;
}

}  // namespace ssd
