#include "cli/bench_data.h"

#include <fmt/format.h>

#include <memory>

#include "base/thread_pool.h"
#include "bench/data_bench.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/validators.h"

namespace ssd::cli {

void add_bench_data(CLI::App& bench) {
  struct Options {
    DataBenchOptions bench;
    std::string data, output = "compact", json;
  };
  auto options = std::make_shared<Options>();
  options->bench.threads = 0;  // all processors
  CLI::App* command =
      bench.add_subcommand("data", "The input pipeline: images from files or a record cache to batches");
  begin_group(*command, group::input);
  command->add_option("-d,--data", options->data, "COCO folder or record cache")
      ->type_name("PATH")
      ->required();
  command->add_option("--split", options->bench.split, "Split of a COCO folder")->capture_default_str();
  begin_group(*command, group::measurement);
  command->add_option("--threads", options->bench.threads, "Threads that prepare images (0: all processors)")
      ->check(thread_count())
      ->capture_default_str();
  command->add_option("-b,--batch-size", options->bench.batch_size, "Images of a batch")
      ->check(batch_size())
      ->capture_default_str();
  command->add_option("--benchmark-warmup", options->bench.warmup, "Batches before the clock starts")
      ->check(number_from_zero())
      ->capture_default_str();
  command->add_option("--benchmark-iterations", options->bench.batches, "Batches of a repeat")
      ->check(positive_number())
      ->capture_default_str();
  command->add_option("--repeats", options->bench.repeats, "Repeats, over which the rates are taken")
      ->check(positive_number())
      ->capture_default_str();
  command
      ->add_option("--output", options->output,
                   "compact (u8 images, box indices) or expanded (f32 NCHW images, offsets)")
      ->check(CLI::IsMember({"compact", "expanded"}))
      ->capture_default_str();
  begin_group(*command, group::output);
  command->add_option("--json", options->json, "Write the result there, one JSON line [standard output]")
      ->type_name("FILE");
  command->callback([options] {
    options->bench.data = options->data;
    if (options->bench.threads == 0) options->bench.threads = available_processors();
    options->bench.output = options->output == "expanded" ? DataBenchOptions::Output::expanded
                                                          : DataBenchOptions::Output::compact;
    require_writable(options->json);
    const DataBenchResult result = bench_data(options->bench);
    tell_text(result.to_text());
    write_json_text(options->json.empty() ? "-" : options->json, result.to_json());
  });
}

}  // namespace ssd::cli
