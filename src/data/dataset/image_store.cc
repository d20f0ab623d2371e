#include "data/dataset/image_store.h"

#include <filesystem>
#include <system_error>

#include "data/dataset/dataset.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

class FileStore : public ImageStore {
 public:
  ImageSource load(const Sample& sample, std::vector<std::byte>& buffer) const override {
    return {ImageSource::Encoding::file, read_file(sample.file, buffer), sample.width, sample.height};
  }
  bool has(const Sample& sample) const override {
    std::error_code ignored;  // what cannot be looked at is not there
    return std::filesystem::is_regular_file(sample.file, ignored);
  }
  std::string pixels() const override { return "files"; }
  std::string description() const override { return "image files"; }
};

}  // namespace

std::shared_ptr<const ImageStore> file_store() {
  static const auto store = std::make_shared<const FileStore>();
  return store;
}

}  // namespace ssd
