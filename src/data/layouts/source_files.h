// Finding one's way in a folder of images and annotations of unknown layout.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/layouts/foreign_set.h"
#include "image/exif.h"
#include "storage/folder_walk.h"

namespace ssd {

// The files below a folder, as FolderWalk finds them, by kind and sorted by path.
class SourceFiles {
 public:
  // The files below all `roots`; names are relative to the first. `except` (the folder to be written) is
  // passed over too. Throws Error where a root is no folder.
  SourceFiles(const std::vector<std::filesystem::path>& roots, const std::filesystem::path& except);

  const std::filesystem::path& root() const { return root_; }

  // Files with the endings of images, of those formats too that are not read (jxl, svg, ...).
  const std::vector<std::filesystem::path>& image_files() const { return images_; }
  const std::vector<std::filesystem::path>& xml_files() const { return xml_; }
  const std::vector<std::filesystem::path>& text_files() const { return text_; }

  // Folders and links that could not be followed.
  const std::vector<FolderWalk::Unreadable>& unreadable() const { return walk_.unreadable(); }

  // The image called `name` (with or without folders and extension). Capitals and Unicode's normal form
  // may differ where one spelling alone fits. Where there are several, the one spelled so, then the one with
  // the same last folders, then the nearest to the file `from` in the tree, then the one with that extension.
  // A name that leads nowhere may come from a web server (names_in_url()).
  std::optional<std::filesystem::path> find_image(std::string_view name,
                                                  const std::filesystem::path& from) const;

  // The path below the first root, with slashes; the whole path of a file that lies elsewhere.
  std::string name_of(const std::filesystem::path& file) const;

 private:
  std::optional<std::filesystem::path> find_spelled(std::string_view name,
                                                    const std::filesystem::path& from) const;
  void add_file(const std::filesystem::path& file);

  std::filesystem::path root_;
  FolderWalk walk_;
  std::vector<std::filesystem::path> images_, xml_, text_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_stem_;  // comparable
};

// How many folders the paths have in common, from the root down.
std::ptrdiff_t shared_depth(const std::filesystem::path& a, const std::filesystem::path& b);

// Absolute, without "." and "..", without a slash at its end.
std::filesystem::path plain_path(const std::filesystem::path& path);
bool is_below(const std::filesystem::path& file, const std::filesystem::path& folder);

// What an image's header says, for readers.
struct ImageSize {
  int width = 0;  // as stored
  int height = 0;
  Orientation orientation;  // by EXIF
};

// Throws Error where it is no image that can be read or the header is broken.
ImageSize read_image_size(const std::filesystem::path& file);

// Fills in `image.width` and `height` (as stored) of every image, on several threads, and removes those
// that cannot be used, with a note. `orientations` gets what EXIF says of each image that remains.
void read_image_sizes(std::vector<ForeignImage>& images, const ForeignOptions& options,
                      std::vector<Orientation>& orientations, ForeignNotes& notes);

// Notes what the source could not follow.
void note_unreadable(const SourceFiles& source, ForeignNotes& notes);

}  // namespace ssd
