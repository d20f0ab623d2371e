// A plan of batch sizes that change during a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ssd {

class BatchTrace {
 public:
  // Steps of `images` each from step `step` (counted from 0) on, until the next entry.
  struct Entry {
    std::int64_t step = 0;
    std::int64_t images = 0;

    bool operator==(const Entry&) const = default;
  };

  BatchTrace() = default;
  // Throws Error where the first entry is not of step 0, or the steps do not rise.
  explicit BatchTrace(std::vector<Entry> entries);

  bool empty() const { return entries_.empty(); }
  std::span<const Entry> entries() const { return entries_; }

  // Of a step, counted from 0. Not of an empty trace.
  std::int64_t images_at(std::int64_t step) const;
  // "1024 x 3, 2048": entries with the steps that each lasts, for people and to compare traces by.
  std::string to_text() const;

 private:
  std::vector<Entry> entries_;
};

// A CSV file "step,batchsize", a line an entry; a first line of other words is a heading, and lines that are
// empty or begin with '#' are passed over. Equal entries in a row are joined. Throws Error, with file and
// line, for any other line and for a batch size that is not a multiple of `unit`, the images of a micro-batch
// on all devices.
BatchTrace read_batch_trace(const std::filesystem::path& path, std::int64_t unit);
// The same of the file's text.
BatchTrace parse_batch_trace(const std::string& text, const std::string& name, std::int64_t unit);

}  // namespace ssd
