// Data sets whose annotations are no COCO file (YOLO, Pascal VOC, ...) as their readers give them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

struct ForeignOptions {
  double val_share = 0.1;  // of the images that are for validation where the source names no splits
  std::uint64_t seed = 0;  // which ones
  int threads = 2;
  // Names of the classes in the order of their ids 1, 2, ...; empty: the reader's own rule.
  std::vector<std::string> classes;
  // What is_fault() names is left out, or is an Error.
  enum class Faults { leave_out, refuse };
  Faults faults = Faults::leave_out;
  std::filesystem::path except;  // a folder within the source that is passed over: the one to be written
};

// What a reader left out, changed, or wants to be known.
enum class ForeignNote {
  image_of_other_format,        // left out: not in the table of image/format.h, by its name
  image_unreadable,             // left out: its header is broken, or it is no image in spite of its name
  image_without_annotation,     // left out (VOC) or taken as an image without boxes (YOLO)
  image_in_no_split,            // left out: there are lists, and it is in none of those used
  image_in_both_splits,         // taken for validation only
  image_orientation_ambiguous,  // kept: its size does not tell whether boxes follow its EXIF orientation
  annotation_without_image,     // left out
  listed_without_image,         // a line of a list that leads nowhere
  not_an_annotation,            // an xml file of another kind
  annotation_unreadable,        // left out with its image: a file that makes no sense
  object_unreadable,            // left out: a line of labels, or an object of an xml file
  name_not_utf8,                // taken as Latin-1: a class, or an image, which is renamed
  size_differs,                 // the annotation states another size; the image's own is taken
  box_without_size,             // left out: zero or negative width or height
  box_difficult,                // left out as asked for
  box_over_edge,                // kept as it is: reaches over the image's edge by more than a pixel
  polygon_boxed,                // kept: the bounding box of a polygon
  box_tracked,                  // kept: a confidence and the number of a track stand behind the box
  box_with_key_points,          // kept: key points stand behind the box
  path_unreadable,              // left out: a folder or link that cannot be followed
  split_empty,                  // no image is left to train on
  split_missing,                // a folder or list that the data file names and that is not there
  object_repeated,              // taken once: a line of labels that is the same as another of its file
  id_repeated,                  // an image or a category left out: another one has its id
  classes_alike,                // kept apart: classes whose names differ in capitals alone
  classes_miscounted,           // a data file counts more or fewer classes than it names: the names count
};
// "image_unreadable": the names in JSON.
const char* name_of(ForeignNote note);
// "image[s] left out: the header is broken": for counted(), for people.
std::string describe(ForeignNote note);
// Whether something is missing that the annotations meant to be there: --strict stops at these.
bool is_fault(ForeignNote note);

// The notes of one reading, each with its places ("a.xml", "b.txt:7: got ...").
class ForeignNotes {
 public:
  using Places = std::vector<std::string>;

  void add(ForeignNote what, std::string place) { places_[what].push_back(std::move(place)); }

  bool empty() const { return places_.empty(); }
  std::size_t size() const { return places_.size(); }  // kinds
  bool contains(ForeignNote what) const { return places_.contains(what); }
  const Places& at(ForeignNote what) const { return places_.at(what); }
  auto begin() const { return places_.begin(); }
  auto end() const { return places_.end(); }

 private:
  std::map<ForeignNote, Places> places_;
};

// One box as read: pixels, left, top, width, height.
struct ForeignBox {
  std::string category;
  std::array<double, 4> bbox{};
};

enum class ForeignSplit { none, train, val };

struct ForeignImage {
  std::filesystem::path file;
  std::string name;  // path below the source, with slashes; the whole path of a file that lies elsewhere
  int width = 0;     // pixels; of the image that the boxes belong to
  int height = 0;
  ForeignSplit split = ForeignSplit::none;
  std::vector<ForeignBox> boxes;
};

struct ForeignSet {
  std::filesystem::path root;  // the folder that images' names begin at
  std::vector<ForeignImage> images;
  std::vector<std::string> classes;  // in the order of their ids 1, 2, ...
  std::string splits_from;           // "lists: train for training, val for validation", ...
  ForeignNotes notes;
};

// Throws Error with the first fault where the options refuse them.
void refuse_faults(const ForeignNotes& notes, const ForeignOptions& options,
                   const std::filesystem::path& source);

// Notes classes whose names people may take for the same.
void note_classes_alike(ForeignSet& set);

// Notes the image's boxes that reach over its edge by more than a pixel, at `place`.
void note_boxes_over_edge(const ForeignImage& image, const std::string& place, ForeignNotes& notes);

// Both splits as COCO files. Image ids count from 1 in the order of `set.images`, those of no split included;
// annotation ids run on from train to val.
struct ForeignCoco {
  CocoFile train, val;
};

// `names` are the images' names in the COCO files, one for each. Throws Error where a class occurs twice or a
// box has a class that is not among them.
ForeignCoco to_coco(const ForeignSet& set, const std::vector<std::string>& names);
// Names lead from set.root to the files where they are.
ForeignCoco to_coco(const ForeignSet& set);

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace ssd
