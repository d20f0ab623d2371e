// Any bytes as a JPEG: a training sample and an evaluation image come of them, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "data/augment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ssd::Augmenter augmenter;  // as in a loader's thread, one for all pictures
  static std::vector<std::uint8_t> image(ssd::Augmenter::kBytes);
  std::vector<ssd::LabeledBox> kept;
  const ssd::PictureSource source{ssd::PictureSource::Encoding::jpeg, std::as_bytes(std::span(data, size)), 0,
                                  0};
  const std::vector<ssd::LabeledBox> boxes = {{{0.2f, 0.1f, 0.5f, 0.6f}, 1}, {{0.4f, 0.3f, 0.9f, 0.8f}, 2}};
  for (std::uint64_t sample = 0; sample < 3; ++sample) {
    ssd::Random random(size, 0, sample);
    try {
      augmenter.train(source, boxes, random, image, kept);
    } catch (const ssd::Error&) {
    }
  }
  try {
    augmenter.evaluate(source, image);
  } catch (const ssd::Error&) {
  }
  return 0;
}
