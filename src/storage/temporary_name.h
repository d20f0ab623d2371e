// Names that files and folders have until they are complete: '.NAME.tmp-PID-RANDOM', hidden and beside NAME,
// so that the rename stays in one file system. Nobody can guess one and put a link in its place beforehand.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace ssd {

// A fresh one for `path`. A long NAME is cut, so that every name that a file may have has temporary ones.
std::filesystem::path temporary_name(const std::filesystem::path& path);

// Whether a file name is a temporary one, also of an earlier version ('.NAME.tmp-PID-N').
bool is_temporary_name(std::string_view name);

struct TemporaryFile {
  std::filesystem::path path;
  int descriptor = -1;  // open for reading and writing
};

// Creates an empty file under a temporary name of `path` and locks it (flock) while the descriptor is open,
// which tells others that its writer lives. The descriptor is the caller's. Throws Error with the name of
// `path` and the system's reason.
TemporaryFile create_temporary(const std::filesystem::path& path);

struct Leftovers {
  std::size_t removed = 0;
  std::size_t live = 0;  // another process, or another part of this one, is writing these
};

// Removes temporary files of `path` whose writer was killed: regular files of this user's that nobody has
// locked. Nothing is thrown: not to be able to clean is no reason not to write.
Leftovers remove_leftovers_of(const std::filesystem::path& path);

// The same for every name in a folder.
Leftovers remove_leftovers_in(const std::filesystem::path& folder);

// The folder that a path lies in: "." for a bare name.
std::filesystem::path folder_of(const std::filesystem::path& path);

}  // namespace ssd
