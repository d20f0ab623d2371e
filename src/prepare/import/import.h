// Bringing data sets of other formats into COCO's layout.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "data/layouts/foreign_set.h"
#include "data/layouts/voc.h"

namespace ssd {

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
  std::string splits_from;     // "lists: train for training, val for validation", ...
  std::size_t linked = 0;      // images that share their bytes with the source
  std::size_t copied = 0;
  std::size_t present = 0;  // images that were in their place already
  ForeignNotes notes;

  std::string to_text() const;  // several lines for a person; of each note the first few places
  std::string to_json() const;  // one line; the same places
};

// Make the COCO folder `target` of a data set as read_voc, read_yolo and read_cvat read it. Throw Error as
// these and write_coco_folder do, and where the target is the source.
ImportReport import_voc(const std::filesystem::path& source, const std::filesystem::path& target,
                        VocOptions options = {});
ImportReport import_yolo(const std::filesystem::path& source, const std::filesystem::path& target,
                         ForeignOptions options = {});

ImportReport import_cvat(const std::filesystem::path& source, const std::filesystem::path& target,
                         ForeignOptions options = {});

// The same of COCO annotations however they lie (find_coco_layout()), as LVIS has them too; what COCO says of
// an annotation beside its box stays. Without a file for validation a share of the images is.
ImportReport import_coco(const std::filesystem::path& source, const std::filesystem::path& target,
                         const ForeignOptions& options = {});

// The same of whatever DataFolder finds in `source`.
ImportReport import_any(const std::filesystem::path& source, const std::filesystem::path& target,
                        ForeignOptions options = {});

// Writes FOLDER/annotations/instances_{train2017,val2017}.json and the images FOLDER/{train2017,val2017}/,
// as hard links where the file system can and copies otherwise, named like the source's files (with their
// folders in front where a name occurs twice). Ids as to_coco gives them. The annotation files are written
// last, whole or not at all. Images of no split are left out and noted, as is an empty training split. Throws
// Error where FOLDER holds annotation files already, where nothing is left to write, and as to_coco does.
ImportReport write_coco_folder(ForeignSet set, const std::filesystem::path& folder);

// The same with annotations that are there already: the images of each split in the set's order, which get
// their new names.
ImportReport write_coco_folder(ForeignSet set, ForeignCoco coco, const std::filesystem::path& folder);

// Throws Error where `folder` is the source or holds instances files already, so that nothing is read in
// vain.
void check_import_target(const std::filesystem::path& folder, const std::filesystem::path& source = {});

}  // namespace ssd
