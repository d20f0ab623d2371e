// What fuzzers of image formats do with their bytes: a training sample with its matched default boxes and an
// evaluation image come of an image file, or an Error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/error.h"
#include "boxes/default_boxes.h"
#include "boxes/match.h"
#include "data/loader/augment.h"

namespace ssd::fuzz {

// As in a loader's thread, one for all images.
struct Worker {
  Augmenter augmenter;
  MatchScratch scratch;
  std::vector<std::uint8_t> image = std::vector<std::uint8_t>(Augmenter::image_bytes);
  std::vector<std::int32_t> matched = std::vector<std::int32_t>(default_box_count);
  std::vector<LabeledBox> kept;
  std::vector<Box> boxes;
};

// The last bytes stand for what an annotation file says beside the image.
struct Annotation {
  int width = 0, height = 0;
  Box box;
};

inline Annotation read_annotation(std::span<const std::uint8_t> data) {
  std::array<std::uint8_t, 8> last{};
  for (std::size_t i = 0; i < last.size() && i < data.size(); ++i) last[i] = data[data.size() - 1 - i];
  const auto share = [&](std::size_t i) { return static_cast<float>(last[i]) / 256; };
  const float left = share(4), top = share(5);
  return {1 + last[0] + 256 * (last[1] & 3),
          1 + last[2] + 256 * (last[3] & 3),
          {left, top, left + (1 - left) * share(6), top + (1 - top) * share(7)}};
}

inline void match(Worker& worker) {
  worker.boxes.clear();
  for (const LabeledBox& kept : worker.kept) worker.boxes.push_back(kept.box);
  ssd::match(worker.boxes, ssd300_default_boxes(), worker.matched, worker.scratch);
  for (const std::int32_t index : worker.matched)
    if (index < -1 || index >= static_cast<std::int32_t>(worker.boxes.size())) std::abort();
}

inline void use(const ImageSource& source, const Box& box, Worker& worker) {
  const std::vector<LabeledBox> boxes = {{{0.2f, 0.1f, 0.5f, 0.6f}, 1}, {box, 2}};
  for (std::uint64_t sample = 0; sample < 2; ++sample) {
    Random random(source.bytes.size(), 0, sample);
    try {
      worker.augmenter.train(source, boxes, random, worker.image, worker.kept);
      match(worker);
    } catch (const Error&) {
    }
  }
  try {
    worker.augmenter.evaluate(source, worker.image);
  } catch (const Error&) {
  }
}

// The size as stored, that with its sides exchanged, half of it, and any other.
inline void use_file(std::span<const std::byte> bytes, const Annotation& annotation, Worker& worker) {
  ImageInfo info;
  try {
    info = read_image_header(bytes);
  } catch (const Error&) {
  }
  const std::array<std::array<int, 2>, 5> sizes{{{0, 0},
                                                 {info.width, info.height},
                                                 {info.height, info.width},
                                                 {(info.width + 1) / 2, (info.height + 1) / 2},
                                                 {annotation.width, annotation.height}}};
  const auto pick = static_cast<std::size_t>(annotation.width) % sizes.size();
  for (const std::size_t i : {std::size_t{0}, pick})
    use({ImageSource::Encoding::file, bytes, sizes[i][0], sizes[i][1]}, annotation.box, worker);
}

}  // namespace ssd::fuzz
