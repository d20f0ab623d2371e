#include "data/loader/augment_options.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "data/loader/random_crop.h"

namespace ssd {
namespace {

constexpr AugmentOptions nothing = {.crop = false, .flip = false, .colour = false};

struct Name {
  std::string_view text;
  void (*add)(AugmentOptions& options);
};

constexpr std::array<Name, 11> names = {{
    {"all",
     [](AugmentOptions& options) {
       options.crop = true;
       options.flip = true;
       options.colour = true;
     }},
    {"crop-flip",
     [](AugmentOptions& options) {
       options.crop = true;
       options.flip = true;
     }},
    {"none", [](AugmentOptions&) {}},
    {"crop", [](AugmentOptions& options) { options.crop = true; }},
    {"flip", [](AugmentOptions& options) { options.flip = true; }},
    {"colour", [](AugmentOptions& options) { options.colour = true; }},
    {"mosaic", [](AugmentOptions& options) { options.mosaic = true; }},
    {"zoom-out", [](AugmentOptions& options) { options.zoom_out = true; }},
    {"crop-retry",
     [](AugmentOptions& options) {
       options.crop = true;
       options.crop_attempts = retried_crop_attempts;
     }},
    {"vertical-flip", [](AugmentOptions& options) { options.vertical_flip = true; }},
    {"strong-colour",
     [](AugmentOptions& options) {
       options.colour = true;
       options.strong_colour = true;
     }},
}};

void append(std::string& list, std::string_view name, std::string_view separator = ",") {
  if (!list.empty()) list += separator;
  list += name;
}

}  // namespace

std::string augment_names() {
  std::string list;
  for (const Name& name : names) append(list, name.text, ", ");
  return list;
}

AugmentOptions augment_options(std::string_view list) {
  AugmentOptions options = nothing;
  for (std::string_view rest = list;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view text = rest.substr(0, comma);
    const auto name = std::ranges::find(names, text, &Name::text);
    if (name == names.end())
      throw Error("augment: got \"{}\", expected names of {} with commas between them", text,
                  augment_names());
    if (text == "none" && list != "none") throw Error("augment: none stands alone, got \"{}\"", list);
    name->add(options);
    if (comma == rest.size()) return options;
    rest.remove_prefix(comma + 1);
  }
}

std::string augment_text(const AugmentOptions& options) {
  if (options == nothing) return "none";
  if (options == AugmentOptions{}) return "all";
  if (options == AugmentOptions{.colour = false}) return "crop-flip";
  std::string list;
  if (options.mosaic) append(list, "mosaic");
  if (options.zoom_out) append(list, "zoom-out");
  if (options.crop) append(list, options.crop_attempts > 1 ? "crop-retry" : "crop");
  if (options.flip) append(list, "flip");
  if (options.vertical_flip) append(list, "vertical-flip");
  if (options.colour) append(list, options.strong_colour ? "strong-colour" : "colour");
  return list;
}

}  // namespace ssd
