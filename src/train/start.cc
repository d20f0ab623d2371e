#include "train/start.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/finite.h"
#include "export/reference_progress.h"
#include "weights/checkpoint.h"
#include "weights/weights.h"

namespace ssd {
namespace {

bool same_classes(const std::vector<CocoCategory>& a, const std::vector<CocoCategory>& b) {
  return std::ranges::equal(a, b, [](const CocoCategory& one, const CocoCategory& other) {
    return one.id == other.id && one.name == other.name;
  });
}

void expect_same(const std::string& name, std::string_view option, std::string_view was,
                 std::string_view now) {
  if (was != now)
    throw Error("{}: the run was made with --{} {}, got {}; leave the option as it was", name, option, was,
                now);
}

std::string described(const std::string& images) {
  return images == "files" ? images : fmt::format("a record cache ({})", images);
}

void check_data(const RunState& state, const Dataset& dataset, const std::string& name) {
  constexpr const char* advice = "resume with the same data, or begin another run with --checkpoint";
  if (state.samples != dataset.samples.size())
    throw Error("{}: the run was made with {} training images, got {}; {}", name, state.samples,
                dataset.samples.size(), advice);
  if (!same_classes(state.categories, dataset.categories))
    throw Error("{}: the run was made with other categories than the data's; {}", name, advice);
  const DatasetIdentity now = identity_of(dataset), &was = state.data;
  if (!was.samples.empty() && was.samples != now.samples)
    throw Error(
        "{}: the run was made with other training data: file names, sizes, boxes, labels or their order "
        "differ; {}",
        name, advice);
  if (!was.images.empty() && was.images != now.images)
    throw Error("{}: the run was made with images from {}, got {}; {}", name, described(was.images),
                described(now.images), advice);
}

void check_network(const RunState& state, const ResumeOptions& asked, const std::string& name) {
  expect_same(name, "backbone", model::name_of(state.model.backbone), model::name_of(asked.model.backbone));
  expect_same(name, "stride-in", model::name_of(state.model.stride_in),
              model::name_of(asked.model.stride_in));
  expect_same(name, "seed", std::to_string(state.seed), std::to_string(asked.seed));
}

void check_options(const RunState& state, const ResumeOptions& asked, const std::string& name,
                   std::vector<std::string>& changed) {
  for (const auto& [option, now] : asked.options) {
    const auto was = state.options.find(option);
    if (was == state.options.end()) continue;  // not yet kept when the run began
    if (option == "augment" || option == "order" || option == "freeze-backbone")
      expect_same(name, option, was->second, now);
    if (was->second != now)
      changed.push_back(fmt::format("--{}: {} from here on, {} before", option, now, was->second));
  }
}

std::string adopt_backbone(const std::filesystem::path& file, TensorMap& weights) {
  try {
    const NetworkWeights given = read_network_weights(file);
    model::adopt_backbone(weights, given.tensors);
    check_finite(weights, file.string());
    return fmt::format("the backbone of {}{}", file.string(),
                       given.note.empty() ? "" : " (found " + given.note + ")");
  } catch (const Error& error) {
    const std::string reason = error.what();
    throw Error("{}", reason.starts_with(file.string()) ? reason : file.string() + ": " + reason);
  }
}

// By names alone: their ids are the data set's affair.
bool same_names(const std::vector<CocoCategory>& a, const std::vector<CocoCategory>& b) {
  return std::ranges::equal(a, b, {}, &CocoCategory::name, &CocoCategory::name);
}

void check_network(const TrainedModel& trained, const FreshOptions& options) {
  const std::string file = options.checkpoint.string();
  if (trained.model.backbone != options.model.backbone)
    throw Error("{}: got {}, expected {}; pass --backbone {}", file, model::name_of(trained.model.backbone),
                model::name_of(options.model.backbone), model::name_of(trained.model.backbone));
  if (trained.knows_stride && trained.model.stride_in != options.model.stride_in)
    throw Error("{}: got a stride in the {} convolution, expected {}; pass --stride-in {}", file,
                model::name_of(trained.model.stride_in), model::name_of(options.model.stride_in),
                model::name_of(trained.model.stride_in));
}

// Position and momentum of a run of the PyTorch recipe; a line on what was taken.
std::string adopt_progress(const FreshOptions& options, bool same_classes, TrainingStart& start) {
  RunState& state = start.state;
  if (!same_classes) return "; step 0, for a run of other classes does not go on";
  auto progress = read_reference_progress(options.checkpoint, state.model);
  if (!progress) return "; step 0, for the file has no optimizer and epoch to go on from";
  const auto images = static_cast<std::uint64_t>(options.continued_images_per_step);
  const std::uint64_t before = static_cast<std::uint64_t>(progress->epoch) * state.samples;
  const std::uint64_t step = (before + images - 1) / images;
  state.step = static_cast<std::int64_t>(step);
  state.epoch = static_cast<std::uint32_t>(step * images / state.samples);
  state.sample = step * images % state.samples;
  state.pace.progress = static_cast<double>(step);
  start.tensors.slots["momentum"] = std::move(progress->momentum);
  return fmt::format("; going on after {} epochs ({} iterations there, {} steps here), with its momentum",
                     progress->epoch, progress->step, step);
}

std::string adopt_checkpoint(const FreshOptions& options, const Dataset& dataset, TrainingStart& start) {
  TensorMap& weights = start.tensors.weights;
  const TrainedModel trained = read_model(options.checkpoint);
  check_network(trained, options);
  const bool same = trained.knows_names ? same_names(trained.categories, dataset.categories)
                                        : trained.categories.size() == dataset.categories.size();
  int anew = 0;
  for (auto& [name, tensor] : weights) {
    if (!same && name.starts_with("conf."))
      ++anew;
    else
      tensor = trained.weights.at(name).clone();
  }
  std::string origin = options.checkpoint.string();
  if (!trained.note.empty()) origin += " (" + trained.note + ")";
  if (!same)
    origin += fmt::format(
        "; transfer: it is of other classes, so its {} tensors of class scores are made anew", anew);
  if (options.continued_images_per_step > 0) origin += adopt_progress(options, same, start);
  return origin;
}

}  // namespace

TrainingStart fresh_start(const FreshOptions& options, const Dataset& dataset) {
  TrainingStart start;
  start.state.model = options.model;
  start.state.model.classes = static_cast<std::int64_t>(dataset.categories.size()) + 1;
  start.state.categories = dataset.categories;
  start.state.seed = options.seed;
  start.state.samples = dataset.samples.size();
  TensorMap& weights = start.tensors.weights;
  weights = model::initial_weights(start.state.model, options.seed);
  start.origin = "random weights";
  if (!options.backbone.empty()) start.origin = adopt_backbone(options.backbone, weights);
  if (!options.checkpoint.empty()) start.origin = adopt_checkpoint(options, dataset, start);
  return start;
}

std::optional<TrainingStart> resumed_start(const std::filesystem::path& run, const Dataset& dataset,
                                           const ResumeOptions& asked, std::vector<std::string>& changed) {
  const auto latest = latest_checkpoint(run);
  if (!latest) return std::nullopt;
  Checkpoint checkpoint = read_checkpoint(latest->path);
  const std::string name = (latest->path / "state.json").string();
  RunState of_checkpoint = parse_run_state(checkpoint.state_json, name);
  TrainingStart start{std::move(of_checkpoint), resumable_state(std::move(checkpoint))};
  check_finite(start.tensors.weights, latest->path.string());
  for (const auto& [slot, tensors] : start.tensors.slots) check_finite(tensors, latest->path.string());
  const RunState& state = start.state;
  check_data(state, dataset, name);
  if (state.images_per_step != asked.images_per_step)
    throw Error(
        "{}: the run was made with {} images a step, got {}; resume with the same --batch-size, "
        "--accumulation and number of devices",
        name, state.images_per_step, asked.images_per_step);
  check_network(state, asked, name);
  check_options(state, asked, name, changed);
  return start;
}

}  // namespace ssd
