// COCO annotation files: any bytes are read or refused, in pieces as in a whole, and what is read can be
// written, read again and made a data set of.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "data/dataset/coco.h"
#include "data/dataset/coco_file.h"
#include "data/dataset/dataset.h"
#include "file_in_folder.h"

namespace {

void check_dataset(const ssd::CocoFile& coco) {
  try {
    const ssd::Dataset dataset = ssd::make_dataset(
        coco, "images", {.empty_images = ssd::DatasetOptions::EmptyImages::keep}, "fuzz.json");
    for (const ssd::Sample& sample : dataset.samples)
      for (const ssd::LabeledBox& labeled : sample.boxes) {
        const ssd::Box& box = labeled.box;
        const bool inside = 0 <= box.left && box.left < box.right && box.right <= 1 && 0 <= box.top &&
                            box.top < box.bottom && box.bottom <= 1;
        const bool known = 1 <= labeled.label && labeled.label <= static_cast<int>(dataset.categories.size());
        if (!inside || !known) std::abort();
      }
  } catch (const ssd::Error&) {
  }
}

// The lists and what was left out; empty where the file is refused.
std::string summary(const std::function<ssd::CocoFile()>& reader) {
  try {
    const ssd::CocoFile coco = reader();
    std::string text = ssd::write_coco(coco);
    for (const ssd::CocoLeftOut& one : coco.left_out) text += "\n" + one.reason;
    return text;
  } catch (const ssd::Error&) {
    return "";
  }
}

void check_pieces(const std::uint8_t* data, std::size_t size) {
  static const ssd::FuzzFolder folder;
  static ssd::ThreadPool pool(1);
  folder.write("fuzz.json", data, size);
  const std::filesystem::path path = folder.path() / "fuzz.json";
  if (summary([&] { return ssd::read_whole_coco(path, {}); }) !=
      summary([&] { return ssd::read_coco_in_pieces(path, {}, pool, 40); }))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_pieces(data, size);
  ssd::CocoFile coco;
  try {
    coco = ssd::parse_coco({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  } catch (const ssd::Error&) {
    return 0;
  }
  const std::string text = ssd::write_coco(coco);
  if (ssd::write_coco(ssd::parse_coco(text, "again.json")) != text) std::abort();
  check_dataset(coco);
  return 0;
}
