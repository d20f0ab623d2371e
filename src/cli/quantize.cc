// singleshot quantize: a checkpoint for inference in 8 bits of a trained network.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "backend/cpu/cpu_device.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/validators.h"
#include "data/dataset/class_order.h"
#include "detect/calibration.h"

namespace ssd::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  DataOptions data;
  std::string checkpoint, stride_in, weights_url, out;
  std::int64_t images = 256;
  int threads = 0;
};

// Before any work is done in vain: a folder of that name would be replaced.
void prepare_out(const std::string& out) {
  if (out == "-") throw UsageError("--out: got -, expected a folder; name one");
  const fs::path path = fs::absolute(out);
  if (fs::exists(fs::symlink_status(path)) && !fs::exists(path / "quantization.json"))
    throw Error("{}: is there already, and is no quantised checkpoint; choose another --out", out);
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (failure) throw Error("{}: cannot be made: {}; choose another --out", out, failure.message());
}

// A weights file says only how many classes there are.
void take_names(const Options& options, const Dataset& dataset, TrainedModel& trained) {
  if (trained.knows_names) return;
  if (trained.categories.size() != dataset.categories.size())
    throw Error(
        "{}: got {} classes, expected the {} of {}, which does not name them; give images of its classes",
        options.data.data, dataset.categories.size(), trained.categories.size(), options.checkpoint);
  trained.categories = dataset.categories;
}

Quantization measure(const Options& options, const TrainedModel& trained, const Dataset& dataset) {
  const auto device = cpu::make_device({.threads = options.threads});
  Progress progress("quantize");
  return calibrate(
      *device, trained, dataset,
      {.images = options.images,
       .threads = options.threads > 0 ? options.threads : available_processors(),
       .bad_images = options.data.strict ? LoaderOptions::BadImages::fail : LoaderOptions::BadImages::replace,
       .on_bad_image =
           [&](const BadImage& bad) { progress.say(fmt::format("bad image: {}: {}", bad.file, bad.reason)); },
       .progress = [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of, "images"); }});
}

void run(const Options& options) {
  prepare_out(options.out);
  TrainedModel trained = trained_model(options.checkpoint, options.weights_url);
  if (!options.stride_in.empty()) trained.model.stride_in = model::stride_in_named(options.stride_in);
  const Dataset dataset = training_set(options.data);
  tell_unused_files();
  take_names(options, dataset, trained);
  const Quantization quantization = measure(options, trained, dataset);
  write_quantised_model(options.out, trained, quantization);
  put("{}: {} with {}, its activations measured on {}\n", options.out, model::name_of(trained.model.backbone),
      counted(trained.categories.size(), "class[es]"),
      counted(static_cast<std::size_t>(quantization.images), "image[s]"));
}

}  // namespace

void add_quantize(CLI::App& program, Session&) {
  auto options = std::make_shared<Options>();
  options->data.background_images = "use";
  CLI::App* command =
      program.add_subcommand("quantize", "Make a checkpoint for faster inference in 8 bits on the cpu");
  begin_group(*command, group::input);
  command
      ->add_option("-d,--data", options->data.data,
                   "Folder with COCO, YOLO or VOC annotations, as it is, or record cache")
      ->type_name("PATH");
  add_train_data_options(*command, options->data);
  command->add_option("--images", options->images, "Training images to measure activations on, at most")
      ->check(count_up_to(1'000'000))
      ->capture_default_str();
  add_strict_option(*command, options->data.strict);
  add_checkpoint_options(*command, options->checkpoint, options->stride_in)->required();
  add_weights_url_option(*command, options->weights_url);
  begin_group(*command, group::output);
  command
      ->add_option("-o,--out", options->out,
                   "Folder to make, which --checkpoint of eval, detect and bench takes")
      ->type_name("FOLDER")
      ->required();
  begin_group(*command, group::device);
  command->add_option("--threads", options->threads, "Threads of the network on the cpu (0: all)")
      ->check(thread_count())
      ->capture_default_str();
  command->callback([options] {
    while (options->out.size() > 1 && options->out.ends_with('/')) options->out.pop_back();
    run(*options);
  });
}

}  // namespace ssd::cli
