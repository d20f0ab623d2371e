// The images that a command line names.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace ssd {

struct ImageListOptions {
  enum class SubFolders { follow, leave };

  SubFolders sub_folders = SubFolders::follow;
  std::filesystem::path except;  // a folder that is not looked into: that of the results
};

struct ImageList {
  std::vector<std::string> files;  // in the order of the arguments, those of a folder or a pattern by name
  // Passed over in folders and behind patterns, for they are no images by their names: ".txt" (in lower case;
  // "" without an ending) and how many.
  std::map<std::string, std::size_t> other_files;
  std::vector<std::string> sub_folders;  // not looked into
  std::vector<std::string> unreadable;   // "DIR: Permission denied"

  // "passed over: 3 files of other types (2 .txt, 1 without an ending)", and so on; empty where nothing was.
  std::string passed_over() const;
};

// An image from standard input goes by this name.
inline constexpr const char* standard_input = "-";

// An argument is an image file, whatever its name; a folder, with those below it; a pattern of glob(7) where
// there is no file of that name, which may match both; "@LIST", a file with an argument a line, found from
// here or from the list's folder ("# ..." is a comment where there is no such file); or "-", one image from
// standard input. Throws Error for what is not there, a folder without images, a pattern without matches, and
// a second "-".
ImageList list_images(std::span<const std::string> arguments, const ImageListOptions& options = {});

}  // namespace ssd
