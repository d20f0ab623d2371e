// singleshot detect: images in, images with labelled boxes and detections.json out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/device_options.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "data/loader/augment.h"
#include "detect/predictor.h"
#include "detect/trained_model.h"
#include "image/format.h"
#include "report/draw.h"
#include "storage/file_bytes.h"

namespace ssd::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  DeviceOptions device;
  std::string checkpoint, stride_in, out;
  std::vector<std::string> images;
  std::int64_t batch = 1;
  float score = 0.3f, iou = 0.45f;
  int top = 200;
  bool no_drawings = false;
};

// The images named on the command line; a folder stands for the images in it, in name order.
std::vector<std::string> expand(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  for (const std::string& argument : arguments) {
    if (!fs::is_directory(argument)) {
      files.push_back(argument);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : fs::directory_iterator(argument)) {
      if (is_image_name(entry.path())) inside.push_back(entry.path().string());
    }
    if (inside.empty())
      throw Error("{}: got a folder without {} files, expected images", argument, image_format_names());
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

// Detects on images one after the other, in batches.
class Detecting {
 public:
  Detecting(const Options& options, TrainedModel model, graph::Device& device)
      : options_(options),
        model_(std::move(model)),
        predictor_(device, model_.model,
                   {.batch = options.batch,
                    .detector = {.score = options.score,
                                 .iou = options.iou,
                                 .total = static_cast<std::size_t>(options.top)}}),
        images_(DType::u8, {predictor_.batch(), image_size, image_size, 3}) {
    predictor_.load(model_.weights);
  }

  void run(const std::vector<std::string>& files) {
    for (const std::string& file : files) inputs_.insert(fs::weakly_canonical(file));
    for (const std::string& file : files) {
      try {
        add(file);
      } catch (const Error& error) {
        ++unread_;
        say(file, error.what());
      }
      if (static_cast<std::int64_t>(waiting_.size()) == predictor_.batch()) flush();
      progress_.show(++done_, files.size(), "images");
    }
    flush();
    progress_.finish();
    write_text((fs::path(options_.out) / "detections.json").string(), text_of(results_) + "\n");
  }

  std::size_t found() const { return found_; }
  std::size_t unread() const { return unread_; }    // images that could not be read
  std::size_t undrawn() const { return undrawn_; }  // images with detections, but without a drawing

 private:
  struct Waiting {
    std::string file;
    Image pixels;  // upright; empty where nothing is drawn
    Augmenter::Size size;
  };

  // An image's trouble ends with the image. The reason may name the file, or not.
  void say(const std::string& file, const std::string& reason) {
    progress_.say("singleshot: " + (reason.starts_with(file + ": ") ? reason : file + ": " + reason));
  }

  void add(const std::string& file) {
    const auto bytes = read_file(file, buffer_);
    const std::size_t slot = waiting_.size() * Augmenter::image_bytes;
    const auto image = images_.as<std::uint8_t>().subspan(slot, Augmenter::image_bytes);
    Waiting next{file, {}, augmenter_.evaluate({.bytes = bytes}, image)};
    if (!options_.no_drawings)
      next.pixels = oriented(decode_image(bytes), orientation_of_tag(read_image_header(bytes).orientation));
    waiting_.push_back(std::move(next));
  }

  void flush() {
    if (waiting_.empty()) return;
    predictor_.start(images_);
    const auto detections = predictor_.finish(static_cast<int>(waiting_.size()));
    for (std::size_t i = 0; i < waiting_.size(); ++i) report(waiting_[i], detections[i]);
    waiting_.clear();
  }

  void report(const Waiting& image, const std::vector<Detection>& detections) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    std::vector<DrawnBox> drawn;
    const auto width = static_cast<float>(image.size.width), height = static_cast<float>(image.size.height);
    for (const Detection& d : detections) {
      const CocoCategory& category = model_.categories[static_cast<std::size_t>(d.label - 1)];
      const float left = std::clamp(d.box.left, 0.0f, 1.0f) * width,
                  top = std::clamp(d.box.top, 0.0f, 1.0f) * height;
      const float right = std::clamp(d.box.right, 0.0f, 1.0f) * width,
                  bottom = std::clamp(d.box.bottom, 0.0f, 1.0f) * height;
      list.push_back({{"category_id", category.id},
                      {"category", category.name},
                      {"bbox", {left, top, right - left, bottom - top}},
                      {"score", d.score}});
      drawn.push_back(
          {left, top, right, bottom, fmt::format("{} {:.2f}", category.name, d.score), d.label - 1});
    }
    found_ += detections.size();
    results_.push_back({{"file", image.file},
                        {"width", image.size.width},
                        {"height", image.size.height},
                        {"detections", std::move(list)}});
    if (options_.no_drawings) return;
    try {
      draw(image, drawn);
    } catch (const Error& error) {
      ++undrawn_;
      say(image.file, error.what());
    }
  }

  // The names of files are bytes; only UTF-8 can stand in JSON.
  static std::string text_of(const nlohmann::ordered_json& json) {
    return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  // Images of one name from several folders get different files, and no drawing replaces an image given.
  void draw(const Waiting& image, const std::vector<DrawnBox>& boxes) {
    const std::string stem = fs::path(image.file).stem().string();
    std::string name = stem;
    const auto is_input = [this](const std::string& drawing) {
      return inputs_.contains(fs::weakly_canonical(fs::path(options_.out) / (drawing + ".png")));
    };
    for (int count = 2; is_input(name) || !names_.insert(name).second; ++count)
      name = fmt::format("{}-{}", stem, count);
    draw_boxes(fs::path(options_.out) / (name + ".png"),
               {image.pixels.width, image.pixels.height, image.pixels.rgb}, boxes);
  }

  const Options& options_;
  TrainedModel model_;
  Predictor predictor_;
  Tensor images_;
  Augmenter augmenter_;
  std::vector<std::byte> buffer_;
  std::vector<Waiting> waiting_;
  std::set<std::string> names_;
  std::set<fs::path> inputs_;
  nlohmann::ordered_json results_ = nlohmann::ordered_json::array();
  Progress progress_{"detect"};
  std::uint64_t done_ = 0;
  std::size_t found_ = 0, unread_ = 0, undrawn_ = 0;
};

void run(const Options& options, Session& session) {
  const std::vector<std::string> files = expand(options.images);
  TrainedModel model = read_model(options.checkpoint);
  if (!options.stride_in.empty()) model.model.stride_in = model::stride_in_named(options.stride_in);
  model.model.compute = precision_of(options.device);
  std::error_code failure;
  fs::create_directories(options.out, failure);
  if (failure) throw Error("{}: cannot be made: {}; choose another --out", options.out, failure.message());
  const auto device = make_device(options.device);
  Detecting detecting(options, std::move(model), *device);
  detecting.run(files);
  fmt::print("{} objects in {} images; see {}\n", detecting.found(), files.size() - detecting.unread(),
             options.out);
  if (detecting.unread() > 0) fmt::print("{} images could not be read\n", detecting.unread());
  if (detecting.undrawn() > 0)
    fmt::print("{} images could not be drawn; their detections are in detections.json\n",
               detecting.undrawn());
  session.exit_code = detecting.unread() + detecting.undrawn() == 0 ? 0 : 1;
}

}  // namespace

void add_detect(CLI::App& program, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "detect", "Find objects in images: writes them with labelled boxes, and detections.json");
  command->add_option("images", options->images, image_format_names() + " files, or folders of them")
      ->required();
  command
      ->add_option("--checkpoint", options->checkpoint,
                   "A run's folder (its latest checkpoint), a checkpoint's folder, or a weights file")
      ->required();
  command->add_option("--out,-o", options->out, "Folder for the results")->required();
  command->add_option("--score", options->score, "Least score of a detection")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--iou", options->iou, "Boxes of a class that overlap more than this are one")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--top", options->top, "Most detections of an image")
      ->check(positive_number())
      ->capture_default_str();
  command->add_flag("--no-drawings", options->no_drawings, "Write detections.json only");
  command->add_option("--batch-size", options->batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  command->add_option("--stride-in", options->stride_in, "3x3 or 1x1, for a weights file that does not say")
      ->check(CLI::IsMember({"3x3", "1x1"}));
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  command->callback([options, &session] { run(*options, session); });
}

}  // namespace ssd::cli
