// Annotations of formats that are not read: told by what they are, and what makes data of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ssd {

struct OtherAnnotations {
  std::filesystem::path file;  // the first of its kind, by name
  std::string text;  // "LabelMe's annotations, which are not read; convert them to COCO (labelme2coco)"
};

// What lies below the folder, one entry a format: LabelMe, VIA, CreateML, Label Studio's own, Supervisely,
// Datumaro, BDD100K, COCO's lists without images, tables of boxes (CSV), TensorFlow's records, KITTI, DOTA,
// dlib, Hugging Face's. Of each ending the first files are looked into, at their beginnings.
std::vector<OtherAnnotations> find_other_annotations(const std::filesystem::path& folder);

}  // namespace ssd
