// What tells one data set from another: a resumed run must get the batches it was made with.
#pragma once

#include <string>

#include "data/dataset/dataset.h"

namespace ssd {

struct DatasetIdentity {
  // Hash, in hexadecimal, over the samples in order: image id, file name, width, height, boxes, labels. The
  // folders that the files lie in do not count. Empty: not known.
  std::string samples;
  // Where the pixels come from: "files", which a record cache of the image files as they are counts as, or
  // what makes a cache's pixels its own: "raw", "jpeg, max-side 512, quality 90". Empty: not known.
  std::string images;
};

DatasetIdentity identity_of(const Dataset& dataset);

}  // namespace ssd
