// The exported StableHLO text, compiled and run by a PJRT plugin.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/pjrt/compile_options.h"
#include "backend/pjrt/pjrt.h"
#include "base/text_file.h"
#include "export/export_format.h"
#include "testing/cpu_plugin.h"
#include "testing/formula_network.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

// The results of a program whose only argument is `argument`; they have the types of `like`.
std::vector<Tensor> run_text(const std::string& text, const Tensor& argument,
                             const std::vector<Tensor>& like) {
  const auto client = pjrt::Client::create(pjrt::Plugin::load(pjrt::cpu_plugin()));
  const int device = client->describe(client->devices().front()).id;
  const auto program = pjrt::Executable::compile(client, text, pjrt::compile_options({device}));
  pjrt::Event sent;
  const pjrt::Buffer images = pjrt::Buffer::send(client, program->devices().front(), argument, sent);
  sent.wait();
  std::vector<std::vector<pjrt::Argument>> arguments(1);
  arguments[0].emplace_back(images);
  pjrt::Executable::Run run = program->start(std::move(arguments));
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < like.size(); ++i) {
    results.emplace_back(like[i].dtype(), like[i].shape());
    run.results[0][i].fetch({like[i].dtype(), like[i].shape()}, results.back().data()).wait();
  }
  run.done[0].wait();
  return results;
}

// The largest difference as a share of the expected range.
double difference(const Tensor& got, const Tensor& expected) {
  const auto a = got.as<float>(), b = expected.as<float>();
  const auto [least, most] = std::ranges::minmax(b);
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= worst)) worst = std::abs(a[i] - b[i]);
  return worst / (most - least);
}

TEST(ProgramText, RunsAloneAndGivesWhatTheCpuBackendGives) {
  SSD_NEEDS_CPU_PLUGIN();
  const TemporaryFolder folder;
  const auto file = folder.path() / "network.mlir";
  const ExportSource source = formula_source({.backbone = model::Backbone::resnet18, .classes = 4});
  export_format_named("stablehlo").write(source, {.batch = test_images}, file);
  const Tensor pixels = noise_images();
  const std::vector<Tensor> expected = cpu_outputs(source, pixels);
  const std::vector<Tensor> got = run_text(read_text_file(file.string(), budget::program), pixels, expected);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_LE(difference(got[i], expected[i]), 1e-4) << i;
}

}  // namespace
}  // namespace ssd
