#include "eval/coco_summary.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ssd {
namespace {

// numpy.mean(1 / arange(1, n + 1)) of numpy 2.4, for lengths about the borders of its blocks.
TEST(NumpyMean, EqualsNumpy) {
  struct Mean {
    std::size_t count;
    double mean;
  };
  for (const Mean& expected :
       {Mean{1, 1.0}, Mean{3, 0.611111111111111}, Mean{7, 0.37040816326530607}, Mean{8, 0.3397321428571428},
        Mean{9, 0.31432980599647264}, Mean{17, 0.20232661897886814}, Mean{100, 0.05187377517639621},
        Mean{128, 0.04244646166085291}, Mean{129, 0.042177511864912164}, Mean{136, 0.04039369496890821},
        Mean{137, 0.040152129823682554}, Mean{255, 0.02400172044242071}, Mean{256, 0.023923222511005003},
        Mean{257, 0.023845276316735168}, Mean{1000, 0.007485470860550345}, Mean{1010, 0.007421204200545009},
        Mean{4040, 0.0021983513349324896}, Mean{10101, 0.0009699688022931853}}) {
    std::vector<double> values;
    for (std::size_t i = 1; i <= expected.count; ++i) values.push_back(1 / static_cast<double>(i));
    EXPECT_EQ(numpy_mean(values), expected.mean) << expected.count;
  }
}

TEST(NumpyMean, IsNoNumberWithoutElements) { EXPECT_TRUE(std::isnan(numpy_mean({}))); }

TEST(Summary, NumbersComeFromTheirPartsOfTheArrays) {
  CocoEvalResult result;
  result.category_ids = {1, 2};
  constexpr std::size_t settings = coco_area_count * coco_limit_count;
  result.precision.assign(coco_iou_count * coco_recall_count * 2 * settings, -1);
  result.recall.assign(coco_iou_count * 2 * settings, -1);
  // Precision of category 2 alone: the threshold's index at all areas, 100 detections.
  for (std::size_t t = 0; t < coco_iou_count; ++t) {
    for (std::size_t r = 0; r < coco_recall_count; ++r) {
      result.precision[((t * coco_recall_count + r) * 2 + 1) * settings + 2] = static_cast<double>(t);
    }
    result.recall[(t * 2 + 0) * settings + 0] = 0.5;                          // all areas, 1 detection
    result.recall[(t * 2 + 1) * settings + 3 * coco_limit_count + 2] = 0.25;  // large, 100 detections
  }
  const CocoNumbers numbers = summarize(result);
  EXPECT_EQ(numbers, (CocoNumbers{4.5, 0, 5, -1, -1, -1, 0.5, -1, -1, -1, -1, 0.25}));
  EXPECT_EQ(average_precision_of_categories(result), (std::vector<double>{-1, 4.5}));
}

}  // namespace
}  // namespace ssd
