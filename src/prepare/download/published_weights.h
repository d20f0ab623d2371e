// Weights that others published: torchvision's ResNets and NVIDIA's SSD300 v1.1, found on this machine or
// fetched.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prepare/download/download.h"

namespace ssd {

struct PublishedWeights {
  std::string_view name;    // "resnet50-v2", "coco"
  std::string_view file;    // as published
  std::string_view folder;  // the address it lies below, with the last slash
  std::string_view
      sha256;  // the first digits, which torchvision puts into its files' names; empty: not known
};

// torchvision's resnet18-v1 to resnet152-v2 (IMAGENET1K_V1 and _V2), and coco: the detector trained on COCO.
std::span<const PublishedWeights> all_published_weights();

// By its name; "resnet50" alone is the newest of that network. Throws Error that lists the names.
const PublishedWeights& published_weights(std::string_view name);

struct WeightsSource {
  std::string base_url;  // a mirror that has the files by their names; empty: the publishers' hosts
  std::vector<std::filesystem::path> folders;  // looked through in this order; fetched into the first
  DownloadOptions download{.first_attempts = 2, .stall = std::chrono::seconds(10)};
};

// The folders: $XDG_CACHE_HOME/singleshot/weights or ~/.cache/singleshot/weights, then torch's own:
// $TORCH_HOME/hub/checkpoints, else torch/hub/checkpoints below the same caches. Throws Error where neither
// the variables nor $HOME is set.
std::vector<std::filesystem::path> weights_folders();

// Where the file comes from.
std::string address_of(const PublishedWeights& weights, const WeightsSource& source);

// The file in the first folder that has it, fetched if none does; its checksum is compared each time. Throws
// Error, in one line with the address and the place to put the file, when it cannot be fetched, and for a
// file with another checksum.
std::filesystem::path obtain_weights(const PublishedWeights& weights, const WeightsSource& source,
                                     const DownloadCallback& progress = {});

}  // namespace ssd
