// Where the stored bytes of a data set's images come from: files in folders, or a record cache.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "image/image_source.h"

namespace ssd {

struct Sample;

// Any number of threads may use a store at the same time.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  // The stored image of a sample. A store that has to read does so into `buffer`; what is returned is valid
  // as long as the store and until the buffer is changed. Throws Error where it cannot be read.
  virtual ImageSource load(const Sample& sample, std::vector<std::byte>& buffer) const = 0;
  // To be called once the sample's bytes have been used: throws Error where they were changed meanwhile.
  virtual void check_used(const Sample& /*sample*/) const {}
  // Whether there is something to load; it need not be an image that can be read.
  virtual bool has(const Sample& /*sample*/) const { return true; }
  // Asks for a sample's bytes ahead of their use, where that helps.
  virtual void prefetch(const Sample& /*sample*/) const {}

  // What its pixels are, as far as they are not those of the original files: DatasetIdentity::images.
  virtual std::string pixels() const = 0;
  // For people: "image files", "raw cache".
  virtual std::string description() const = 0;
};

// The samples' files.
std::shared_ptr<const ImageStore> file_store();

}  // namespace ssd
