// singleshot detect: images in, images with labelled boxes and detections.json out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "base/counted.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/device_options.h"
#include "cli/drawn_names.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/validators.h"
#include "detect/image_detector.h"
#include "detect/image_list.h"
#include "detect/trained_model.h"
#include "report/drawing_folder.h"

namespace ssd::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  DeviceOptions device;
  std::string checkpoint, stride_in, weights_url, out;
  std::vector<std::string> images;
  std::string format = "jpg";
  std::int64_t batch = 0;  // 0: by the number of images
  float score = 0.3f, iou = 0.45f;
  int top = 200;
  bool no_drawings = false, recursive = true;
};

ImageList images_of(const Options& options) {
  using SubFolders = ImageListOptions::SubFolders;
  return list_images(
      options.images,
      {.sub_folders = options.recursive ? SubFolders::follow : SubFolders::leave, .except = options.out});
}

// What became of the images.
struct Outcome {
  std::vector<DetectedImage> images;  // without their pixels
  std::size_t objects = 0;
  std::size_t unread = 0;   // could not be read
  std::size_t undrawn = 0;  // detected on, but could not be drawn
};

DrawingFormat format_of(const Options& options) {
  return options.format == "png" ? DrawingFormat::png : DrawingFormat::jpeg;
}

// One image is answered soonest alone; of many, a batch is looked at faster than its images one by one, and
// no faster beyond eight on the CPU. A GPU or TPU takes more to be busy.
std::int64_t batch_size_of(const Options& options, std::size_t images, const graph::Device& device) {
  if (options.batch > 0) return options.batch;
  const std::int64_t most = device.name() == "cpu" ? 8 : 32;
  const auto replicas = static_cast<std::size_t>(device.replicas());
  return std::clamp<std::int64_t>(static_cast<std::int64_t>((images + replicas - 1) / replicas), 1, most);
}

// Draws on every image and says whose name it had to cut.
class Drawings {
 public:
  Drawings(const Options& options, const std::vector<std::string>& files, Progress& progress)
      : folder_(options.out, files, format_of(options)), progress_(progress) {}

  std::string name(const std::string& file) {
    const std::string name = folder_.name(file);
    if (fs::path(name).stem().string().size() < fs::path(file).stem().string().size())
      progress_.say(fmt::format("{}: its name is too long for a drawing, which is {}", file, name));
    return name;
  }
  void draw(const DetectedImage& image, const Image& pixels) const { folder_.draw(image, pixels); }

 private:
  DrawingFolder folder_;
  Progress& progress_;
};

Outcome detect(Predictor& predictor, const TrainedModel& model, const std::vector<std::string>& files,
               const Options& options) {
  Outcome outcome;
  Progress progress("detect");
  Drawings drawings(options, files, progress);
  // An image's trouble ends with the image.
  const auto say = [&](const std::string& file, const std::string& reason) {
    progress.say("singleshot: " + with_name(file, reason));
  };
  DetectFilesOptions work{
      .threads = options.device.threads > 0 ? options.device.threads : available_processors(),
      .on_image =
          [&](DetectedImage image) {
            outcome.objects += image.objects.size();
            outcome.images.push_back(std::move(image));
          },
      .on_bad_image =
          [&](const std::string& file, const std::string& reason) {
            ++outcome.unread;
            say(file, reason);
          },
      .on_undrawn =
          [&](const std::string& file, const std::string& reason) {
            ++outcome.undrawn;
            say(file, reason);
          },
      .progress = [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of, "images"); }};
  if (!options.no_drawings) {
    work.name_drawing = [&](const DetectedImage& image) { return drawings.name(image.file); };
    work.draw = [&](const DetectedImage& image, const Image& pixels) { drawings.draw(image, pixels); };
  }
  detect_files(predictor, model.categories, files, work);
  return outcome;
}

void run(const Options& options, Session& session) {
  const ImageList list = images_of(options);
  TrainedModel model = trained_model(options.checkpoint, options.weights_url);
  if (!options.stride_in.empty()) model.model.stride_in = model::stride_in_named(options.stride_in);
  model.model.compute = precision_of(options.device);
  std::error_code failure;
  fs::create_directories(options.out, failure);
  if (failure) throw Error("{}: cannot be made: {}; choose another --out", options.out, failure.message());
  const auto device = make_device(options.device);
  Predictor predictor(
      *device, model.model,
      {.batch = batch_size_of(options, list.files.size(), *device),
       .detector = {
           .score = options.score, .iou = options.iou, .total = static_cast<std::size_t>(options.top)}});
  predictor.load(model.weights);
  if (!options.no_drawings) tell_names_not_drawn(model.categories);
  const Outcome outcome = detect(predictor, model, list.files, options);
  write_json_text((fs::path(options.out) / "detections.json").string(), to_json(outcome.images));
  put("{} in {}; see {}\n", counted(outcome.objects, "object[s]"), counted(outcome.images.size(), "image[s]"),
      options.out);
  if (const std::string other = list.passed_over(); !other.empty()) put("{}\n", other);
  if (outcome.unread > 0) put("{} could not be read\n", counted(outcome.unread, "image[s]"));
  if (outcome.undrawn > 0)
    put("{} could not be drawn; the detections are in detections.json\n",
        counted(outcome.undrawn, "image[s]"));
  session.exit_code = outcome.unread + outcome.undrawn == 0 ? 0 : 1;
}

void add_detection_options(CLI::App& command, Options& options) {
  begin_group(command, group::detection);
  command.add_option("--score", options.score, "Least score of a detection")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--iou", options.iou, "Boxes of a class that overlap more than this are one")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--top", options.top, "Most detections of an image")
      ->check(positive_number())
      ->capture_default_str();
}

}  // namespace

void add_detect(CLI::App& program, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "detect", "Find objects in images: writes them with labelled boxes, and detections.json");
  command
      ->add_option("images", options->images,
                   "Files, folders, \"patterns*\", @LIST (a path a line), or - for standard input")
      ->required();
  begin_group(*command, group::input);
  command->add_flag("--recursive,!--no-recursive", options->recursive,
                    "Look into sub-folders of folders, as it does by default, or not");
  add_checkpoint_options(*command, options->checkpoint, options->stride_in)->required();
  add_weights_url_option(*command, options->weights_url);
  add_detection_options(*command, *options);
  begin_group(*command, group::output);
  command->add_option("-o,--out", options->out, "Folder for the results")->type_name("FOLDER")->required();
  command->add_option("--format", options->format, "Of the drawings: jpg, png")
      ->check(CLI::IsMember({"jpg", "png"}))
      ->capture_default_str();
  command->add_flag("--no-drawings", options->no_drawings, "Write detections.json only");
  begin_group(*command, group::device);
  command->add_option("--batch-size", options->batch, "Images of a batch on each device [by their number]")
      ->check(batch_size());
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  command->callback([options, &session] { run(*options, session); });
}

}  // namespace ssd::cli
