// Detections in COCO's result format: any bytes are read or refused, in pieces as in a whole, and what is
// read can be written, read again with the same numbers, and evaluated.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "eval/coco_eval.h"
#include "eval/detections_file.h"
#include "eval/detections_json.h"
#include "file_in_folder.h"

namespace {

// Every other detection is an object too, so that boxes of foreign sizes meet each other. One category: its
// curves are most of the work.
void check_evaluation(const std::vector<ssd::DetectedBox>& detections) {
  std::vector<std::int64_t> images;
  std::vector<ssd::GroundTruthBox> objects;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const ssd::DetectedBox& box = detections[i];
    images.push_back(box.image_id);
    if (i % 2 == 0)
      objects.push_back({.id = static_cast<std::int64_t>(i) + 1,
                         .image_id = box.image_id,
                         .category_id = box.category_id,
                         .box = box.box,
                         .area = box.box[2] * box.box[3],
                         .crowd = i % 4 == 2});
  }
  const std::vector<std::int64_t> categories = {detections.front().category_id};
  std::vector<ssd::DetectedBox> known = detections;
  if (!ssd::leave_out_unknown_images(known, images).empty() || known.size() != detections.size())
    std::abort();
  const ssd::CocoEvalResult result = ssd::evaluate_coco(
      {.image_ids = images, .category_ids = categories, .ground_truth = objects, .detections = detections});
  for (const double value : result.precision)
    if (value != -1 && !(0 <= value && value <= 1)) std::abort();
  for (const double value : result.recall)
    if (value != -1 && !(0 <= value && value <= 1)) std::abort();
}

// Their bytes, for NaN differs from itself; nothing where they are refused.
std::optional<std::string> read(const std::function<std::vector<ssd::DetectedBox>()>& reader) {
  try {
    const std::vector<ssd::DetectedBox> boxes = reader();
    return std::string(reinterpret_cast<const char*>(boxes.data()), boxes.size() * sizeof(ssd::DetectedBox));
  } catch (const ssd::Error&) {
    return {};
  }
}

bool is_finite(const ssd::DetectedBox& one) {
  return std::isfinite(one.score) && std::ranges::all_of(one.box, [](double v) { return std::isfinite(v); });
}

void check_pieces(const std::uint8_t* data, std::size_t size) {
  static const ssd::FuzzFolder folder;
  static ssd::ThreadPool pool(1);
  folder.write("found.json", data, size);
  const std::string path = (folder.path() / "found.json").string();
  if (read([&] { return ssd::read_detections(path); }) !=
      read([&] { return ssd::read_detections(path, pool, nullptr, 40); }))
    std::abort();
  ssd::DetectionFaults faults, piece_faults;
  if (read([&] { return ssd::read_detections(path, &faults); }) !=
          read([&] { return ssd::read_detections(path, pool, &piece_faults, 40); }) ||
      faults.first != piece_faults.first)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_pieces(data, size);
  std::vector<ssd::DetectedBox> detections;
  try {
    detections = ssd::parse_detections({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  } catch (const ssd::Error&) {
    return 0;
  }
  if (std::ranges::all_of(detections, is_finite) &&
      ssd::parse_detections(ssd::write_detections(detections), "again.json") != detections)
    std::abort();
  if (!detections.empty()) check_evaluation(detections);
  return 0;
}
