#include "prepare/download/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"

namespace ssd {
namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

std::string sha256_of(const std::filesystem::path& file,
                      const std::function<bool(std::uint64_t done)>& going) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error("{}: cannot be read: {}", file.string(), std::strerror(errno));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(1u << 20);
  std::uint64_t done = 0;
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(stream.gcount()));
    done += static_cast<std::uint64_t>(stream.gcount());
    if (going && !going(done)) return "";
  }
  if (stream.bad()) throw Error("{}: cannot be read to its end", file.string());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &length);
  return hexadecimal({digest.data(), length});
}

}  // namespace ssd
