#include "prepare/download/published_weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "prepare/download/sha256.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view torchvision = "https://download.pytorch.org/models/";
constexpr std::string_view nvidia =
    "https://api.ngc.nvidia.com/v2/models/nvidia/ssd_pyt_ckpt_amp/versions/20.06.0/files/";

// The newest of a network last.
constexpr PublishedWeights catalogue[] = {
    {"resnet18-v1", "resnet18-f37072fd.pth", torchvision, "f37072fd"},
    {"resnet34-v1", "resnet34-b627a593.pth", torchvision, "b627a593"},
    {"resnet50-v1", "resnet50-0676ba61.pth", torchvision, "0676ba61"},
    {"resnet50-v2", "resnet50-11ad3fa6.pth", torchvision, "11ad3fa6"},
    {"resnet101-v1", "resnet101-63fe2227.pth", torchvision, "63fe2227"},
    {"resnet101-v2", "resnet101-cd907fc2.pth", torchvision, "cd907fc2"},
    {"resnet152-v1", "resnet152-394f9c45.pth", torchvision, "394f9c45"},
    {"resnet152-v2", "resnet152-f82ba261.pth", torchvision, "f82ba261"},
    {"coco", "nvidia_ssdpyt_amp_200703.pt", nvidia, ""},
};

// An environment variable; empty when it is not set.
fs::path variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

void check_sha256(const PublishedWeights& weights, const fs::path& file) {
  if (weights.sha256.empty()) return;
  const std::string got = sha256_of(file);
  if (!got.starts_with(weights.sha256))
    throw Error("{}: got SHA-256 {}, expected one that begins with {}; remove the file and get it again",
                file.string(), got, weights.sha256);
}

}  // namespace

std::span<const PublishedWeights> all_published_weights() { return catalogue; }

const PublishedWeights& published_weights(std::string_view name) {
  const PublishedWeights* found = nullptr;
  std::vector<std::string_view> names;
  for (const PublishedWeights& one : catalogue) {
    const bool newest = one.name.size() == name.size() + 3 && one.name.starts_with(name) &&
                        one.name.substr(name.size(), 2) == "-v";
    if (one.name == name || newest) found = &one;
    names.push_back(one.name);
  }
  if (found == nullptr)
    throw Error("got '{}', expected the name of published weights: {}", name, fmt::join(names, ", "));
  return *found;
}

std::vector<fs::path> weights_folders() {
  fs::path cache = variable("XDG_CACHE_HOME"), torch = variable("TORCH_HOME");
  if (cache.empty() && !variable("HOME").empty()) cache = variable("HOME") / ".cache";
  if (cache.empty())
    throw Error("no folder to keep weights in: got no HOME and no XDG_CACHE_HOME, expected one; set it");
  if (torch.empty()) torch = cache / "torch";
  return {cache / "singleshot" / "weights", torch / "hub" / "checkpoints"};
}

std::string address_of(const PublishedWeights& weights, const WeightsSource& source) {
  std::string base = source.base_url.empty() ? std::string(weights.folder) : source.base_url;
  if (!base.ends_with('/')) base += '/';
  return base + std::string(weights.file);
}

fs::path obtain_weights(const PublishedWeights& weights, const WeightsSource& source,
                        const DownloadCallback& progress) {
  for (const fs::path& folder : source.folders) {
    const fs::path file = folder / weights.file;
    std::error_code ignored;  // what cannot be looked at is not there
    if (!fs::is_regular_file(file, ignored)) continue;
    check_sha256(weights, file);
    return file;
  }
  const fs::path file = source.folders.at(0) / weights.file;
  const DownloadItem item{address_of(weights, source), file, 0, std::string(weights.sha256)};
  try {
    download_files({&item, 1}, source.download, progress);
  } catch (const Error& error) {
    throw Error("weights {}: not on this machine, and {}; put that file at {}", weights.name, error.what(),
                file.string());
  }
  return file;
}

}  // namespace ssd
