// COCO annotation files ("instances_*.json"), as they stand: nothing filtered, nothing renumbered.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ssd {

struct CocoImage {
  std::int64_t id = 0;    // of a text id_of_text()
  std::string file_name;  // relative to the image folder
  int width = 0;          // pixels; the image as it was annotated; 0 where the file does not say
  int height = 0;
  std::string id_text = {};  // the id where the file writes it as a text: a UUID, a file's name, "12"
};

struct CocoAnnotation {
  std::int64_t id = 0;
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  std::array<double, 4> bbox{};  // left, top, width, height in pixels
  double area = 0;       // of the object's mask in pixels; width * height of the box where the file has none
  bool iscrowd = false;  // false where the file does not say
  bool ignore = false;   // false where the file does not say
};

struct CocoCategory {
  std::int64_t id = 0;  // of a text id_of_text()
  std::string name;
  std::string id_text = {};  // as that of images
};

// Whether the id is a text that is no number.
bool has_text_id(const CocoImage& image);
bool has_text_id(const CocoCategory& category);
// The id as the file writes it, without quotes.
std::string written_id(const CocoImage& image);
std::string written_id(const CocoCategory& category);

// What stands in a file but not in its lists, and why.
struct CocoLeftOut {
  // Those of the last two: another one further on has its id.
  enum class What { image, annotation, category, root_category, image_of_same_id, category_of_same_id };
  What what = What::annotation;
  std::string reason;  // "byte 17 (line 1): annotation 0: bbox: got null, expected a list (its id is 3)"
};

// What is in the lists otherwise than it stands in the file, with nothing lost.
struct CocoMended {
  enum class What {
    box_of_segmentation,  // an annotation without a bbox
    annotation_numbered,  // it has no id
    area_of_box,          // an annotation whose own makes no sense
    category_named,       // by its id
    image_repeated,       // listed again with the same file
    category_repeated,    // listed again with the same name
  };
  What what = What::box_of_segmentation;
  std::string text;  // "byte 17 (line 1): annotation 0 has no bbox: that of its segmentation is taken"
};

// All three in the file's order. Ids are not checked for being unique, nor references for leading somewhere.
struct CocoFile {
  std::vector<CocoImage> images;
  std::vector<CocoAnnotation> annotations;
  std::vector<CocoCategory> categories;
  std::vector<CocoLeftOut> left_out;  // also in the file's order
  std::vector<CocoMended> mended;
  // Texts that annotations have as the id of an image or a category that is not in the lists.
  std::map<std::int64_t, std::string> unlisted_ids = {};
};

// An id of an annotation's image or category that is not in the lists, as the file writes it.
std::string unlisted_id(const CocoFile& coco, std::int64_t id);

struct CocoReadOptions {
  // What is asked of images and categories. An evaluation needs their ids alone, and files made for one often
  // hold no more: with `ids`, images have neither name nor size, and a category without a name is named by
  // its id.
  enum class Fields { all, ids };
  Fields fields = Fields::all;
  // An entry with a missing or mistyped field is an Error, or costs no more than itself: it is in `left_out`.
  enum class Faults { refuse, leave_out };
  Faults faults = Faults::leave_out;
};

// Reads the file in one pass. Unknown fields are passed over; numbers may be written as texts ("12"), ids as
// 1 or 1.0, or any text. An annotation without a bbox gets that of its
// segmentation, one without an id gets one of its own, a category without a name is called by its id: that
// stands in `mended`. A category that no annotation uses, and that all others name as their supercategory, is
// a heading and no class (Roboflow writes such a root): it is left out. Throws Error `FILE: byte N: ...` for
// text that is not JSON, a missing list, and what `faults` says. The file may be a pipe. Large files are read
// by all processors, in pieces (coco_file.cc).
CocoFile read_coco(const std::filesystem::path& file, const CocoReadOptions& options = {});

// The same from memory; `name` stands for the file in messages.
CocoFile parse_coco(std::string_view json, std::string_view name, const CocoReadOptions& options = {});

// The three lists as JSON text on one line. parse_coco() gives back equal values;
// names that are no UTF-8 are written as if they were Latin-1.
std::string write_coco(const CocoFile& coco);

}  // namespace ssd
