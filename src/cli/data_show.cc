// singleshot data show: training images as the network sees them, with their boxes.
#include "cli/data_show.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "base/one_line.h"
#include "cli/augment_options.h"
#include "cli/data_options.h"
#include "cli/drawn_names.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "data/loader/loader.h"
#include "report/drawing_folder.h"
#include "train/trainer.h"

namespace ssd::cli {
namespace {

struct ShowOptions {
  DataOptions data;
  std::string split = "train", augment = "all", out;
  int count = 16;
  std::uint64_t seed = 0;
};

// The boxes of a batch of one, tagged with their categories.
std::vector<DrawnBox> drawn_boxes(const Batch& batch, const Dataset& dataset) {
  const auto boxes = batch.boxes.as<float>();
  const auto labels = batch.labels.as<std::int32_t>();
  std::vector<DrawnBox> drawn;
  for (std::size_t i = 0; i < labels.size() && labels[i] > 0; ++i) {
    const Box box = to_corners({boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]});
    const float side = image_size;
    const auto category = static_cast<std::size_t>(labels[i] - 1);
    drawn.push_back({side * box.left, side * box.top, side * box.right, side * box.bottom,
                     one_line(dataset.categories[category].name, 80), labels[i] - 1,
                     fmt::format("class {}", labels[i])});
  }
  return drawn;
}

void show(const ShowOptions& options) {
  const Dataset dataset =
      options.split == "train" ? training_set(options.data) : validation_set(options.data).dataset;
  tell_unused_files();
  tell_names_not_drawn(dataset.categories);
  std::vector<std::string> files;
  for (const Sample& sample : dataset.samples) files.push_back(sample.file);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw Error("{}: could not be made: {}", options.out, error.message());
  DrawingFolder folder(options.out, files, DrawingFormat::png);
  Loader loader(dataset,
                {.batch_size = 1,
                 .seed = options.seed,
                 .augment = augment_options(options.augment),
                 .on_bad_image = [](const BadImage& bad) { tell("{}: {}\n", bad.file, bad.reason); }});
  std::size_t boxes = 0;
  for (int i = 0; i < options.count; ++i) {
    const auto batch = loader.next();
    const std::vector<DrawnBox> drawn = drawn_boxes(*batch, dataset);
    boxes += drawn.size();
    folder.draw(folder.name(files[batch->sample_indices[0]]),
                {image_size, image_size, batch->images.as<std::uint8_t>()}, drawn);
  }
  put("{}: {} with {}\n", options.out, counted(static_cast<std::size_t>(options.count), "image[s]"),
      counted(boxes, "box[es]"));
}

}  // namespace

void add_data_show(CLI::App& data) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command =
      data.add_subcommand("show", "Draw training images as the network sees them, with their boxes");
  command
      ->add_option("data", options->data.data, "Folder with COCO, YOLO or VOC annotations, or record cache")
      ->required();
  begin_group(*command, group::input);
  command->add_option("--split", options->split, "train, val")
      ->check(CLI::IsMember({"train", "val"}))
      ->capture_default_str();
  add_augment_option(*command, options->augment);
  command->add_option("-s,--seed", options->seed, "Of order and augmentation, as in train")
      ->capture_default_str();
  command->add_option("--count", options->count, "Images to draw, the first of a run with this seed")
      ->check(count_up_to(1000000))
      ->capture_default_str();
  begin_group(*command, group::output);
  command->add_option("-o,--out", options->out, "Folder for the drawings, named after their images")
      ->type_name("FOLDER")
      ->required();
  command->callback([options] { show(*options); });
}

}  // namespace ssd::cli
