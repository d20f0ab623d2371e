// A trained network as the text of a StableHLO program.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "export/export_format.h"

namespace ssd {

// As ExportFormat::write. One module with a function `main`: images u8 (N,300,300,3) in, loc f32 (N,8732,4)
// and conf f32 (N,8732,C) out; the folded weights are constants within.
std::vector<std::string> write_program_text(const ExportSource& source, const ExportOptions& options,
                                            const std::filesystem::path& path);

}  // namespace ssd
