// A trained network as an ONNX model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "export/export_format.h"

namespace ssd {

// As ExportFormat::write. Batch norms are folded, pixels are normalised inside. The file's metadata says what
// network it is, its classes with their ids, what the input is, the thresholds within, and the SHA-256 of the
// weights' file. Inputs and outputs: docs/export.md.
std::vector<std::string> write_onnx(const ExportSource& source, const ExportOptions& options,
                                    const std::filesystem::path& path);

}  // namespace ssd
