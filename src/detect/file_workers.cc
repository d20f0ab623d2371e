#include "detect/file_workers.h"

#include <utility>

#include "base/error.h"
#include "base/text_file.h"
#include "detect/image_list.h"
#include "image/format.h"
#include "image/orientation.h"
#include "storage/file_bytes.h"

namespace ssd {
namespace {

// Of a file, or of standard input.
void read_bytes(const std::string& file, std::vector<std::byte>& out) {
  if (file != standard_input) {
    out.resize(read_file(file, out).size());
    return;
  }
  const std::string text = read_text_file("/dev/stdin", {largest_file, "an image"});
  if (text.empty()) throw Error("{}: standard input is empty; send one image through it", file);
  const auto bytes = std::as_bytes(std::span(text));
  out.assign(bytes.begin(), bytes.end());
}

}  // namespace

void FileWorkers::read(const FilePointer& file) {
  pool_.submit([this, file] { read_now(*file); });
}

void FileWorkers::conclude(const FilePointer& file, const Outputs& outputs, int place) {
  set_stage(*file, Stage::leaving);
  pool_.submit([this, file, outputs, place] { conclude_now(*file, *outputs, place); });
}

void FileWorkers::read_now(FileOnItsWay& file) {
  try {
    std::unique_ptr<Augmenter> augmenter = augmenters_.take();
    read_bytes(file.image.file, file.bytes);
    file.pixels.resize(Augmenter::image_bytes);
    const Augmenter::Size size = augmenter->evaluate({.bytes = file.bytes}, file.pixels);
    file.image.width = size.width;
    file.image.height = size.height;
    augmenters_.give_back(std::move(augmenter));
  } catch (const Error& error) {
    file.unread = error.what();
  } catch (...) {
    file.failure = std::current_exception();
  }
  if (!file.unread.empty() || file.failure || !options_.draw) std::vector<std::byte>().swap(file.bytes);
  const std::scoped_lock lock(mutex_);
  bytes_ += file.bytes.size();
  file.stage = Stage::read;
  moved_.notify_all();
}

void FileWorkers::conclude_now(FileOnItsWay& file, const std::vector<Tensor>& outputs, int place) {
  const std::size_t bytes = file.bytes.size();
  try {
    find_objects(file.image, outputs, place);
    if (!file.image.drawing.empty()) draw(file);
  } catch (...) {
    file.failure = std::current_exception();
  }
  std::vector<std::byte>().swap(file.bytes);
  const std::scoped_lock lock(mutex_);
  bytes_ -= bytes;
  file.stage = Stage::done;
  moved_.notify_all();
}

void FileWorkers::find_objects(DetectedImage& image, const std::vector<Tensor>& outputs, int place) const {
  try {
    const auto detections = predictor_.detections(outputs, place, 1);
    for (const Detection& detection : detections.front())
      image.objects.push_back(object_in(image, detection, categories_));
  } catch (const Error& error) {
    throw Error("{}", with_name(image.file, error.what()));
  }
}

void FileWorkers::draw(FileOnItsWay& file) const {
  try {
    const Orientation orientation = orientation_of_tag(read_image_header(file.bytes).orientation);
    options_.draw(file.image, oriented(decode_image(file.bytes), orientation));
  } catch (const Error& error) {
    file.undrawn = error.what();
    file.image.drawing.clear();
  }
}

FileWorkers::Stage FileWorkers::stage_of(const FileOnItsWay& file) {
  const std::scoped_lock lock(mutex_);
  return file.stage;
}

void FileWorkers::set_stage(FileOnItsWay& file, Stage stage) {
  const std::scoped_lock lock(mutex_);
  file.stage = stage;
}

void FileWorkers::wait_while(const FileOnItsWay& file, Stage stage) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return file.stage != stage; });
}

std::size_t FileWorkers::bytes_in_memory() {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace ssd
