#include "detect/image_list.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>
#include <system_error>

#include "base/counted.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/text_file.h"
#include "image/format.h"
#include "storage/folder_walk.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::string lower_ending(const fs::path& file) {
  std::string ending = file.extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

bool is_there(const fs::path& path) {
  std::error_code unknown;
  return fs::exists(fs::symlink_status(path, unknown));
}

bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

// "12 files of other types (10 .txt, 2 without an ending)".
std::string files_text(const std::map<std::string, std::size_t>& files) {
  std::size_t sum = 0;
  std::string kinds;
  for (const auto& [ending, count] : files) {
    sum += count;
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count,
                         ending.empty() ? "without an ending" : ending);
  }
  return fmt::format("{} of other types ({})", counted(sum, "file[s]"), kinds);
}

std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown; ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > shown ? text + ", ..." : text;
}

void append(ImageList& list, const ImageList& more) {
  list.files.insert(list.files.end(), more.files.begin(), more.files.end());
  for (const auto& [ending, count] : more.other_files) list.other_files[ending] += count;
  list.sub_folders.insert(list.sub_folders.end(), more.sub_folders.begin(), more.sub_folders.end());
  list.unreadable.insert(list.unreadable.end(), more.unreadable.begin(), more.unreadable.end());
}

void append_by_name(ImageList& list, std::vector<fs::path> files) {
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    if (is_image_name(file)) {
      list.files.push_back(file.string());
    } else {
      ++list.other_files[lower_ending(file)];
    }
  }
}

ImageList images_in(const fs::path& folder, const ImageListOptions& options) {
  const bool follow = options.sub_folders == ImageListOptions::SubFolders::follow;
  // Results that go into the folder itself lie among its images, and are some of them.
  std::error_code unknown;
  const bool is_except = fs::equivalent(folder, options.except, unknown);
  FolderWalk walk(is_except ? fs::path() : options.except,
                  follow ? FolderWalk::Depth::all : FolderWalk::Depth::one);
  walk.add(folder);
  ImageList list;
  append_by_name(list, walk.files());
  for (const fs::path& left : walk.folders_left()) list.sub_folders.push_back(left.string());
  std::ranges::sort(list.sub_folders);
  for (const FolderWalk::Unreadable& one : walk.unreadable())
    list.unreadable.push_back(fmt::format("{}: {}", one.path.string(), one.reason));
  return list;
}

void require_images(const ImageList& list, const std::string& argument, std::string_view kind) {
  if (!list.files.empty()) return;
  const std::string seen = list.passed_over();
  throw Error("{}: got a {} without an image, expected {} files{}{}", argument, kind, image_format_names(),
              seen.empty() ? "" : "; ", seen);
}

class Lister {
 public:
  explicit Lister(const ImageListOptions& options) : options_(options) {}

  void add(const std::string& argument, const fs::path& beside = {});
  ImageList take() { return std::move(list_); }

 private:
  void add_standard_input();
  void add_folder(const std::string& folder);
  void add_pattern(const std::string& pattern);
  void add_list(const std::string& file);

  const ImageListOptions& options_;
  ImageList list_;
  std::vector<std::string> lists_;  // that are being read, the outermost first
};

// `beside`: the folder of the list that the argument stands in.
void Lister::add(const std::string& argument, const fs::path& beside) {
  if (argument == standard_input) {
    add_standard_input();
    return;
  }
  const std::string elsewhere = (beside / argument).string();
  const std::string& found = !is_there(argument) && is_there(elsewhere) ? elsewhere : argument;
  if (is_folder(found)) {
    add_folder(found);
  } else if (is_there(found)) {
    list_.files.push_back(found);
  } else if (argument.starts_with('@')) {
    add_list(argument.substr(1));
  } else if (argument.find_first_of("*?[") != argument.npos) {
    add_pattern(argument);
  } else {
    list_.files.push_back(argument);  // opening it says what is wrong, and the others go on
  }
}

void Lister::add_standard_input() {
  if (std::ranges::find(list_.files, standard_input) != list_.files.end())
    throw Error("-: got standard input twice, expected one image from it; give the other as a file");
  list_.files.emplace_back(standard_input);
}

void Lister::add_folder(const std::string& folder) {
  const ImageList list = images_in(folder, options_);
  require_images(list, folder, "folder");
  append(list_, list);
}

void Lister::add_pattern(const std::string& pattern) {
  if (pattern.find("**") != pattern.npos) {
    throw Error(
        "{}: got \"**\" in a pattern, expected \"*\", \"?\" or \"[a-z]\"; give the folder, for sub-folders "
        "are followed",
        pattern);
  }
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
  std::vector<fs::path> files, folders;
  for (const char* path : std::span(found.gl_pathv, status == 0 ? found.gl_pathc : 0))
    (is_folder(path) ? folders : files).emplace_back(path);
  ::globfree(&found);
  if (files.empty() && folders.empty())
    throw Error("{}: got a pattern that no file fits, expected images; check the path", pattern);
  ImageList list;
  append_by_name(list, std::move(files));
  for (const fs::path& folder : folders) {
    if (options_.sub_folders == ImageListOptions::SubFolders::follow) {
      append(list, images_in(folder, options_));
    } else {
      list.sub_folders.push_back(folder.string());
    }
  }
  require_images(list, pattern, "pattern");
  append(list_, list);
}

void Lister::add_list(const std::string& file) {
  if (!is_there(file))
    throw Error("@{}: got no file {}, expected a list with the path of an image a line; check the path", file,
                file);
  if (std::ranges::find(lists_, file) != lists_.end())
    throw Error("@{}: got a list that names itself, expected images", file);
  lists_.push_back(file);
  const std::size_t before = list_.files.size();
  std::istringstream lines(decode_text(read_text_file(file, budget::list), file, UnknownEncoding::keep));
  const fs::path folder = fs::path(file).parent_path();
  for (std::string line; std::getline(lines, line);) {
    line.erase(
        std::find_if(line.rbegin(), line.rend(), [](unsigned char c) { return std::isspace(c) == 0; }).base(),
        line.end());
    const bool is_comment = line.starts_with('#') && !is_there(line) && !is_there(folder / line);
    if (!line.empty() && !is_comment) add(line, folder);
  }
  lists_.pop_back();
  if (list_.files.size() == before)
    throw Error("@{}: got an empty list, expected the path of an image a line; check the file", file);
}

}  // namespace

std::string ImageList::passed_over() const {
  std::string text;
  const auto also = [&text](const std::string& more) {
    text += (text.empty() ? "passed over: " : "; ") + more;
  };
  if (!other_files.empty()) also(files_text(other_files));
  if (!sub_folders.empty())
    also(fmt::format("{} ({}), without --no-recursive {} followed",
                     counted(sub_folders.size(), "sub-folder[s]"), names_text(sub_folders),
                     in_number(sub_folders.size(), "[it is|they are]")));
  if (!unreadable.empty())
    also(fmt::format("{} that cannot be read ({})", unreadable.size(), names_text(unreadable)));
  return text;
}

ImageList list_images(std::span<const std::string> arguments, const ImageListOptions& options) {
  Lister lister(options);
  for (const std::string& argument : arguments) lister.add(argument);
  return lister.take();
}

}  // namespace ssd
