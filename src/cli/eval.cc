// singleshot eval.
#include "cli/eval.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "backend/cpu/cpu_device.h"
#include "base/error.h"
#include "base/text_id.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/data_notes.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/processes.h"
#include "cli/validators.h"
#include "cli/version.h"
#include "data/dataset/class_order.h"
#include "data/dataset/dataset_identity.h"
#include "detect/evaluation_notes.h"
#include "detect/trained_model.h"
#include "eval/detections_file.h"
#include "eval/detections_json.h"
#include "train/sharing.h"
#include "weights/safetensors.h"

namespace ssd::cli {
namespace {

// The file's arrays as pycocotools shapes them.
void write_arrays(const std::string& path, const CocoEvalResult& result) {
  const auto tensor = [](const std::vector<double>& values, Shape shape) {
    Tensor copy(DType::f64, std::move(shape));
    std::copy(values.begin(), values.end(), copy.as<double>().begin());
    return copy;
  };
  constexpr std::int64_t t = coco_iou_count, r = coco_recall_count, a = coco_area_count, m = coco_limit_count;
  const auto k = static_cast<std::int64_t>(result.category_ids.size());
  TensorMap arrays;
  arrays.emplace("precision", tensor(result.precision, {t, r, k, a, m}));
  arrays.emplace("recall", tensor(result.recall, {t, k, a, m}));
  arrays.emplace("scores", tensor(result.scores, {t, r, k, a, m}));
  write_safetensors(path, arrays);
}

// What stands to be told of the numbers: they are COCO's, but may not be what somebody expects.
void tell_about(const EvalOptions& options, const CocoFile& truth, const std::vector<DetectedBox>& detections,
                const CocoLimits& limits, const IdTexts& texts) {
  const std::string name =
      options.ground_truth.empty() ? validation_name(options.data) : options.ground_truth;
  for (const std::string& line : evaluation_notes(truth, detections, limits, texts))
    tell("{}: {}\n", name, line);
}

CocoLimits limits_of(const EvalOptions& options) {
  CocoLimits limits = coco_limits;
  const auto& given = options.max_detections;
  if (given.empty()) return limits;
  if (given.size() != limits.size() || !std::ranges::is_sorted(given) || given.front() == 0)
    throw UsageError("--max-detections: got {}, expected three numbers from 1 on, ascending, as 1,10,100",
                     fmt::join(given, ","));
  std::ranges::copy(given, limits.begin());
  return limits;
}

void report(const EvalOptions& options, const CocoFile& truth, const std::vector<DetectedBox>& detections,
            std::size_t bad_images, ThreadPool& pool, const IdTexts& texts = {}) {
  const CocoLimits limits = limits_of(options);
  tell_about(options, truth, detections, limits, texts);
  CocoEvalResult arrays;
  EvaluationReport report = evaluate_detections(
      truth, detections,
      {.pool = &pool, .arrays = options.arrays.empty() ? nullptr : &arrays, .limits = limits});
  report.bad_images = bad_images;
  if (options.json != "-") put_text(to_text(report));
  if (!options.json.empty()) write_json_text(options.json, to_json(report));
  if (!options.arrays.empty()) write_arrays(options.arrays, arrays);
}

// Labels are places in the list of categories. A weights file says only how many there are.
void fit_classes(const EvalOptions& options, const TrainedModel& model, Dataset& dataset) {
  const std::string name = validation_name(options.data);
  if (model.knows_names)
    order_classes(dataset, model.categories, name);
  else if (model.categories.size() != dataset.categories.size())
    throw Error("{}: got {} classes, expected the {} of {}; evaluate on the classes it was trained on", name,
                dataset.categories.size(), model.categories.size(), options.checkpoint);
}

void expect_agreement(const EvalOptions& options, const Dataset& dataset, const TensorMap& weights) {
  expect_same_facts(processes(), {{"program", version_text()},
                                  {"arithmetic", cpu::arithmetic()},
                                  {"data", identity_of(dataset).samples},
                                  {"--batch-size", fmt::format("{}", options.batch)}});
  expect_same_weights(processes(), weights);
}

// Ids as their file writes them.
IdTexts texts_of(const CocoFile& truth) {
  IdTexts texts;
  for (const CocoImage& image : truth.images)
    if (!image.id_text.empty()) texts.images.emplace(image.id, image.id_text);
  for (const CocoCategory& category : truth.categories)
    if (!category.id_text.empty()) texts.categories.emplace(category.id, category.id_text);
  return texts;
}

// Texts for ids that the ground truth lacks, which are to be told: they are looked for only then.
IdTexts unlisted_texts(const EvalOptions& options, const CocoFile& truth,
                       const std::vector<DetectedBox>& detections) {
  std::unordered_set<std::int64_t> images, categories;
  for (const CocoImage& image : truth.images) images.insert(image.id);
  for (const CocoCategory& category : truth.categories) categories.insert(category.id);
  const bool any = std::ranges::any_of(detections, [&](const DetectedBox& one) {
    return (is_id_of_text(one.image_id) && !images.contains(one.image_id)) ||
           (is_id_of_text(one.category_id) && !categories.contains(one.category_id));
  });
  return any ? id_texts_of(options.detections) : IdTexts();
}

void evaluate_checkpoint(const EvalOptions& options) {
  TrainedModel trained = trained_model(options.checkpoint, options.weights_url);
  if (!options.stride_in.empty()) trained.model.stride_in = model::stride_in_named(options.stride_in);
  trained.model.compute = precision_of(options.device);
  ValidationSet set = validation_set(options.data);
  tell_unused_files();
  fit_classes(options, trained, set.dataset);
  const auto device = make_own_device(options.device);
  Predictor predictor(*device, trained.model, {.batch = options.batch});
  predictor.load(trained.weights);
  std::vector<DetectedBox> detections;
  double bad_images = 0;
  if (processes().size() > 1) expect_agreement(options, set.dataset, trained.weights);
  {
    Progress progress("evaluate");
    detections = detect_set(
        predictor, set.dataset,
        {.threads = image_threads(options.device, options.workers),
         .communicator = &processes(),
         .on_bad_image =
             [&](const BadImage& bad) {
               ++bad_images;
               progress.say(fmt::format("bad image: {}: {}", bad.file, bad.reason));
             },
         .progress = [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of, "images"); }});
  }
  processes().all_reduce({&bad_images, 1});
  if (!processes().is_first()) return;
  ThreadPool pool(available_processors());
  report(options, set.ground_truth, detections, static_cast<std::size_t>(bad_images), pool);
  if (!options.save_detections.empty())
    write_text(options.save_detections, write_detections(detections, texts_of(set.ground_truth)));
}

// The first few of them, in words.
std::string text_of(std::span<const StrangeDetection> strangers, const IdTexts& texts) {
  constexpr std::size_t named = 3;
  std::vector<std::string> first;
  for (const StrangeDetection& one : strangers.first(std::min(strangers.size(), named)))
    first.push_back(
        fmt::format("detection {} is of image {}", one.place, id_words(one.image_id, texts.images)));
  return fmt::format("{}", fmt::join(first, "; "));
}

// Leaves out detections of images that the ground truth does not list, and tells it and what could not be
// read. Where nothing else remains, they belong to another set.
void leave_out_strangers(const EvalOptions& options, const CocoFile& truth, const DetectionFaults& faults,
                         const IdTexts& texts, std::vector<DetectedBox>& detections) {
  if (faults.count > 0)
    tell_left_out(options.detections, faults.count, "detection[s] [was|were] left out",
                  fmt::format("{}", fmt::join(faults.first, "; ")), options.data.strict);
  std::vector<std::int64_t> images;
  for (const CocoImage& image : truth.images) images.push_back(image.id);
  const std::vector<StrangeDetection> strangers = leave_out_unknown_images(detections, images);
  if (strangers.empty()) return;
  if (detections.empty())
    throw Error(
        "{}: detection {}: got image_id {}, expected an image of the ground truth; evaluate against the "
        "annotations that the detections were made for",
        options.detections, strangers.front().place, id_words(strangers.front().image_id, texts.images));
  tell_left_out(options.detections, strangers.size(),
                "detection[s] [was|were] left out, of images that the ground truth lacks",
                text_of(strangers, texts), options.data.strict);
}

void evaluate_files(const EvalOptions& options) {
  std::packaged_task<CocoFile()> read_truth(
      [&] { return read_coco(options.ground_truth, {.fields = CocoReadOptions::Fields::ids}); });
  ThreadPool pool(available_processors());  // which waits for its tasks at the end
  std::future<CocoFile> truth_to_come = read_truth.get_future();
  pool.submit([&] { read_truth(); });
  std::vector<DetectedBox> detections;
  DetectionFaults faults;
  std::exception_ptr unread;
  try {
    detections = read_detections(options.detections, pool, &faults);
  } catch (...) {
    unread = std::current_exception();
  }
  const CocoFile truth = truth_to_come.get();  // of two files that cannot be read, this one is told
  if (unread) std::rethrow_exception(unread);
  tell_entries(options.ground_truth, truth, options.data.strict);
  const IdTexts texts = unlisted_texts(options, truth, detections);
  leave_out_strangers(options, truth, faults, texts, detections);
  report(options, truth, detections, 0, pool, texts);
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code unknown;
  return std::filesystem::weakly_canonical(a, unknown) == std::filesystem::weakly_canonical(b, unknown);
}

// Each output needs a place of its own; the arrays are no text for standard output.
void check_outputs(const EvalOptions& options) {
  if (options.arrays == "-") throw UsageError("--arrays: got -, expected a file (it is not text); name one");
  const std::array<std::pair<const char*, const std::string*>, 3> outputs{
      {{"--save-detections", &options.save_detections},
       {"--json", &options.json},
       {"--arrays", &options.arrays}}};
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& [option, path] = outputs[i];
    for (std::size_t j = 0; j < i; ++j)
      if (!path->empty() && !outputs[j].second->empty() && same_file(*path, *outputs[j].second))
        throw UsageError("{} and {}: got {} for both, expected two files", outputs[j].first, option, *path);
    require_writable(*path);
  }
}

}  // namespace

void run_eval(const EvalOptions& options) {
  const bool from_files = !options.ground_truth.empty() || !options.detections.empty();
  if (from_files == !options.checkpoint.empty())
    throw UsageError("eval: expected either --checkpoint with --data, or --ground-truth with --detections");
  if (from_files && !options.save_detections.empty())
    throw UsageError("--save-detections: expected --checkpoint, --detections are in a file already");
  limits_of(options);  // refuses what is no list of limits before anything is read
  check_outputs(options);
  if (!from_files) return evaluate_checkpoint(options);
  if (options.ground_truth.empty() || options.detections.empty())
    throw UsageError("eval: expected --ground-truth and --detections together");
  if (processes().size() > 1)
    throw UsageError("--detections: got {} processes, expected one: files are one process's work",
                     processes().size());
  evaluate_files(options);
}

void add_eval(CLI::App& program, Session& session) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = program.add_subcommand(
      "eval", "COCO's numbers: of a checkpoint on a data set, or of a detections file");
  session.shares_work.insert(command);
  add_val_data_options(*command, options->data);
  command
      ->add_option("--ground-truth", options->ground_truth,
                   "Annotation file to hold --detections against, without --checkpoint")
      ->type_name("FILE");
  command->add_option("--detections", options->detections, "Detections as COCO's results format has them")
      ->type_name("FILE");
  command
      ->add_option("--max-detections", options->max_detections,
                   "Most detections of a category in an image, for AR and AP [1,10,100]")
      ->delimiter(',')
      ->type_name("N,N,N");
  command
      ->add_option("--num-workers", options->workers,
                   "Threads that prepare images (0: what suits the device)")
      ->check(thread_count())
      ->capture_default_str();
  add_checkpoint_options(*command, options->checkpoint, options->stride_in);
  add_weights_url_option(*command, options->weights_url);
  begin_group(*command, group::output);
  command
      ->add_option("--save-detections", options->save_detections, "Write the checkpoint's detections there")
      ->type_name("FILE");
  command->add_option("--json", options->json, "Write the numbers there as JSON ('-': standard output)")
      ->type_name("FILE");
  command
      ->add_option("--arrays", options->arrays,
                   "Precision, recall, scores as pycocotools has them, in safetensors")
      ->type_name("FILE");
  begin_group(*command, group::device);
  command->add_option("--batch-size,--eval-batch-size", options->batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  command->callback([options] {
    // Without a training split, a record cache given as --data can only be the one to evaluate on.
    if (options->data.val_data.empty()) options->data.val_data = options->data.data;
    run_eval(*options);
  });
}

}  // namespace ssd::cli
