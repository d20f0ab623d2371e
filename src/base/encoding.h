// The encodings that text comes in: all to UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// What to do with text that has neither a mark nor zeros, and is no UTF-8 either: an older encoding of one
// country, which nobody can tell from the others by its bytes. `keep` is for lists of files, whose names are
// whatever bytes the file system has.
enum class UnknownEncoding { refuse, keep };

// A text file's bytes as UTF-8 without a byte order mark. UTF-8, UTF-16 and UTF-32 are told by their marks;
// without one UTF-16 is told by the zeros of its ASCII characters. Throws Error, with `name` and the place,
// for bytes that are no text: broken characters, zeros.
std::string decode_text(std::string bytes, std::string_view name,
                        UnknownEncoding unknown = UnknownEncoding::refuse);

// UTF-16 and UTF-32, told as above, as UTF-8. Other text stays as it is, mark and broken characters included:
// for JSON, whose parser says where it is broken.
std::string decode_wide_text(std::string bytes, std::string_view name);

// decode_text() of XML, which may declare its encoding: <?xml version="1.0" encoding="GBK"?>. It is any that
// the system's iconv knows. What is declared as UTF-16 but is not counts as what it is.
std::string decode_xml(std::string bytes, std::string_view name);

}  // namespace ssd
