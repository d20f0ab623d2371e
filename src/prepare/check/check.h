// Looking a data set over before training on it: what is wrong, and what is in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset/dataset.h"

namespace ssd {

// What can be wrong.
enum class CheckProblem {
  annotations_unreadable,  // the annotation file is missing, no JSON or no COCO file
  duplicate_image_id,
  duplicate_file_name,  // two images of the annotation file share a file
  duplicate_annotation_id,
  duplicate_category,  // id or name
  unknown_image,       // an annotation of an image id that is not in the list
  unknown_category,
  box_without_size,  // width or height not positive
  box_outside,       // reaches over the image's edge by more than half a pixel
  image_missing,
  image_broken,        // cannot be decoded to the end
  size_differs,        // the image has the annotated size in neither orientation
  cache_damaged,       // a record cache that does not open
  no_boxes,            // nothing to train on in the annotations of a training split
  boxes_normalized,    // most boxes of a file lie within the first pixel
  boxes_as_corners,    // most are left, top, right, bottom
  path_unreadable,     // a folder or a link that cannot be followed
  entry_left_out,      // an image, an annotation or a category with a missing or mistyped field
  classes_miscounted,  // YOLO's data file counts more or fewer classes than it names
  // From here on notes: they need a look, but the data may be right.
  orientation_ambiguous,  // the size does not tell whether boxes follow the EXIF orientation
  image_in_two_splits,    // of training and validation
  split_of_other_name,    // training takes the annotation file only where it is named
  image_elsewhere,        // found by the last components of its name
  size_missing,           // an image's, taken from its file
  root_category,          // a heading of the others, no class
  annotation_id_zero,     // COCO's evaluation takes it for no object
  image_without_labels,   // of a YOLO set: an image without objects; of VOC: left out
  file_passed_over,       // of another kind, or in no split
  polygon_boxed,          // the bounding box counts
  track_passed_over,      // numbers of a tracker, or key points, behind the box
  box_difficult,          // marked so
  field_filled,           // an annotation without an id or an area, a category without a name: they get one
  ids_are_texts,          // of images
  label_repeated,         // a line of labels that stands twice in its file: taken once
  classes_alike,          // names of classes that differ in capitals alone
};
inline constexpr std::size_t check_problem_count = 35;
inline bool is_note(CheckProblem problem) { return problem >= CheckProblem::orientation_ambiguous; }

// "image_missing": the names in JSON.
const char* name_of(CheckProblem problem);
// "image[s] missing": for counted(), for people.
const char* describe(CheckProblem problem);

struct CheckFinding {
  CheckProblem problem;
  std::string place;   // the image, or the annotation file with what in it ("a.json: annotation 17")
  std::string detail;  // "got 640x480, expected 480x640"
};

// Smallest, middle and largest of a list of numbers; zeros of an empty one.
struct CheckSpread {
  double min = 0;
  double median = 0;
  double max = 0;
};

// What there is in one annotation file, or in a folder (or file) of images without annotations.
struct CheckSummary {
  std::string name;  // "val2017", the folder, or the file
  bool annotated = false;

  std::size_t images = 0;
  CheckSpread width, height;  // as annotated, or of the images where they are not annotated
  std::size_t images_decoded = 0;
  std::uint64_t image_bytes = 0;
  std::size_t gray = 0;
  std::size_t cmyk = 0;           // or YCCK
  std::size_t exif_oriented = 0;  // images with an EXIF orientation other than upright

  std::size_t boxes = 0;  // crowd boxes included
  std::size_t crowd_boxes = 0;
  std::size_t images_without_boxes = 0;
  CheckSpread boxes_per_image;
  // By the annotations' areas, at COCO's limits: below 32 x 32 pixels, up to 96 x 96, above.
  std::size_t small = 0, medium = 0, large = 0;
  CheckSpread box_width, box_height;                         // pixels
  std::vector<std::pair<std::string, std::size_t>> classes;  // boxes a class, in the file's order
};

struct CheckReport {
  std::string path;
  std::string layout;  // what a folder of annotations was taken for
  std::string unused;  // what else lies there
  std::vector<CheckSummary> summaries;
  std::vector<CheckFinding> findings;  // all of them
  double seconds = 0;

  bool good() const { return problems() == 0; }
  std::size_t problems() const;  // findings that are no notes
  std::size_t count(CheckProblem problem) const;

  // The summaries, then the findings by kind, of each kind at most `named` by name.
  std::string to_text(std::size_t named = 20) const;
  std::string to_json() const;  // one line, everything
};

struct CheckOptions {
  int threads = 0;  // 0: one for each processor
  // Every image is decoded to its last pixel, or only its header is read.
  enum class Images { decode, headers };
  Images images = Images::decode;
  std::function<void(std::size_t done, std::size_t total)> progress;  // from any thread, one at a time
};

// `path` is an image file, a record cache, YOLO's data file, or a folder: as DataFolder understands it, of
// which every annotation file is checked, or any other, below which every file is checked that is named
// as an image of a known format, as FolderWalk finds them. Formats are told by the first bytes, whatever the
// name. What is wrong with the data is in the report; Error is thrown only where there is nothing to check:
// no such path, no image in the folder.
CheckReport check_path(const std::filesystem::path& path, const CheckOptions& options = {});

// One annotation file and its images, wherever they lie.
CheckReport check_coco(const CocoPaths& paths, const std::string& name, const CheckOptions& options = {});

}  // namespace ssd
