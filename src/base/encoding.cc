#include "base/encoding.h"

#include <iconv.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"

namespace ssd {
namespace {

constexpr std::string_view to_do = "save it as UTF-8 (iconv -f GBK -t UTF-8, with the encoding that it has)";

// A conversion of iconv, closed at the end.
class Conversion {
 public:
  explicit Conversion(const std::string& from) : handle_(::iconv_open("UTF-8", from.c_str())) {}
  ~Conversion() {
    if (is_known()) ::iconv_close(handle_);
  }
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;

  // iconv's sign of failure is a pointer of all ones.
  bool is_known() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  // Nothing where a character is broken; `at` is its first byte.
  std::optional<std::string> run(std::string& bytes, std::size_t& at) {
    std::string text(2 * bytes.size() + 16, '\0');
    char *in = bytes.data(), *out = text.data();
    std::size_t in_left = bytes.size(), out_left = text.size();
    while (::iconv(handle_, &in, &in_left, &out, &out_left) == static_cast<std::size_t>(-1)) {
      at = bytes.size() - in_left;
      if (errno != E2BIG) return std::nullopt;
      const std::size_t done = text.size() - out_left;
      text.resize(2 * text.size());
      out = text.data() + done, out_left = text.size() - done;
    }
    text.resize(text.size() - out_left);
    return text;
  }

 private:
  iconv_t handle_;
};

std::string convert(std::string bytes, const std::string& from, std::string_view name) {
  Conversion conversion(from);
  if (!conversion.is_known())
    throw Error("{}: got text in {}, which this system does not know; {}", name, from, to_do);
  std::size_t at = 0;
  auto text = conversion.run(bytes, at);
  if (!text) throw Error("{}: byte {}: this is no {} text; mend the file or {}", name, at, from, to_do);
  return std::move(*text);
}

struct Mark {
  std::string_view bytes;
  const char* encoding;
};
constexpr Mark marks[] = {{"\xef\xbb\xbf", "UTF-8"},
                          {std::string_view("\xff\xfe\0\0", 4), "UTF-32LE"},
                          {std::string_view("\0\0\xfe\xff", 4), "UTF-32BE"},
                          {"\xff\xfe", "UTF-16LE"},
                          {"\xfe\xff", "UTF-16BE"}};

// ASCII in UTF-16 has a zero in every pair: before the character or behind it. Blanks and digits are ASCII in
// every language's text; a quarter of the pairs is enough of them.
const char* encoding_by_zeros(std::string_view bytes) {
  const std::string_view beginning = bytes.substr(0, std::size_t{1} << 16);
  std::size_t even = 0, odd = 0;
  for (std::size_t i = 0; i < beginning.size(); ++i)
    if (beginning[i] == '\0') ++(i % 2 == 0 ? even : odd);
  const std::size_t enough = std::max<std::size_t>(1, beginning.size() / 8);
  if (bytes.size() % 2 != 0) return nullptr;
  if (even == 0 && odd >= enough) return "UTF-16LE";
  if (odd == 0 && even >= enough) return "UTF-16BE";
  return nullptr;
}

// By a mark or by zeros; the mark is taken off. Nothing where neither tells.
std::optional<std::string> decode_wide(std::string& bytes, std::string_view name) {
  for (const Mark& mark : marks) {
    if (!bytes.starts_with(mark.bytes)) continue;
    bytes.erase(0, mark.bytes.size());
    if (mark.encoding == marks[0].encoding) return std::nullopt;
    return convert(std::move(bytes), mark.encoding, name);
  }
  if (const char* encoding = encoding_by_zeros(bytes)) return convert(std::move(bytes), encoding, name);
  return std::nullopt;
}

std::string checked(std::string text, std::string_view name, UnknownEncoding unknown) {
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos)
    throw Error("{}: {}: got a zero byte, expected text; is this the right file?", name,
                position_text(text, zero));
  if (unknown == UnknownEncoding::keep) return text;
  if (const std::size_t at = first_invalid_utf8(text); at < text.size())
    throw Error("{}: {}: this is no UTF-8 text; {}", name, position_text(text, at), to_do);
  return text;
}

// What <?xml ... encoding="GBK"?> says, in capitals; empty where it says nothing.
std::string declared_encoding(std::string_view xml) {
  if (!xml.starts_with("<?xml")) return {};
  const std::string_view declaration = xml.substr(0, xml.find("?>"));
  const auto key = declaration.find("encoding");
  if (key == std::string_view::npos) return {};
  const auto open = declaration.find_first_of("\"'", key);
  if (open == std::string_view::npos) return {};
  const auto close = declaration.find(declaration[open], open + 1);
  if (close == std::string_view::npos) return {};
  std::string name(declaration.substr(open + 1, close - open - 1));
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  // Only what names of encodings consist of: iconv gives "//IGNORE" behind one a meaning.
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == ':';
  };
  return name.size() <= 40 && std::ranges::all_of(name, fits) ? name : std::string();
}

}  // namespace

std::string decode_text(std::string bytes, std::string_view name, UnknownEncoding unknown) {
  auto text = decode_wide(bytes, name);
  return checked(text ? std::move(*text) : std::move(bytes), name, unknown);
}

std::string decode_wide_text(std::string bytes, std::string_view name) {
  if (bytes.starts_with(marks[0].bytes)) return bytes;
  auto text = decode_wide(bytes, name);
  return text ? std::move(*text) : std::move(bytes);
}

std::string decode_xml(std::string bytes, std::string_view name) {
  if (auto text = decode_wide(bytes, name)) return checked(std::move(*text), name, UnknownEncoding::refuse);
  const std::string encoding = declared_encoding(bytes);
  const bool is_plain = encoding.empty() || encoding == "UTF-8" || encoding == "UTF8" ||
                        encoding.starts_with("UTF-16") || encoding.starts_with("UTF-32");
  if (!is_plain) bytes = convert(std::move(bytes), encoding, name);
  return checked(std::move(bytes), name, UnknownEncoding::refuse);
}

}  // namespace ssd
