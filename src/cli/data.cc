// singleshot data: check, cache, import, download; show is data_show.cc.
#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "base/counted.h"
#include "base/error.h"
#include "base/one_line.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/data_notes.h"
#include "cli/data_options.h"
#include "cli/data_show.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "cli/stop_signals.h"
#include "cli/validators.h"
#include "data/cache/cache_build.h"
#include "data/layouts/data_folder.h"
#include "prepare/check/check.h"
#include "prepare/download/download_coco.h"
#include "prepare/download/published_weights.h"
#include "prepare/import/import.h"

namespace ssd::cli {
namespace {

// `strict`: notes count as problems.
void check(const std::string& path, const std::string& json, const CheckOptions& given, bool strict,
           Session& session) {
  CheckReport report;
  {
    Progress progress("check");
    CheckOptions options = given;
    options.progress = [&](std::size_t done, std::size_t of) { progress.show(done, of, "images"); };
    report = check_path(path, options);
  }
  if (json != "-") put_text(report.to_text());
  if (!json.empty()) write_json_text(json, report.to_json());
  session.exit_code = report.good() && (!strict || report.findings.empty()) ? 0 : 1;
}

// 0: all processors.
void add_threads_option(CLI::App& command, int& threads) {
  begin_group(command, group::device);
  command.add_option("--threads", threads, "Threads that read images (0: all processors)")
      ->check(thread_count())
      ->capture_default_str();
}

void add_check(CLI::App& data, Session& session) {
  struct Options {
    std::string path, json;
    CheckOptions check;
    bool headers = false, strict = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = data.add_subcommand(
      "check", "Find broken images, boxes outside images, duplicate ids and the like; say what is there");
  command
      ->add_option("path", options->path,
                   "An image, a folder of images or with COCO, YOLO or VOC annotations, or a cache")
      ->required();
  begin_group(*command, group::input);
  command->add_flag("--headers", options->headers, "Read the images' headers only");
  command->add_flag("--strict", options->strict, "Exit status 1 for notes too, not for problems alone");
  begin_group(*command, group::output);
  command->add_option("--json", options->json, "Write the report there as JSON ('-': standard output)")
      ->type_name("FILE");
  add_threads_option(*command, options->check.threads);
  command->callback([options, &session] {
    if (options->headers) options->check.images = CheckOptions::Images::headers;
    check(options->path, options->json, options->check, options->strict, session);
  });
}

struct CacheCommand {
  std::string data, split = "train2017", out, encoding = "raw", annotations, images;
  bool strict = false;
  CacheOptions cache;
};

// The split of a folder of any kind, or of an annotation file and an image folder.
DataSplit split_to_cache(const CacheCommand& options) {
  CocoPaths paths{options.annotations, options.images};
  if (paths.annotations.empty() || paths.images.empty()) {
    DataFolder folder(options.data);
    const auto part = folder.kind() == DataKind::coco ? std::nullopt : part_named(options.split);
    if (part && paths.annotations.empty() && folder.has(*part)) {
      tell("{}: {}\n", options.data, folder.to_text());
      tell_notes(*folder.foreign(), options.data, options.strict);
      return folder.read(*part);
    }
    const auto found = folder.layout().find(options.split);
    if (!found && paths.annotations.empty())
      throw UsageError(
          "{}: no annotations of the split {} are there, expected --split with one of them, or "
          "--annotations and --images; {}",
          options.data, options.split,
          folder.kind() == DataKind::none ? folder.seen() : "seen: " + folder.to_text());
    const CocoPaths usual = found ? found->paths : coco_paths(options.data, options.split);
    if (paths.annotations.empty()) paths.annotations = usual.annotations;
    if (paths.images.empty()) paths.images = usual.images;
  }
  DataSplit split{paths.annotations.string(), paths.images, read_coco_split(paths)};
  tell_classes(split.name, split.split.coco);
  tell_split(split, "check --images", options.strict);
  return split;
}

void make_cache(const CacheCommand& options) {
  CacheOptions cache = options.cache;
  cache.encoding = options.encoding == "raw" ? RecordEncoding::raw : RecordEncoding::file;
  if (options.data.empty() && (options.annotations.empty() || options.images.empty()))
    throw UsageError("data cache: expected --data with a COCO folder, or both --annotations and --images");
  if (cache.quality > 0 && cache.encoding == RecordEncoding::raw)
    throw UsageError("--quality: got {} with --encoding raw, which has none; leave it out or choose files",
                     cache.quality);
  if (cache.threads == 0) cache.threads = available_processors();
  const DataSplit split = split_to_cache(options);
  CacheReport report;
  const std::atomic<bool>& stop_requested = watch_stop_signals();
  {
    Progress progress("cache");
    report = build_cache({split.split.coco, split.images, split.name}, options.out, cache,
                         [&](std::size_t done, std::size_t total) {
                           progress.show(done, total, "images");
                           return !stop_requested;
                         });
  }
  for (const std::string& message : report.unreadable) tell("left empty: {}\n", message);
  put("{}: {}, {:.1f} MiB, {} unreadable\n", options.out, counted(report.images, "image[s]"),
      static_cast<double>(report.bytes) / (1 << 20), report.unreadable.size());
}

void add_cache(CLI::App& data, Session& session) {
  auto options = std::make_shared<CacheCommand>();
  options->cache.threads = 0;  // all processors
  CLI::App* command =
      data.add_subcommand("cache", "Put a split's images and annotations into one file that trains faster");
  session.ends_itself.insert(command);
  begin_group(*command, group::input);
  command->add_option("-d,--data", options->data, "Folder with COCO, YOLO or VOC annotations")
      ->type_name("FOLDER");
  command->add_option("--split", options->split, "Split of the folder")->capture_default_str();
  command->add_option("--annotations", options->annotations, "Annotation file, for another layout")
      ->type_name("FILE");
  command->add_option("--images", options->images, "Image folder, for another layout")->type_name("FOLDER");
  add_strict_option(*command, options->strict);
  begin_group(*command, group::output);
  command->add_option("-o,--out", options->out, "The cache file to write")->type_name("FILE")->required();
  command
      ->add_option("--encoding", options->encoding,
                   "raw (pixels: fastest, largest) or files (as they are); jpeg: files")
      ->check(CLI::IsMember({"raw", "files", "jpeg"}))
      ->capture_default_str();
  command
      ->add_option("--max-side", options->cache.max_side,
                   "Pixels of the longer side to which larger images are made smaller (0: keep)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      ->add_option("--quality", options->cache.quality,
                   "JPEG quality to encode with, 1 to 100 (0: take files over)")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  add_threads_option(*command, options->cache.threads);
  command->callback([options] { make_cache(*options); });
}

void print_import(const ImportReport& report, const std::string& json) {
  if (json != "-") put_text(report.to_text());
  if (!json.empty()) write_json_text(json, report.to_json());
}

struct ImportCommand {
  std::string source, target, json, pixels = "as-written", difficult = "keep";
  bool strict = false;
  ForeignOptions common;

  ForeignOptions foreign() const {
    ForeignOptions options = common;
    if (strict) options.faults = ForeignOptions::Faults::refuse;
    return options;
  }
};

CLI::App* add_importer(CLI::App& import, const char* name, const char* description, ImportCommand& options) {
  CLI::App* command = import.add_subcommand(name, description);
  command->add_option("source", options.source, "The data set to read")->required();
  command->add_option("target", options.target, "The COCO folder to make")->required();
  begin_group(*command, group::input);
  command->add_flag("--strict", options.strict, "Stop at a broken or missing image, box or line");
  command->add_option("--classes", options.common.classes,
                      "Class names in the order of their ids [the source's]");
  begin_group(*command, group::output);
  command
      ->add_option("--val-share", options.common.val_share,
                   "Share of images for validation, where the source names no splits")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options.common.seed, "Which images that is")->capture_default_str();
  command->add_option("--json", options.json, "Write the report there as JSON ('-': standard output)")
      ->type_name("FILE");
  return command;
}

void add_import(CLI::App& data) {
  CLI::App* import = data.add_subcommand("import", "Make a COCO folder of a data set in another format");
  import->require_subcommand(1);
  auto voc = std::make_shared<ImportCommand>();
  CLI::App* command = add_importer(*import, "voc", "Pascal VOC: a folder of xml files and images", *voc);
  begin_group(*command, group::input);
  command
      ->add_option("--pixels", voc->pixels,
                   "Box convention: as-written, or one-based (the original VOC sets)")
      ->check(CLI::IsMember({"as-written", "one-based"}))
      ->capture_default_str();
  command->add_option("--difficult", voc->difficult, "Objects marked difficult: keep or leave-out")
      ->check(CLI::IsMember({"keep", "leave-out"}))
      ->capture_default_str();
  command->callback([voc] {
    VocOptions options{.common = voc->foreign()};
    if (voc->pixels == "one-based") options.pixels = VocOptions::Pixels::one_based;
    if (voc->difficult == "leave-out") options.difficult = VocOptions::Difficult::leave_out;
    print_import(import_voc(voc->source, voc->target, options), voc->json);
  });
  auto yolo = std::make_shared<ImportCommand>();
  command = add_importer(*import, "yolo", "YOLO: data.yaml or a classes file, a text file an image", *yolo);
  command->callback(
      [yolo] { print_import(import_yolo(yolo->source, yolo->target, yolo->foreign()), yolo->json); });
  auto cvat = std::make_shared<ImportCommand>();
  command = add_importer(*import, "cvat", "CVAT for images: an xml file and its images", *cvat);
  command->callback(
      [cvat] { print_import(import_cvat(cvat->source, cvat->target, cvat->foreign()), cvat->json); });
  auto coco = std::make_shared<ImportCommand>();
  command = add_importer(*import, "coco", "COCO or LVIS annotations, however they lie", *coco);
  command->alias("lvis")->callback(
      [coco] { print_import(import_coco(coco->source, coco->target, coco->foreign()), coco->json); });
  auto any = std::make_shared<ImportCommand>();
  command = add_importer(*import, "auto", "Whichever of these the folder holds", *any);
  command->callback([any] { print_import(import_any(any->source, any->target, any->foreign()), any->json); });
}

const char* text_of(DownloadProgress::Stage stage) {
  switch (stage) {
    case DownloadProgress::Stage::download:
      return "download";
    case DownloadProgress::Stage::check:
      return "check";
    case DownloadProgress::Stage::extract:
      return "extract";
  }
  return "";
}

void download(const std::string& folder, CocoDownloadOptions options) {
  CocoDownloadSummary summary;
  const std::atomic<bool>& stop_requested = watch_stop_signals();
  {
    Progress progress("download");
    options.download.on_retry = [&](const std::string& reason, int failures) {
      progress.say(
          fmt::format("{}; attempt {} of {} follows", reason, failures + 1, options.download.attempts));
    };
    summary = download_coco2017(folder, options, [&](const DownloadProgress& at) {
      progress.show(at.done, at.total, fmt::format("{} {}", text_of(at.stage), at.file));
      return !stop_requested;
    });
  }
  put("{}: {} fetched ({:.1f} MiB), {} done before, {} unpacked\n", folder,
      counted(summary.download.files_fetched, "file[s]"),
      static_cast<double>(summary.download.bytes_fetched) / (1 << 20),
      counted(summary.archives_done_before, "archive[s] [was|were]"),
      counted(summary.files_unpacked, "file[s]"));
}

void add_download_weights(CLI::App& download, Session& session) {
  struct Options {
    std::vector<std::string> names;
    std::string url;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = download.add_subcommand(
      "weights",
      "Published weights, for a machine that trains offline (copy ~/.cache/singleshot/weights there)");
  command->add_option("names", options->names, "coco, or resnet18 to resnet152, with -v1 or -v2 at will")
      ->required();
  session.ends_itself.insert(command);
  begin_group(*command, group::input);
  add_weights_url_option(*command, options->url);
  command->callback([options] {
    for (const std::string& name : options->names) published_weights(name);  // all are known
    for (const std::string& name : options->names)
      put("{}\n", published_file(name, options->url, "").string());
  });
}

void add_download(CLI::App& data, Session& session) {
  CLI::App* command = data.add_subcommand("download", "Fetch a public data set, or published weights");
  command->require_subcommand(1);
  add_download_weights(*command, session);
  struct Options {
    std::string folder;
    CocoDownloadOptions download;
  };
  auto options = std::make_shared<Options>();
  CLI::App* coco =
      command->add_subcommand("coco2017", "COCO 2017: 20 GB, as much again to unpack; a second call goes on");
  session.ends_itself.insert(coco);
  coco->add_option("folder", options->folder, "The COCO folder to make")->required();
  begin_group(*coco, group::input);
  coco->add_option("--splits", options->download.splits, "Splits to fetch")->capture_default_str();
  coco->add_option("--connections", options->download.download.connections, "Connections at the same time")
      ->check(positive_number())
      ->capture_default_str();
  coco->add_option("--base-url", options->download.base_url,
                   "Another server with the same folders [COCO's own]")
      ->type_name("URL");
  begin_group(*coco, group::output);
  coco->add_flag("--keep-archives", options->download.keep_archives, "Keep the zip files after unpacking");
  coco->callback([options] { download(options->folder, options->download); });
}

}  // namespace

void add_data(CLI::App& program, Session& session) {
  CLI::App* data = program.add_subcommand("data", "Check, show, cache, import and download data sets");
  data->require_subcommand(1);
  add_check(*data, session);
  add_cache(*data, session);
  add_data_show(*data);
  add_import(*data);
  add_download(*data, session);
}

}  // namespace ssd::cli
