#include "cli/pretrained.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "base/one_line.h"
#include "cli/help.h"
#include "cli/output.h"
#include "prepare/download/published_weights.h"

namespace ssd::cli {
namespace {

constexpr const char* coco = "coco";
constexpr const char* none = "none";

bool has_bottlenecks(model::Backbone backbone) {
  return backbone != model::Backbone::resnet18 && backbone != model::Backbone::resnet34;
}

// "imagenet-v1" to "resnet50-v1".
std::string published_name(const std::string& pretrained, model::Backbone backbone) {
  if (pretrained == coco) return coco;
  return fmt::format("{}-{}", model::name_of(backbone), pretrained.substr(pretrained.find('-') + 1));
}

std::string base_url(const std::string& given) {
  std::string url = given;
  if (const char* variable = std::getenv("SINGLESHOT_WEIGHTS_URL"); url.empty() && variable != nullptr)
    url = variable;
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
    throw UsageError("{}: got '{}', expected an address that begins with http:// or https://",
                     given.empty() ? "SINGLESHOT_WEIGHTS_URL" : "--weights-url", url);
  return url;
}

}  // namespace

void add_weights_url_option(CLI::App& command, std::string& url) {
  command
      .add_option("--weights-url", url,
                  "A mirror of the published files [SINGLESHOT_WEIGHTS_URL, or their hosts]")
      ->type_name("URL");
}

void add_pretrained_options(CLI::App& command, PretrainedOptions& options) {
  begin_group(command, group::network);
  command
      .add_option("--pretrained", options.name,
                  "imagenet-v2, imagenet-v1, coco (whole detector), none [the newest imagenet]")
      ->check(CLI::IsMember({"imagenet-v2", "imagenet-v1", coco, none}));
  add_weights_url_option(command, options.weights_url);
}

std::string default_pretrained(model::Backbone backbone) {
  return has_bottlenecks(backbone) ? "imagenet-v2" : "imagenet-v1";
}

void check_pretrained(const PretrainedOptions& options, const model::ModelOptions& model) {
  const std::string& name = options.name;
  if (name.empty() || name == none) return;
  const std::string_view backbone = model::name_of(model.backbone);
  if (name == coco && model.backbone != model::Backbone::resnet50)
    throw UsageError("--pretrained coco: got --backbone {}, expected resnet50: the published detector has it",
                     backbone);
  if (name == "imagenet-v2" && !has_bottlenecks(model.backbone))
    throw UsageError("--pretrained imagenet-v2: not published for {}; pass imagenet-v1", backbone);
  if (has_bottlenecks(model.backbone) && model.stride_in != model::stride_in_named("3x3"))
    throw UsageError(
        "--pretrained {}: got --stride-in {}, expected 3x3, with which these weights were trained; leave it "
        "out, or pass --pretrained none or --backbone-path",
        name, model::name_of(model.stride_in));
}

std::filesystem::path published_file(const std::string& name, const std::string& weights_url,
                                     const std::string& otherwise) {
  const PublishedWeights& weights = published_weights(name);
  WeightsSource source;
  source.base_url = base_url(weights_url);
  try {
    source.folders = weights_folders();
    std::filesystem::path file;
    {
      Progress progress("fetch");
      source.download.on_retry = [&](const std::string& reason, int) {
        progress.say(reason + "; trying again");
      };
      file = obtain_weights(weights, source, [&](const DownloadProgress& at) {
        progress.show(at.done, at.total, at.file);
        return true;
      });
    }
    tell("weights {}: {}\n", name, file.string());
    return file;
  } catch (const Error& error) {
    throw Error("{}{}{}", error.what(), otherwise.empty() ? "" : ", or ", otherwise);
  }
}

std::filesystem::path checkpoint_path(const std::string& checkpoint, const std::string& weights_url) {
  if (checkpoint == coco) return published_file(coco, weights_url, "");
  return checkpoint;
}

TrainedModel trained_model(const std::string& checkpoint, const std::string& weights_url) {
  const std::filesystem::path path = checkpoint_path(checkpoint, weights_url);
  TrainedModel model = read_model(path);
  if (!model.note.empty()) tell("{}: {}\n", path.string(), printable(model.note));
  return model;
}

void settle_start(const PretrainedOptions& options, FreshOptions& fresh) {
  if (!fresh.checkpoint.empty()) {
    fresh.checkpoint = checkpoint_path(fresh.checkpoint.string(), options.weights_url);
  } else if (options.name == coco) {
    fresh.checkpoint =
        published_file(coco, options.weights_url, "pass --pretrained none to begin from random weights");
  } else if (options.name == none) {
    tell(
        "--pretrained none: all weights are random at first; a pretrained backbone learns faster and "
        "better\n");
  } else if (fresh.backbone.empty()) {
    fresh.backbone = published_file(published_name(options.name, fresh.model.backbone), options.weights_url,
                                    "pass --pretrained none to begin from random weights");
  }
}

}  // namespace ssd::cli
