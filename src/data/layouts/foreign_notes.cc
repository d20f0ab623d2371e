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
    case ForeignNote::box_with_key_points:
      return "box_with_key_points";
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
    case ForeignNote::classes_miscounted:
      return "classes_miscounted";
  }
  return "";
}

// Over 60 lines: two for each note.
std::string describe(ForeignNote note) {
  switch (note) {
    case ForeignNote::image_of_other_format:
      return fmt::format("image[s] left out: not {} (convert [it|them] to use [it|them])",
                         image_format_names());
    case ForeignNote::image_unreadable:
      return "image[s] left out: the header is broken";
    case ForeignNote::image_without_annotation:
      return "image[s] without an annotation file";
    case ForeignNote::image_in_no_split:
      return "image[s] left out: in none of the lists or folders used";
    case ForeignNote::image_in_both_splits:
      return "image[s] named for training and for validation (taken for validation only)";
    case ForeignNote::image_orientation_ambiguous:
      return "image[s] whose EXIF orientation does not change [its|their] size (2 to 4, or square): "
             "[its|their] boxes "
             "are read on the image as stored (where they are wrong there, rotate the file[s]; for JPEG, "
             "exiftran -ai)";
    case ForeignNote::annotation_without_image:
      return "annotation[s] left out: [its|their] image is not there";
    case ForeignNote::listed_without_image:
      return "line[s] of lists that [names|name] no image";
    case ForeignNote::not_an_annotation:
      return "xml file[s] passed over: no VOC annotations";
    case ForeignNote::annotation_unreadable:
      return "annotation file[s] left out with [its image|their images]: mend [it or remove it|them or "
             "remove them]";
    case ForeignNote::object_unreadable:
      return "box[es] left out: [its|their] line or object makes no sense";
    case ForeignNote::name_not_utf8:
      return "name[s] of classes or images that [is|are] not UTF-8 (taken as Latin-1)";
    case ForeignNote::size_differs:
      return "annotation[s] that [states|state] another size than [its|their] image has (the image's is "
             "taken)";
    case ForeignNote::box_without_size:
      return "box[es] left out: no width or no height";
    case ForeignNote::box_difficult:
      return "box[es] left out: marked difficult";
    case ForeignNote::box_over_edge:
      return "box[es] that [reaches|reach] over the image's edge (kept; training clips [it|them])";
    case ForeignNote::polygon_boxed:
      return "polygon[s] turned into [its bounding box|their bounding boxes]";
    case ForeignNote::box_tracked:
      return "box[es] with a confidence and the number of a track behind [it|them], which are passed over";
    case ForeignNote::box_with_key_points:
      return "box[es] with key points behind [it|them], which are passed over";
    case ForeignNote::path_unreadable:
      return "folder[s] or link[s] left out: [it|they] cannot be followed";
    case ForeignNote::split_empty:
      return "split[s] without any image, so that there is nothing to train on";
    case ForeignNote::split_missing:
      return "folder[s] or list[s] of the data file that [is|are] not there";
    case ForeignNote::object_repeated:
      return "line[s] of labels that [is|are] the same as another of their file (taken once)";
    case ForeignNote::id_repeated:
      return "image[s] or categor[y|ies] left out: [its id occurs|their ids occur] twice";
    case ForeignNote::classes_alike:
      return "class[es] that [differs|differ] from another in capitals alone ([it stays|they stay] apart)";
    case ForeignNote::classes_miscounted:
      return "data file[s] that [counts|count] more or fewer classes than [it names|they name] (the names "
             "count)";
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
    case ForeignNote::classes_miscounted:
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
    case ForeignNote::box_with_key_points:
    case ForeignNote::split_empty:
    case ForeignNote::object_repeated:
    case ForeignNote::classes_alike:
      return false;
  }
  return false;
}

}  // namespace ssd
