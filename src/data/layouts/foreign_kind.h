// Which reader a folder without COCO annotations is for.
#pragma once

#include <filesystem>

namespace ssd {

enum class DataKind;

// `yolo` for a folder with a data file; else by whether more text files hold labels or more xml files VOC's
// annotations, among the first hundred of each; `cvat` where neither does and CVAT's single file is there.
DataKind foreign_kind(const std::filesystem::path& folder);

}  // namespace ssd
