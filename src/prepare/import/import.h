// Bringing data sets of other formats into COCO's layout: what all importers share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ssd {

struct ImportOptions {
  double val_share = 0.1;  // of the images that go to val2017 where the source names no splits
  std::uint64_t seed = 0;  // which ones
  int threads = 2;
  // Names of the classes in the order of their ids 1, 2, ...; empty: the importer's own rule.
  std::vector<std::string> classes;
};

// What an import left out, changed, or wants to be known.
enum class ImportNote {
  image_of_other_format,        // left out: not in the table of image/format.h, by its name
  image_unreadable,             // left out: its header is broken, or it is no image in spite of its name
  image_without_annotation,     // left out (VOC) or taken as an image without boxes (YOLO)
  image_in_no_split,            // left out: there are lists, and it is in none of those used
  image_in_both_splits,         // taken for validation only
  image_orientation_ambiguous,  // kept: its size does not tell whether boxes follow its EXIF orientation
  annotation_without_image,     // left out
  listed_without_image,         // a line of a list that leads nowhere
  not_an_annotation,            // an xml file of another kind
  annotation_unreadable,        // left out with its image: a file or a line in it that makes no sense
  name_not_utf8,                // taken as Latin-1: a class, or an image, which is renamed
  size_differs,                 // the annotation states another size; the image's own is taken
  box_without_size,             // left out: zero or negative width or height
  box_difficult,                // left out as asked for
  box_over_edge,                // kept as it is: reaches over the image's edge by more than a pixel
  polygon_boxed,                // kept: the bounding box of a polygon
  path_unreadable,              // left out: a folder or link that cannot be followed
  split_empty,                  // no image is left to train on
};
std::string describe(ImportNote note);

// How often, and the first few places ("a.xml", "b.txt:7").
struct ImportNotes {
  std::size_t count = 0;
  std::vector<std::string> places;
};

struct ImportReport {
  struct Split {
    std::size_t images = 0;
    std::size_t boxes = 0;
  };
  struct Class {
    std::string name;
    std::size_t boxes = 0;
  };
  Split train, val;
  std::vector<Class> classes;  // in the order of their ids
  std::string splits_from;     // "lists train, val + test", "a share of 10% (seed 0)", ...
  std::size_t linked = 0;      // images that share their bytes with the source
  std::size_t copied = 0;
  std::size_t present = 0;  // images that were in their place already
  std::map<ImportNote, ImportNotes> notes;

  void note(ImportNote what, std::string place);
  std::string to_text() const;  // several lines for a person
  std::string to_json() const;  // one line
};

// One box as read: pixels, left, top, width, height.
struct ImportedBox {
  std::string category;
  std::array<double, 4> bbox{};
};

enum class ImportSplit { none, train, val };

struct ImportedImage {
  std::filesystem::path file;
  std::string name;  // path below the source, with slashes
  int width = 0;     // pixels; of the image that the boxes belong to
  int height = 0;
  ImportSplit split = ImportSplit::none;
  std::vector<ImportedBox> boxes;
};

// Writes FOLDER/annotations/instances_{train2017,val2017}.json and the images FOLDER/{train2017,val2017}/,
// as hard links where the file system can and copies otherwise, named like the source's files (with their
// folders in front where a name occurs twice). Image ids count from 1 in the order of `images`, left out ones
// included; annotation ids run on from train to val. The annotation files are written last, whole or not at
// all. Images of split none are left out and noted, as is an empty training split. Fills the report's counts.
// Throws Error where FOLDER holds annotation files already, a class occurs twice in `classes`, a box has a
// class that is not among them, or nothing is left to write.
void write_coco_folder(const std::vector<ImportedImage>& images, const std::vector<std::string>& classes,
                       const std::filesystem::path& folder, ImportReport& report);

// Notes the image's boxes that reach over its edge by more than a pixel, at `place`.
void note_boxes_over_edge(const ImportedImage& image, const std::string& place, ImportReport& report);

// Throws Error where `folder` is the source or holds instances files already, so that nothing is read in
// vain.
void check_import_target(const std::filesystem::path& folder, const std::filesystem::path& source = {});

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace ssd
