// Data sets of others: the first byte says which file of a small YOLO or VOC set the rest is. It is imported
// or refused, and what is imported is a COCO file that can be read.
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "data/dataset/coco.h"
#include "file_in_folder.h"
#include "prepare/import/import.h"

namespace {

namespace fs = std::filesystem;

// A gray PNG of 1 x 1.
constexpr std::array<unsigned char, 67> image{
    0x89, 'P',  'N',  'G',  '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,  'I',  'H',  'D',  'R',  0,
    0,    0,    1,    0,    0,    0,    1,    8,    0,    0,    0,    0,   0x3a, 0x7e, 0x9b, 0x55, 0,
    0,    0,    10,   'I',  'D',  'A',  'T',  0x78, 0x9c, 0x63, 0x60, 0,   0,    0,    2,    0,    1,
    0x48, 0xaf, 0xa4, 0x71, 0,    0,    0,    0,    'I',  'E',  'N',  'D', 0xae, 0x42, 0x60, 0x82};

const std::string data_file = "train: images/train\nval: images/val\nnames: [a, b]\n",
                  label = "0 0.5 0.5 0.5 0.5\n";
const std::string xml =
    "<annotation><filename>0.png</filename><size><width>1</width><height>1</height></size><object><name>a</"
    "name>"
    "<bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></object></annotation>";

template <typename Import>
void import(const fs::path& target, const Import& make) {
  fs::remove_all(target);
  try {
    make();
  } catch (const ssd::Error&) {
    return;
  }
  for (const char* split : {"train2017", "val2017"})
    ssd::read_coco(target / "annotations" / (std::string("instances_") + split + ".json"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ssd::FuzzFolder folder;
  if (size == 0) return 0;
  const fs::path target = folder.path() / "coco";
  const bool yolo = data[0] % 4 < 2;
  const std::string root = yolo ? "yolo/" : "voc/";
  if (yolo) {
    folder.write(root + "data.yaml", data_file.data(), data_file.size());
    for (const char* split : {"train", "val"}) {
      folder.write(root + "images/" + split + "/0.png", image.data(), image.size());
      folder.write(root + "labels/" + split + "/0.txt", label.data(), label.size());
    }
  } else {
    for (const char* name : {"0", "1"}) {
      folder.write(root + "JPEGImages/" + name + ".png", image.data(), image.size());
      folder.write(root + "Annotations/" + name + ".xml", xml.data(), xml.size());
    }
    folder.write(root + "ImageSets/Main/train.txt", "0\n", 2);
    folder.write(root + "ImageSets/Main/val.txt", "1\n", 2);
  }
  constexpr std::array<const char*, 4> files{"data.yaml", "labels/train/0.txt", "Annotations/0.xml",
                                             "ImageSets/Main/train.txt"};
  folder.write(root + files[data[0] % 4], data + 1, size - 1);
  if (yolo)
    import(target, [&] { ssd::import_yolo(folder.path() / "yolo", target);
});
else import(target, [&] { ssd::import_voc(folder.path() / "voc", target); });
return 0;
}
