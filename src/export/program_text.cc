#include "export/program_text.h"

#include <cassert>

#include "backend/stablehlo/lower.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "storage/atomic_file.h"

namespace ssd {

std::vector<std::string> write_program_text(const ExportSource& source, const ExportOptions& options,
                                            const std::filesystem::path& path) {
  assert(options.batch && "the command line refuses any batch");
  model::ModelOptions model = source.network.model;
  model.compute = options.precision;
  const TensorMap weights = model::inference_parameters(model, source.network.weights);
  stablehlo::LowerOptions lowering;
  lowering.values = &weights;
  write_output(path, stablehlo::lower(model::inference_graph(model, options.batch.value_or(1)), lowering));
  return {};
}

}  // namespace ssd
