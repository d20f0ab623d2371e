#include "cli/preset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/counted.h"

namespace ssd::cli {
namespace {

// From here on the recipe's numbers, which were found on COCO's 117,266 images, are taken as they are.
constexpr std::int64_t large_set = 20000;

// Epochs from which on crops and colours were seen to help.
constexpr double long_run = 30;

// Small sets need more passes, but not as many more as they are smaller: 14 over 300 images, 4 over 5,000. A
// trained backbone learns in fewer: 6 over 300.
int quick_epochs(std::int64_t images, bool pretrained) {
  const double epochs =
      (pretrained ? 6 : 14) * std::sqrt(300.0 / static_cast<double>(std::max<std::int64_t>(images, 1)));
  return static_cast<int>(std::clamp(std::round(epochs), 4.0, 64.0));
}

PresetSetting set(const char* option, std::string value, std::string reason) {
  return {{option, {std::move(value)}}, std::move(reason)};
}

std::vector<PresetSetting> reference() {
  return {set("--epochs", "65", "the recipe's"),
          set("--batch-size", "32", "the recipe's"),
          set("--learning-rate-per-32", "2.6e-3", "the recipe's"),
          {{"--multistep", {"43", "54"}}, "the recipe's"},
          set("--warmup", "300", "recommended with the recipe"),
          {{"--evaluation", {"21", "31", "37", "42", "48", "53", "59", "64"}}, "the recipe's"}};
}

std::vector<PresetSetting> small_steps(const PresetCase& of, int epochs, const std::string& why) {
  const double run = of.epochs > 0 ? of.epochs : epochs;
  return {set("--epochs", fmt::format("{}", epochs), why),
          set("--batch-size", "8", "many small steps learn more from few images"),
          set("--learning-rate-per-32", "0.04", "1e-2 a step of 8"),
          set("--warmup-epochs", fmt::format("{:.3g}", 0.1 * run), "a tenth of the run"),
          set("--schedule", "cosine", "needs no milestones"),
          set("--ema", "0.99", "the average of the last hundred steps is evaluated"),
          run < long_run ? set("--augment", "flip", "crops and colours pay in longer runs only")
                         : set("--augment", "all", "a long run needs more than the images as they are")};
}

std::vector<PresetSetting> quick(const PresetCase& of) {
  return small_steps(
      of, quick_epochs(of.images, of.pretrained),
      fmt::format("for {}{}", counted(of.images, "image[s]"), of.pretrained ? " and trained weights" : ""));
}

std::vector<PresetSetting> best(const PresetCase& of) {
  return small_steps(of, of.images >= large_set ? 120 : 4 * quick_epochs(of.images, false),
                     "for " + counted(of.images, "image[s]"));
}

}  // namespace

Preset preset_for(const std::string& name, const PresetCase& of) {
  if (name == "reference") return {name, "", reference()};
  if (name == "best") return {name, "", best(of)};
  if (name == "quick") return {name, "", quick(of)};
  if (of.images >= large_set)
    return {"reference", fmt::format("chosen for {}, {} or more", counted(of.images, "image[s]"), large_set),
            reference()};
  return {"quick", fmt::format("chosen for {}, fewer than {}", counted(of.images, "image[s]"), large_set),
          quick(of)};
}

}  // namespace ssd::cli
