#include "export/reference_progress.h"

#include <fmt/format.h>

#include <limits>

#include "base/error.h"
#include "base/finite.h"
#include "export/reference_checkpoint.h"
#include "storage/mapped_file.h"
#include "weights/torch_file.h"

namespace ssd {
namespace {

// {"0.momentum_buffer": ...}, with the tensors' names in place of their numbers.
TensorMap momentum_of(TensorMap state, const model::ModelOptions& model, const std::string& name) {
  const std::vector<model::StateTensor> parameters = reference_parameters(model);
  TensorMap momentum;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const model::StateTensor& parameter = parameters[i];
    const auto found = state.find(fmt::format("{}.momentum_buffer", i));
    if (found == state.end())
      throw Error(
          "{}: its optimizer has no momentum of '{}' (number {}), so it is none of SGD's for this network; "
          "leave out --resume to begin from the weights alone",
          name, parameter.name, i);
    if (!(found->second.shape() == parameter.shape))
      throw Error("{}: momentum of '{}': got shape {}, expected {}; leave out --resume to begin anew", name,
                  parameter.name, to_string(found->second.shape()), to_string(parameter.shape));
    momentum.emplace(parameter.name, to_f32(found->second));
  }
  check_finite(momentum, name);
  return momentum;
}

}  // namespace

std::optional<TrainingProgress> read_reference_progress(const std::filesystem::path& path,
                                                        const model::ModelOptions& model) {
  if (std::filesystem::is_directory(path)) return std::nullopt;
  const MappedFile file(path);
  if (!is_torch_file(file.bytes())) return std::nullopt;
  auto read = read_torch_progress(file.bytes(), file.name());
  file.check_unchanged();
  if (!read) return std::nullopt;
  constexpr std::int64_t most_epochs = std::numeric_limits<std::int32_t>::max();
  if (read->epoch < 0 || read->epoch > most_epochs)
    throw Error("{}: got epoch {}, expected 0 to {}; take another checkpoint", file.name(), read->epoch,
                most_epochs);
  TrainingProgress progress;
  progress.epoch = read->epoch;
  progress.step = read->iteration;
  progress.momentum = momentum_of(std::move(read->optimizer), model, file.name());
  return progress;
}

}  // namespace ssd
