#include "train/batch_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text_file.h"

namespace ssd {
namespace {

constexpr std::int64_t most_images = std::int64_t{1} << 30;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  text = trimmed(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<BatchTrace::Entry> entry_of(std::string_view line) {
  const std::size_t comma = line.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const auto step = whole_number(line.substr(0, comma)), images = whole_number(line.substr(comma + 1));
  if (!step || !images) return std::nullopt;
  return BatchTrace::Entry{*step, *images};
}

bool is_heading(std::string_view line) {
  return line.find_first_of("0123456789") == std::string_view::npos &&
         line.find(',') != std::string_view::npos;
}

}  // namespace

BatchTrace::BatchTrace(std::vector<Entry> entries) : entries_(std::move(entries)) {
  if (entries_.empty() || entries_.front().step != 0)
    throw Error("batch trace: got {}, expected an entry of step 0 first",
                entries_.empty() ? "no entry" : fmt::format("step {}", entries_.front().step));
  for (std::size_t i = 1; i < entries_.size(); ++i)
    if (entries_[i].step <= entries_[i - 1].step)
      throw Error("batch trace: got step {} after step {}, expected rising steps", entries_[i].step,
                  entries_[i - 1].step);
  const auto repeated = [](const Entry& one, const Entry& next) { return one.images == next.images; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), repeated), entries_.end());
}

std::int64_t BatchTrace::images_at(std::int64_t step) const {
  const auto after = std::ranges::upper_bound(entries_, step, {}, &Entry::step);
  return std::prev(after)->images;
}

std::string BatchTrace::to_text() const {
  std::string text;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", entries_[i].images);
    if (i + 1 < entries_.size()) text += fmt::format(" x {}", entries_[i + 1].step - entries_[i].step);
  }
  return text;
}

BatchTrace read_batch_trace(const std::filesystem::path& path, std::int64_t unit) {
  return parse_batch_trace(read_text_file(path), path.string(), unit);
}

BatchTrace parse_batch_trace(const std::string& text, const std::string& name, std::int64_t unit) {
  std::vector<BatchTrace::Entry> entries;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || (number == 1 && is_heading(content))) continue;
    const auto entry = entry_of(content);
    if (!entry) throw Error("{}:{}: expected 'step,batchsize' with two whole numbers", name, number);
    if (entry->images < unit || entry->images % unit != 0 || entry->images > most_images)
      throw Error("{}:{}: got a batch of {}, expected a multiple of {}: the images of a batch on all devices",
                  name, number, entry->images, unit);
    const std::int64_t least = entries.empty() ? 0 : entries.back().step + 1;
    if (entry->step < least || (entries.empty() && entry->step != 0))
      throw Error("{}:{}: got step {}, expected {}", name, number, entry->step,
                  entries.empty() ? "0, where the trace begins" : fmt::format("{} or more", least));
    entries.push_back(*entry);
  }
  if (entries.empty()) throw Error("{}: got no entry, expected lines of 'step,batchsize'", name);
  return BatchTrace(std::move(entries));
}

}  // namespace ssd
