#include "data/layouts/foreign_splits.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <unordered_map>

#include "base/encoding.h"
#include "base/error.h"
#include "base/random.h"
#include "base/text_file.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

enum class Part { train, val, trainval, test };

// For every image, the parts it belongs to, as a set of bits.
using Membership = std::vector<unsigned>;
unsigned bit(Part part) { return 1u << static_cast<unsigned>(part); }
constexpr unsigned any = ~0u;

std::optional<Part> part_of(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const std::string_view year : {"2017", "2014", "2012", "2007"}) {
    if (name.size() > year.size() && name.ends_with(year)) name.resize(name.size() - year.size());
  }
  if (name == "train" || name == "training") return Part::train;
  if (name == "val" || name == "valid" || name == "validation") return Part::val;
  if (name == "trainval") return Part::trainval;
  if (name == "test" || name == "testing") return Part::test;
  return std::nullopt;
}

// "cat_train" of VOC's lists of one class, a flag behind each image.
std::optional<Part> part_of_class_list(const std::string& stem) {
  const auto at = stem.rfind('_');
  return at == std::string::npos ? std::nullopt : part_of(stem.substr(at + 1));
}

Part part_of_list(const fs::path& list) {
  const std::string stem = list.stem().string();
  return part_of(stem) ? *part_of(stem) : *part_of_class_list(stem);
}

// The lists to go by. VOC has further ones, of other tasks and of fewer images, in folders beside Main.
std::vector<fs::path> split_lists(const SourceFiles& source) {
  for (const std::string_view folder : {"Main", "ImageSets", ""}) {
    std::vector<fs::path> lists;
    for (const fs::path& file : source.text_files()) {
      const bool here = folder.empty() || file.parent_path().filename() == folder;
      if (here && part_of(file.stem().string())) lists.push_back(file);
    }
    if (!lists.empty()) return lists;
    if (folder != "Main") continue;
    std::ranges::copy_if(source.text_files(), std::back_inserter(lists), [](const fs::path& file) {
      return file.parent_path().filename() == "Main" && part_of_class_list(file.stem().string());
    });
    if (!lists.empty()) return lists;
  }
  return {};
}

Membership read_lists(const std::vector<fs::path>& lists, const std::vector<ForeignImage>& images,
                      const SourceFiles& source, ForeignNotes& notes) {
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < images.size(); ++i) index.emplace(images[i].file.string(), i);
  Membership parts(images.size(), 0);
  std::size_t named = 0;
  for (const fs::path& list : lists) {
    const unsigned part = bit(part_of_list(list));
    for (const std::string& line : read_lines(list, UnknownEncoding::keep)) {
      auto image_file = source.find_image(line, list);
      if (!image_file) image_file = source.find_image(line.substr(0, line.find_first_of(" \t")), list);
      if (!image_file) {
        notes.add(ForeignNote::listed_without_image, fmt::format("{}: {}", source.name_of(list), line));
        continue;
      }
      ++named;
      const auto found = index.find(image_file->string());
      if (found != index.end()) parts[found->second] |= part;
    }
  }
  // Another split than the one that somebody wrote down would be worse than none.
  if (named == 0)
    throw Error("{}: got a list of which no line names an image, nor does one of {} lists; mend or remove it",
                lists.front().string(), lists.size());
  return parts;
}

Membership read_folders(const std::vector<ForeignImage>& images) {
  Membership parts;
  for (const ForeignImage& image : images) {
    unsigned& member = parts.emplace_back(0);
    for (const fs::path& folder : fs::path(image.name).parent_path()) {
      if (const auto part = part_of(folder.string())) member |= bit(*part);
    }
  }
  return parts;
}

bool has(const Membership& parts, Part part) {
  return std::ranges::any_of(parts, [&](unsigned member) { return (member & bit(part)) != 0; });
}

bool test_is_annotated(const std::vector<ForeignImage>& images, const Membership& parts) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    if ((parts[i] & bit(Part::test)) && !images[i].boxes.empty()) return true;
  }
  return false;
}

void assign(std::vector<ForeignImage>& images, const Membership& parts, unsigned train, unsigned val,
            ForeignNotes& notes) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    if ((parts[i] & val) && (parts[i] & bit(Part::train)))  // trainval holds both by custom
      notes.add(ForeignNote::image_in_both_splits, images[i].name);
    images[i].split = (parts[i] & val)     ? ForeignSplit::val
                      : (parts[i] & train) ? ForeignSplit::train
                                           : ForeignSplit::none;
  }
}

// Only the images of `members` are shared out; the others keep no split.
std::string share_out(std::vector<ForeignImage>& images, const ForeignOptions& options,
                      const Membership& members) {
  const auto draw = [&](const std::string& name) {
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return Random(options.seed, 0, hash).uniform();
  };
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < images.size(); ++i) {
    images[i].split = members[i] ? ForeignSplit::train : ForeignSplit::none;
    if (members[i]) order.emplace_back(draw(images[i].name), i);
  }
  std::ranges::sort(order);
  auto count = static_cast<std::size_t>(std::llround(options.val_share * static_cast<double>(order.size())));
  if (count == 0 && options.val_share > 0 && order.size() > 1) count = 1;
  for (std::size_t i = 0; i < count; ++i) images[order[i].second].split = ForeignSplit::val;
  return fmt::format("a share of {}% for validation (seed {})", options.val_share * 100, options.seed);
}

// "train + val" of the parts that occur.
std::string names_of(const Membership& parts, std::initializer_list<Part> which) {
  constexpr const char* names[] = {"train", "val", "trainval", "test"};
  std::string text;
  for (const Part part : which) {
    if (has(parts, part))
      text += (text.empty() ? "" : " + ") + std::string(names[static_cast<unsigned>(part)]);
  }
  return text;
}

std::string by_parts(std::vector<ForeignImage>& images, const Membership& parts, bool lists,
                     const ForeignOptions& options, ForeignNotes& notes) {
  const char* kind = lists ? "lists" : "folders";
  const unsigned learning = bit(Part::train) | bit(Part::trainval);
  const bool some_train = has(parts, Part::train) || has(parts, Part::trainval);
  const bool voc_2007 = lists && some_train && test_is_annotated(images, parts);
  if (voc_2007 || (some_train && !has(parts, Part::val) && test_is_annotated(images, parts))) {
    assign(images, parts, learning | bit(Part::val), bit(Part::test), notes);
    return fmt::format("{}: {} for training, test for validation", kind,
                       names_of(parts, {Part::train, Part::val, Part::trainval}));
  }
  if (some_train && has(parts, Part::val)) {
    assign(images, parts, learning, bit(Part::val), notes);
    return fmt::format("{}: {} for training, val for validation", kind,
                       names_of(parts, {Part::train, Part::trainval}));
  }
  const std::string share = share_out(images, options, parts);
  return fmt::format("{}: {}, of which {}", kind,
                     names_of(parts, {Part::train, Part::val, Part::trainval, Part::test}), share);
}

void check_share(const ForeignOptions& options) {
  if (!(options.val_share >= 0 && options.val_share < 1)) {
    throw Error("import: got a validation share of {}, expected 0 or more and less than 1",
                options.val_share);
  }
}

}  // namespace

std::vector<std::string> read_lines(const fs::path& file, UnknownEncoding unknown) {
  std::istringstream stream(decode_text(read_text_file(file, budget::list), file.string(), unknown));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (const std::string_view text = trimmed(line); !text.empty()) lines.emplace_back(text);
  }
  return lines;
}

std::string assign_share(std::vector<ForeignImage>& images, const ForeignOptions& options) {
  check_share(options);
  return share_out(images, options, Membership(images.size(), any));
}

std::string assign_splits(std::vector<ForeignImage>& images, const SourceFiles& source,
                          const ForeignOptions& options, ForeignNotes& notes) {
  check_share(options);
  const std::vector<fs::path> lists = split_lists(source);
  const Membership parts = lists.empty() ? read_folders(images) : read_lists(lists, images, source, notes);
  const bool some = std::ranges::any_of(parts, [](unsigned member) { return member != 0; });
  return some ? by_parts(images, parts, !lists.empty(), options, notes) : assign_share(images, options);
}

}  // namespace ssd
