#include "detect/network_images.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "data/loader/augment.h"
#include "detect/image_detector.h"
#include "storage/file_bytes.h"

namespace ssd {

Tensor read_network_images(std::span<const std::string> files) {
  Tensor images(DType::u8, {static_cast<std::int64_t>(files.size()), image_size, image_size, 3});
  Augmenter augmenter;
  std::vector<std::byte> buffer;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto pixels = images.as<std::uint8_t>().subspan(i * Augmenter::image_bytes, Augmenter::image_bytes);
    try {
      augmenter.evaluate({.bytes = read_file(files[i], buffer)}, pixels);
    } catch (const Error& error) {
      throw Error("{}", with_name(files[i], error.what()));
    }
  }
  return images;
}

}  // namespace ssd
