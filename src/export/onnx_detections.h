// What follows the network, in ONNX's operators: boxes and scores, or whole detections.
#pragma once

#include "export/export_format.h"
#include "export/onnx_model.h"
#include "export/onnx_network.h"

namespace ssd::onnx {

// Appends what options.postprocess asks for and says which outputs the model has (docs/export.md). `classes`:
// C, with background. The same as detector.h and decode.h compute, in f32.
void append_outputs(Model& model, const NetworkValues& network, std::int64_t classes,
                    const ExportOptions& options);

}  // namespace ssd::onnx
