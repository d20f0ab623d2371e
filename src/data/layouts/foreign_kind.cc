#include "data/layouts/foreign_kind.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "data/layouts/cvat.h"
#include "data/layouts/data_folder.h"
#include "data/layouts/source_files.h"
#include "data/layouts/yolo_data.h"
#include "data/layouts/yolo_labels.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t files_to_try = 100;

// By the root element, within the first bytes: in UTF-16 too, whose zeros are passed over.
bool is_voc_annotation(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(4096, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  std::erase(text, '\0');
  constexpr std::string_view root = "<annotation";
  const auto at = text.find(root);
  return at != std::string::npos && at + root.size() < text.size() &&
         std::string_view(" \t\r\n>").find(text[at + root.size()]) != std::string_view::npos;
}

}  // namespace

DataKind foreign_kind(const fs::path& folder) {
  if (find_yolo_data(folder)) return DataKind::yolo;
  const SourceFiles files({folder}, {});
  const auto count = [](const std::vector<fs::path>& some, bool (*is_one)(const fs::path&)) {
    const auto end = some.begin() + static_cast<std::ptrdiff_t>(std::min(some.size(), files_to_try));
    return std::count_if(some.begin(), end, is_one);
  };
  const auto xml = count(files.xml_files(), is_voc_annotation);
  const auto text = count(files.text_files(), holds_yolo_labels);
  if (xml == 0 && text == 0) return find_cvat_file(folder) ? DataKind::cvat : DataKind::none;
  return text >= xml ? DataKind::yolo : DataKind::voc;
}

}  // namespace ssd
