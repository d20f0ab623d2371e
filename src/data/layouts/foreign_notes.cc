#include <fmt/format.h>

#include "data/layouts/foreign_set.h"
#include "image/format.h"

namespace ssd {

const char* name_of(ForeignNote note) {
  switch (note) {
    case ForeignNote::image_of_other_format:
      return "image_of_other_format";
    case ForeignNote::image_unreadable:
      return "image_unreadable";
    case ForeignNote::image_without_annotation:
      return "image_without_annotation";
    case ForeignNote::image_in_no_split:
      return "image_in_no_split";
    case ForeignNote::image_in_both_splits:
      return "image_in_both_splits";
    case ForeignNote::image_orientation_ambiguous:
      return "image_orientation_ambiguous";
    case ForeignNote::annotation_without_image:
      return "annotation_without_image";
    case ForeignNote::listed_without_image:
      return "listed_without_image";
    case ForeignNote::not_an_annotation:
      return "not_an_annotation";
    case ForeignNote::annotation_unreadable:
      return "annotation_unreadable";
    case ForeignNote::object_unreadable:
      return "object_unreadable";
    case ForeignNote::name_not_utf8:
      return "name_not_utf8";
    case ForeignNote::size_differs:
      return "size_differs";
    case ForeignNote::box_without_size:
      return "box_without_size";
    case ForeignNote::box_difficult:
      return "box_difficult";
    case ForeignNote::box_over_edge:
      return "box_over_edge";
    case ForeignNote::polygon_boxed:
      return "polygon_boxed";
    case ForeignNote::box_tracked:
      return "box_tracked";
    case ForeignNote::path_unreadable:
      return "path_unreadable";
    case ForeignNote::split_empty:
      return "split_empty";
    case ForeignNote::split_missing:
      return "split_missing";
    case ForeignNote::object_repeated:
      return "object_repeated";
    case ForeignNote::id_repeated:
      return "id_repeated";
    case ForeignNote::classes_alike:
      return "classes_alike";
  }
  return "";
}

std::string describe(ForeignNote note) {
  switch (note) {
    case ForeignNote::image_of_other_format:
      return fmt::format("images left out: not {} (convert them to use them)", image_format_names());
    case ForeignNote::image_unreadable:
      return "images left out: the header is broken";
    case ForeignNote::image_without_annotation:
      return "images without an annotation file";
    case ForeignNote::image_in_no_split:
      return "images left out: in none of the lists or folders used";
    case ForeignNote::image_in_both_splits:
      return "images named for training and for validation (taken for validation only)";
    case ForeignNote::image_orientation_ambiguous:
      return "images whose EXIF orientation does not change their size (2 to 4, or square): their boxes "
             "are read on the image as stored (where they are wrong there, rotate the files; for JPEG, "
             "exiftran -ai)";
    case ForeignNote::annotation_without_image:
      return "annotations left out: their image is not there";
    case ForeignNote::listed_without_image:
      return "lines of lists that name no image";
    case ForeignNote::not_an_annotation:
      return "xml files passed over: no VOC annotations";
    case ForeignNote::annotation_unreadable:
      return "annotation files left out with their images: mend them or remove them";
    case ForeignNote::object_unreadable:
      return "boxes left out: their line or object makes no sense";
    case ForeignNote::name_not_utf8:
      return "names of classes or images that are not UTF-8 (taken as Latin-1)";
    case ForeignNote::size_differs:
      return "annotations that state another size than their image has (the image's is taken)";
    case ForeignNote::box_without_size:
      return "boxes left out: no width or no height";
    case ForeignNote::box_difficult:
      return "boxes left out: marked difficult";
    case ForeignNote::box_over_edge:
      return "boxes that reach over the image's edge (kept; training clips them)";
    case ForeignNote::polygon_boxed:
      return "polygons turned into their bounding boxes";
    case ForeignNote::box_tracked:
      return "boxes with a confidence and the number of a track behind them, which are passed over";
    case ForeignNote::path_unreadable:
      return "folders or links left out: they cannot be followed";
    case ForeignNote::split_empty:
      return "splits without any image, so that there is nothing to train on";
    case ForeignNote::split_missing:
      return "folders or lists of the data file that are not there";
    case ForeignNote::object_repeated:
      return "lines of labels that are the same as another of their file (taken once)";
    case ForeignNote::id_repeated:
      return "images or categories left out: their ids occur twice";
    case ForeignNote::classes_alike:
      return "classes that differ from another in capitals alone (they stay apart)";
  }
  return "";
}

bool is_fault(ForeignNote note) {
  switch (note) {
    case ForeignNote::image_of_other_format:
    case ForeignNote::image_unreadable:
    case ForeignNote::annotation_without_image:
    case ForeignNote::listed_without_image:
    case ForeignNote::annotation_unreadable:
    case ForeignNote::object_unreadable:
    case ForeignNote::box_without_size:
    case ForeignNote::path_unreadable:
    case ForeignNote::split_missing:
    case ForeignNote::id_repeated:
      return true;
    case ForeignNote::image_without_annotation:
    case ForeignNote::image_in_no_split:
    case ForeignNote::image_in_both_splits:
    case ForeignNote::image_orientation_ambiguous:
    case ForeignNote::not_an_annotation:
    case ForeignNote::name_not_utf8:
    case ForeignNote::size_differs:
    case ForeignNote::box_difficult:
    case ForeignNote::box_over_edge:
    case ForeignNote::polygon_boxed:
    case ForeignNote::box_tracked:
    case ForeignNote::split_empty:
    case ForeignNote::object_repeated:
    case ForeignNote::classes_alike:
      return false;
  }
  return false;
}

}  // namespace ssd
