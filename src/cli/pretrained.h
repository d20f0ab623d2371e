// Weights that others published, by their names on the command line: --pretrained, --checkpoint coco.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "detect/trained_model.h"
#include "model/options.h"
#include "train/start.h"

namespace ssd::cli {

struct PretrainedOptions {
  std::string name;         // --pretrained; empty: what suits the backbone, or nothing beside other weights
  std::string weights_url;  // a mirror; empty: $SINGLESHOT_WEIGHTS_URL, else the publishers' hosts
};

void add_weights_url_option(CLI::App& command, std::string& url);
// --pretrained and --weights-url.
void add_pretrained_options(CLI::App& command, PretrainedOptions& options);

// torchvision's newest for the backbone: imagenet-v2, or imagenet-v1 where there is no other.
std::string default_pretrained(model::Backbone backbone);
// Throws UsageError for weights that are not published for the network.
void check_pretrained(const PretrainedOptions& options, const model::ModelOptions& model);

// The file of published weights ("resnet50-v2", "coco"), fetched where this machine does not have it; a line
// tells which file it is. Throws Error, with `otherwise` (what else to pass) at its end, where that fails.
std::filesystem::path published_file(const std::string& name, const std::string& weights_url,
                                     const std::string& otherwise);

// What --checkpoint names: "coco" is the published detector, all else a path.
std::filesystem::path checkpoint_path(const std::string& checkpoint, const std::string& weights_url);

// Read, with a line on what was done to find its weights.
TrainedModel trained_model(const std::string& checkpoint, const std::string& weights_url);

// Fills in the files to begin from and tells what they are, or that the weights are random.
void settle_start(const PretrainedOptions& options, FreshOptions& fresh);

}  // namespace ssd::cli
