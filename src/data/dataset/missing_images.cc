#include "data/dataset/missing_images.h"

namespace ssd {

MissingImages missing_images(const Dataset& dataset) {
  MissingImages missing;
  for (const Sample& sample : dataset.samples)
    if (!dataset.images->has(sample) && missing.count++ == 0) missing.first = sample.file;
  return missing;
}

}  // namespace ssd
