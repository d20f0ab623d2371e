#include "cli/network_options.h"

#include "cli/help.h"
#include "cli/validators.h"

namespace ssd::cli {

void add_backbone_option(CLI::App& command, std::string& backbone) {
  begin_group(command, group::network);
  command.add_option("--backbone", backbone, "resnet18, resnet34, resnet50, resnet101 or resnet152")
      ->check(backbone_name())
      ->capture_default_str();
}

CLI::Option* add_checkpoint_options(CLI::App& command, std::string& checkpoint, std::string& stride_in) {
  begin_group(command, group::network);
  CLI::Option* option =
      command
          .add_option("--checkpoint", checkpoint,
                      "A run (its latest checkpoint), a checkpoint, weights, or coco: published")
          ->type_name("PATH");
  command.add_option("--stride-in", stride_in, "For weights that do not say it: 3x3 or 1x1")
      ->check(CLI::IsMember({"3x3", "1x1"}));
  return option;
}

}  // namespace ssd::cli
