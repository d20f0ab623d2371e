// Sets of training options that belong together, for those that the user leaves open.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/config_file.h"

namespace ssd::cli {

struct PresetSetting {
  Setting setting;
  std::string reason;  // for people, a few words
};

struct Preset {
  std::string name;    // reference, best or quick
  std::string reason;  // where "auto" chose it
  std::vector<PresetSetting> settings;
};

// The names that preset_for() knows.
inline const std::vector<std::string> preset_names{"auto", "reference", "best", "quick"};

// What a preset is chosen for.
struct PresetCase {
  std::int64_t images = 0;  // in the training set
  double epochs = 0;        // that the user asks for; 0: the preset says
  bool pretrained = false;  // the run begins from trained weights, of the backbone at least
};

// "auto" is the reference's for sets of COCO's size, and quick for smaller ones.
Preset preset_for(const std::string& name, const PresetCase& of);

}  // namespace ssd::cli
