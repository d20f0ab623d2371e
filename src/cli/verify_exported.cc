#include "cli/verify_exported.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/validators.h"
#include "detect/image_list.h"
#include "detect/network_images.h"
#include "weights/npz.h"

namespace ssd::cli {
namespace {

DType exported_precision(const VerifyExportedOptions& options) {
  if (options.precision == "f16") return DType::f16;
  return options.precision == "bf16" ? DType::bf16 : DType::f32;
}

struct Inputs {
  Tensor images;
  std::vector<VerifyRow> rows;  // of the images, where they are there twice
};

// Those of the file are what the other runtime saw.
Inputs inputs_of(const VerifyExportedOptions& options, const ExportedOutputs& outputs) {
  Inputs inputs;
  if (outputs.has_images()) inputs.images = outputs.images();
  if (options.images.empty()) return inputs;
  Tensor ours = read_network_images(list_images(options.images).files);
  if (outputs.has_images())
    inputs.rows.push_back(compare_images(inputs.images, ours));
  else
    inputs.images = std::move(ours);
  return inputs;
}

void check_options(const CLI::App& command, const VerifyExportedOptions& options,
                   const ExportedOutputs& outputs) {
  if (options.images.empty() && !outputs.has_images())
    throw UsageError("--images: got none, and {} has no 'images'; name the files or save the input with it",
                     options.outputs);
  if (!outputs.has_detections())
    refuse_beside(command, "outputs without detections", std::array{"--score", "--iou"});
}

}  // namespace

void add_verify_exported_options(CLI::App& command, VerifyExportedOptions& options) {
  begin_group(command, group::input);
  command
      .add_option("--exported-outputs", options.outputs,
                  "Check these outputs of an exported file: .npz or safetensors, docs/export.md")
      ->type_name("FILE");
  command
      .add_option("--images", options.images,
                  "What the outputs are of, in their order: files, folders [the file's images]")
      ->type_name("PATH");
  command
      .add_option("--exported-precision", options.precision, "That the file was exported in: f32, f16, bf16")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->capture_default_str();
  add_checkpoint_options(command, options.checkpoint, options.stride_in);
  add_weights_url_option(command, options.weights_url);
  begin_group(command, group::detection);
  command.add_option("--score", options.detector.score, "As it was exported with nms")
      ->check(number_check("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; }))
      ->capture_default_str();
  command.add_option("--iou", options.detector.iou, "As it was exported with nms")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

std::vector<const char*> verify_exported_option_names() {
  return {"--images", "--exported-precision", "--checkpoint", "--stride-in", "--weights-url", "--score",
          "--iou"};
}

void verify_exported_outputs(const CLI::App& command, const VerifyExportedOptions& options,
                             Session& session) {
  if (options.checkpoint.empty())
    throw UsageError("--checkpoint: expected it with --exported-outputs: what was exported");
  refuse_beside(command, "--exported-outputs", std::array{"--precision", "--amp", "--no-amp"});
  require_writable(options.json);
  const ExportedOutputs outputs{options.outputs, read_named_arrays(options.outputs)};
  check_options(command, options, outputs);
  Inputs inputs = inputs_of(options, outputs);
  TrainedModel network = trained_model(options.checkpoint, options.weights_url);
  if (!options.stride_in.empty()) network.model.stride_in = model::stride_in_named(options.stride_in);
  const auto device = make_device(options.device);
  VerifyReport report;
  {
    Progress progress("verify");
    report = verify_exported(outputs, inputs.images, *device, network,
                             {.precision = exported_precision(options),
                              .detector = options.detector,
                              .progress = [&](std::int64_t done, std::int64_t of) {
                                progress.show(static_cast<std::uint64_t>(done),
                                              static_cast<std::uint64_t>(of), "images");
                              }});
  }
  report.rows.insert(report.rows.begin(), inputs.rows.begin(), inputs.rows.end());
  if (options.json != "-") {
    put_text(to_text(report));
    put("{}: {} images in {} against {}: {}\n", options.outputs, inputs.images.shape()[0], options.precision,
        options.checkpoint, report.ok() ? "all ok" : "NOT ok");
  }
  if (!options.json.empty()) write_json_text(options.json, to_json(report));
  session.exit_code = report.ok() ? 0 : 1;
}

}  // namespace ssd::cli
