// A device for tests of what goes into a network and what is made of its outputs: it looks at one pixel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "boxes/ssd300.h"
#include "graph/device.h"

namespace ssd {

// Finds one object in every image, at the first default box: label 1 in dark images, 2 in gray, 3 in bright.
class BrightnessProgram : public graph::Program {
 public:
  explicit BrightnessProgram(int& steps) : steps_(steps) {}
  void load(const TensorMap&) override {}
  TensorMap save() override { return {}; }
  void start(int, const std::vector<TensorView>& inputs) override {
    ++steps_;
    const TensorView& images = inputs.at(0);
    const std::int64_t count = images.shape[0];
    loc_ = Tensor(DType::f32, {count, default_box_count, 4});
    conf_ = Tensor(DType::f32, {count, default_box_count, 4});
    std::ranges::fill(loc_.as<float>(), 0.0f);
    std::ranges::fill(conf_.as<float>(), 0.0f);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto red = static_cast<std::size_t>(images.as<std::uint8_t>()[i * 300 * 300 * 3]);
      const auto conf = conf_.as<float>().subspan(i * default_box_count * 4, default_box_count * 4);
      for (std::size_t box = 1; box < default_box_count; ++box) conf[box * 4] = 20;
      conf[1 + red / 86] = 20;
    }
  }
  std::vector<Tensor> finish() override {
    std::vector<Tensor> outputs;
    outputs.push_back(std::move(loc_));
    outputs.push_back(std::move(conf_));
    return outputs;
  }
  int depth() const override { return 1; }

 private:
  int& steps_;
  Tensor loc_{DType::f32, {0}}, conf_{DType::f32, {0}};
};

class BrightnessDevice : public graph::Device {
 public:
  std::string name() const override { return "brightness"; }
  std::string description() const override { return "brightness"; }
  int replicas() const override { return 1; }
  void require(DType) const override {}
  std::unique_ptr<graph::Program> compile(std::vector<graph::Graph>) override {
    return std::make_unique<BrightnessProgram>(steps);
  }
  int steps = 0;
};

}  // namespace ssd
