#include "image/resize.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "image/jpeg.h"
#include "testing/golden_file.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

// Makes the vector loops take one kind of processor, 0 for the best one.
void choose_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

ResizeAxis whole(int length, int size) { return {length, 0, static_cast<double>(length), size}; }

std::vector<std::uint8_t> run(const Image& image, const ResizeOptions& options) {
  std::vector<std::uint8_t> out(3 * static_cast<std::size_t>(options.x.size) *
                                static_cast<std::size_t>(options.y.size));
  resize(image.rgb, options, out);
  return out;
}

// The triangle filter by its definition: one weight for each source and destination pixel.
std::vector<double> triangle(const ResizeAxis& axis, int i) {
  const double scale = (axis.end - axis.begin) / axis.size;
  const double support = std::max(1.0, scale);
  const double centre = axis.begin + ((axis.flip ? axis.size - 1 - i : i) + 0.5) * scale;
  std::vector<double> weights;
  double total = 0;
  for (int k = 0; k < axis.length; ++k) {
    const bool inside = k >= std::floor(axis.begin) && k < std::ceil(axis.end);
    weights.push_back(inside ? std::max(0.0, 1 - std::abs(k + 0.5 - centre) / support) : 0);
    total += weights.back();
  }
  for (double& weight : weights) weight /= total;
  return weights;
}

double filtered(const Image& image, const std::vector<double>& x, const std::vector<double>& y, int c) {
  double sum = 0;
  for (int row = 0; row < image.height; ++row) {
    if (y[static_cast<std::size_t>(row)] == 0) continue;
    for (int column = 0; column < image.width; ++column) {
      sum += x[static_cast<std::size_t>(column)] * y[static_cast<std::size_t>(row)] *
             image.rgb[static_cast<std::size_t>(3 * (row * image.width + column) + c)];
    }
  }
  return sum;
}

void expect_definition(const Image& image, const ResizeOptions& options) {
  const auto out = run(image, options);
  for (int y = 0; y < options.y.size; ++y) {
    for (int x = 0; x < options.x.size; ++x) {
      const auto wx = triangle(options.x, x);
      const auto wy = triangle(options.y, y);
      for (int c = 0; c < 3; ++c) {
        const double exact = filtered(image, wx, wy, c);
        const int got = out[static_cast<std::size_t>(3 * (y * options.x.size + x) + c)];
        ASSERT_NEAR(got, exact, 0.6) << image.width << "x" << image.height << " to " << options.x.size << "x"
                                     << options.y.size << " at " << x << ", " << y;
      }
    }
  }
}

TEST(Resize, FollowsTheDefinition) {
  Random random(5, 0, 0);
  for (int i = 0; i < 60; ++i) {
    const int width = 1 + static_cast<int>(random.below(i < 20 ? 12 : 90));
    const int height = 1 + static_cast<int>(random.below(i < 20 ? 12 : 90));
    ResizeOptions options{whole(width, 1 + static_cast<int>(random.below(40))),
                          whole(height, 1 + static_cast<int>(random.below(40)))};
    options.x.flip = random.coin(0.5);
    options.y.flip = random.coin(0.5);
    if (random.coin(0.5)) {
      options.x.begin = random.uniform(0, 0.5 * width);
      options.x.end = random.uniform(0.6 * width, width);
      options.y.begin = random.uniform(0, 0.5 * height);
      options.y.end = random.uniform(0.6 * height, height);
    }
    expect_definition(test_image(width, height, static_cast<std::uint64_t>(i)), options);
  }
}

TEST(Resize, CopiesWhereNothingChanges) {
  const Image image = test_image(37, 29);
  EXPECT_EQ(run(image, {whole(37, 37), whole(29, 29)}), image.rgb);
}

TEST(Resize, IsWithinOneOfPillow) {
  SSD_NEEDS_GOLDEN("augment.safetensors");
  const GoldenFile golden("augment.safetensors");
  const auto cases = GoldenFile::json("augment.json").at("resize");
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const auto file = std::string(SSD_SOURCE_DIR) + "/../shared/data/coco-subset/val2017/" +
                      cases[k].at("file").get<std::string>();
    const auto crop = cases[k].at("crop").get<std::vector<int>>();
    JpegDecoder decoder;
    const auto bytes = read_file_for_test(file);
    decoder.open(bytes);
    decoder.start({.rect = {crop[0], crop[1], crop[2], crop[3]}});
    Resizer resizer;
    std::vector<std::uint8_t> out(3 * 300 * 300);
    resizer.start({whole(crop[2] - crop[0], 300), whole(crop[3] - crop[1], 300)}, out);
    while (decoder.rows_left() > 0) resizer.push(decoder.read_rows());
    const auto expected = golden.get<std::uint8_t>("resize." + std::to_string(k));
    ASSERT_EQ(expected.size(), out.size());
    int worst = 0;
    for (std::size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - expected[i]));
    EXPECT_LE(worst, 1) << file;
  }
}

TEST(Resize, IsTheSameOnEveryProcessor) {
  const Image image = test_image(211, 97);
  for (const int size : {300, 151, 77, 20, 7}) {
    ResizeOptions options{whole(211, size), whole(97, size)};
    options.x.flip = size % 2 == 0;
    const auto widest = run(image, options);
    for (const auto target : hwy::SupportedAndGeneratedTargets()) {
      choose_target(target);
      EXPECT_EQ(run(image, options), widest) << hwy::TargetName(target) << " to " << size;
    }
    choose_target(0);
  }
}

TEST(Resize, ReadsNothingBeyondTheRows) {  // a sanitizer looks on
  for (const int width : {1, 2, 5, 6, 7, 8, 31, 200}) {
    ResizeOptions options{whole(width, 31), whole(9, 12)};
    std::vector<std::unique_ptr<std::uint8_t[]>> rows;
    std::vector<const std::uint8_t*> pointers;
    for (int y = 0; y < 9; ++y) {
      rows.push_back(std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(3 * width)));
      std::fill_n(rows.back().get(), 3 * width, std::uint8_t{77});
      pointers.push_back(rows.back().get());
    }
    std::vector<std::uint8_t> out(3 * 31 * 12);
    Resizer resizer;
    resizer.start(options, out);
    resizer.push(pointers);
    EXPECT_EQ(out, std::vector<std::uint8_t>(out.size(), 77));
  }
}

TEST(Resize, RefusesEmptyAndOutlyingStretches) {
  std::vector<std::uint8_t> out(3 * 4 * 4);
  Resizer resizer;
  EXPECT_THROW(resizer.start({{10, 5, 5, 4}, whole(10, 4)}, out), Error);
  EXPECT_THROW(resizer.start({{10, -1, 5, 4}, whole(10, 4)}, out), Error);
  EXPECT_THROW(resizer.start({whole(10, 4), {10, 0, 10.5, 4}}, out), Error);
}

}  // namespace
}  // namespace ssd
