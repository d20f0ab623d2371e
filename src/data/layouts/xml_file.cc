#include "data/layouts/xml_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/encoding.h"
#include "base/error.h"
#include "base/text_file.h"
#include "data/layouts/foreign_set.h"

namespace ssd {
namespace {

// Far beyond any image's side.
constexpr double largest = 1e9;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(std::abs(value) < largest))
    return std::nullopt;
  return value;
}

}  // namespace

XmlFile::XmlFile(const std::filesystem::path& path) : path_(path) {
  text_ = decode_xml(read_text_file(path, budget::xml), path.string());
  const pugi::xml_parse_result result =
      document_.load_buffer(text_.data(), text_.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result) throw Error("{}: {}; mend the file or remove it", where(result.offset), result.description());
}

void XmlFile::fail(pugi::xml_node node, std::string_view problem) const {
  throw Error("{}: <{}> {}; mend the file or remove it", where(node.offset_debug()), node.name(), problem);
}

double XmlFile::number(pugi::xml_node parent, const char* name) const {
  const pugi::xml_node node = parent.child(name);
  if (!node) fail(parent, fmt::format("has no <{}>", name));
  const std::string_view text = trimmed(node.text().get());
  const auto value = number_of(text);
  if (!value) fail(node, fmt::format("got \"{}\", expected a number", text));
  return *value;
}

double XmlFile::attribute(pugi::xml_node node, const char* name) const {
  const auto value = number_of(trimmed(node.attribute(name).value()));
  if (!value) fail(node, fmt::format("got {}=\"{}\", expected a number", name, node.attribute(name).value()));
  return *value;
}

std::string XmlFile::where(std::ptrdiff_t offset) const {
  const auto end = text_.begin() + std::clamp<std::ptrdiff_t>(offset, 0, std::ssize(text_));
  return fmt::format("{}:{}", path_.string(), 1 + std::count(text_.begin(), end, '\n'));
}

}  // namespace ssd
