#include "data/layouts/source_files.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <span>

#include "base/error.h"
#include "base/thread_pool.h"
#include "image/format.h"
#include "storage/comparable_name.h"
#include "storage/file_bytes.h"
#include "storage/name_in_url.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

// Images of formats that are not read are found too, to be named.
bool is_any_image_name(const fs::path& file) {
  constexpr std::string_view others[] = {".jp2", ".jxl", ".pgm", ".ppm", ".psd", ".svg", ".tga"};
  return is_image_name(file) || std::ranges::find(others, lower_extension(file)) != std::end(others);
}

// "a.b" stays as it is: only an image's or an annotation's extension is one.
std::string stem_of(const fs::path& name) {
  const std::string extension = lower_extension(name);
  const bool known = is_any_image_name(name) || extension == ".xml" || extension == ".txt";
  return known ? name.stem().string() : name.filename().string();
}

// How many parts the paths have in common, from the end up.
std::ptrdiff_t shared_tail(const fs::path& a, const fs::path& b) {
  const std::vector<fs::path> left(a.begin(), a.end()), right(b.begin(), b.end());
  return std::distance(left.rbegin(),
                       std::mismatch(left.rbegin(), left.rend(), right.rbegin(), right.rend()).first);
}

std::vector<std::byte> read_beginning(const fs::path& file, std::size_t most) {
  std::error_code unknown;  // opening the file says it better
  const fs::file_type type = fs::status(file, unknown).type();
  if (type != fs::file_type::regular && type != fs::file_type::not_found)
    throw Error("{}: this is no regular file", file.string());
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Error("{}: cannot be opened", file.string());
  std::vector<std::byte> bytes(most);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(most));
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

}  // namespace

std::ptrdiff_t shared_depth(const fs::path& a, const fs::path& b) {
  return std::distance(a.begin(), std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first);
}

fs::path plain_path(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

bool is_below(const fs::path& file, const fs::path& folder) {
  const fs::path whole = plain_path(file), part = plain_path(folder);
  return std::mismatch(part.begin(), part.end(), whole.begin(), whole.end()).first == part.end();
}

SourceFiles::SourceFiles(const std::vector<fs::path>& roots, const fs::path& except)
    : root_(plain_path(roots.at(0))), walk_(except) {
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto earlier = std::span(roots).first(i);
    const bool seen =
        std::ranges::any_of(earlier, [&](const fs::path& other) { return is_below(roots[i], other); });
    if (seen) continue;
    if (!fs::is_directory(roots[i]))
      throw Error("{}: is no folder; give the folder of the data set", roots[i].string());
    walk_.add(plain_path(roots[i]));
  }
  for (const fs::path& file : walk_.files()) add_file(file);
  for (std::vector<fs::path>* files : {&images_, &xml_, &text_}) {
    std::ranges::sort(*files);
    files->erase(std::unique(files->begin(), files->end()), files->end());
  }
  for (std::size_t i = 0; i < images_.size(); ++i)
    by_stem_[comparable_name(stem_of(images_[i]))].push_back(i);
}

void SourceFiles::add_file(const fs::path& file) {
  std::error_code dangling;
  if (!fs::is_regular_file(file, dangling)) return;
  if (is_any_image_name(file)) images_.push_back(file);
  if (lower_extension(file) == ".xml") xml_.push_back(file);
  if (lower_extension(file) == ".txt") text_.push_back(file);
}

std::optional<fs::path> SourceFiles::find_image(std::string_view name, const fs::path& from) const {
  if (auto found = find_spelled(name, from)) return found;
  for (const std::string& other : names_in_url(name))
    if (auto found = find_spelled(other, from)) return found;
  return std::nullopt;
}

std::optional<fs::path> SourceFiles::find_spelled(std::string_view name, const fs::path& from) const {
  std::string slashes(name);
  std::ranges::replace(slashes, '\\', '/');
  const fs::path wanted = fs::path(slashes).lexically_normal();
  const auto found = by_stem_.find(comparable_name(stem_of(wanted)));
  if (found == by_stem_.end()) return std::nullopt;
  const std::vector<std::size_t>& all = found->second;
  const auto is_exact = [&](std::size_t index) { return stem_of(images_[index]) == stem_of(wanted); };
  const auto is_as_first = [&](std::size_t index) {
    return stem_of(images_[index]) == stem_of(images_[all[0]]);
  };
  // Of names in other capitals one alone fits.
  if (std::ranges::none_of(all, is_exact) && !std::ranges::all_of(all, is_as_first)) return std::nullopt;
  const auto rank = [&](std::size_t index) {
    const fs::path& image = images_[index];
    return std::tuple(is_exact(index), shared_tail(image.parent_path(), wanted.parent_path()),
                      shared_depth(image, from), image.filename() == wanted.filename(), is_image_name(image));
  };
  return images_[*std::ranges::max_element(all, {}, rank)];
}

std::string SourceFiles::name_of(const fs::path& file) const {
  return is_below(file, root_) ? plain_path(file).lexically_relative(root_).generic_string()
                               : file.generic_string();
}

ImageSize read_image_size(const fs::path& file) {
  // The header is nearly always within the first part of the file.
  constexpr std::size_t first_part = 64u << 10;
  ImageInfo info;
  try {
    info = read_image_header(read_beginning(file, first_part));
  } catch (const Error&) {
    std::vector<std::byte> buffer;
    info = read_image_header(read_file(file.string(), buffer));
  }
  return {info.width, info.height, orientation_of_tag(info.orientation)};
}

void read_image_sizes(std::vector<ForeignImage>& images, const ForeignOptions& options,
                      std::vector<Orientation>& orientations, ForeignNotes& notes) {
  std::vector<ImageSize> sizes(images.size());
  std::vector<std::string> reasons(images.size());
  ThreadPool(std::max(1, options.threads)).parallel_for(images.size(), [&](std::size_t i) {
    if (!is_image_name(images[i].file)) return;
    try {
      sizes[i] = read_image_size(images[i].file);
    } catch (const Error& error) {
      reasons[i] = error.what();
    }
  });
  std::vector<ForeignImage> usable;
  orientations.clear();
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (!is_image_name(images[i].file)) {
      notes.add(ForeignNote::image_of_other_format, images[i].name);
    } else if (!reasons[i].empty()) {
      notes.add(ForeignNote::image_unreadable, fmt::format("{} ({})", images[i].name, reasons[i]));
    } else {
      images[i].width = sizes[i].width;
      images[i].height = sizes[i].height;
      orientations.push_back(sizes[i].orientation);
      usable.push_back(std::move(images[i]));
    }
  }
  images = std::move(usable);
}

void note_unreadable(const SourceFiles& source, ForeignNotes& notes) {
  for (const FolderWalk::Unreadable& one : source.unreadable())
    notes.add(ForeignNote::path_unreadable, fmt::format("{} ({})", source.name_of(one.path), one.reason));
}

}  // namespace ssd
