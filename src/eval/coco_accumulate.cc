#include "eval/coco_accumulate.h"

#include <algorithm>
#include <bit>
#include <limits>

// Precision is wanted only where recall rises, at the true positives: a false positive lowers it, so the
// envelope (the largest precision from a point on) never rests on one. Detections that find nothing, by far
// the most, cost one increment.

namespace ssd {
namespace {

// A detection that raised recall.
struct TruePositive {
  double precision = 0;
  double score = 0;
};

// Running counts of one area and limit, for each IoU threshold.
struct Counts {
  std::size_t at_all = 0;                          // detections that count at every threshold, found or not
  std::array<std::size_t, coco_iou_count> more{};  // further ones that count at this threshold
  std::array<std::vector<TruePositive>, coco_iou_count> found;
};

void count(const MatchedDetection& detection, std::size_t area, Counts& counts) {
  const ThresholdBits ignored = detection.ignored[area];
  if (ignored == 0) {
    ++counts.at_all;
  } else if (ignored == all_thresholds) {
    return;
  } else {
    for (unsigned bits = all_thresholds & ~ignored; bits != 0; bits &= bits - 1) {
      ++counts.more[static_cast<std::size_t>(std::countr_zero(bits))];
    }
  }
  for (unsigned bits = detection.matched[area] & ~ignored; bits != 0; bits &= bits - 1) {
    const auto t = static_cast<std::size_t>(std::countr_zero(bits));
    const auto true_positives = static_cast<double>(counts.found[t].size() + 1);
    const auto counted = static_cast<double>(counts.at_all + counts.more[t]);
    counts.found[t].push_back(
        {true_positives / (counted + std::numeric_limits<double>::epsilon()), detection.score});
  }
}

// For each recall threshold: how many of the objects must be found to reach it; 0 where there is nothing to
// reach.
std::array<std::size_t, coco_recall_count> needed_for_recall(
    std::size_t objects, const std::array<double, coco_recall_count>& thresholds) {
  const auto all = static_cast<double>(objects);
  std::array<std::size_t, coco_recall_count> needed{};
  std::size_t k = 0;
  for (std::size_t r = 0; r < coco_recall_count; ++r) {
    if (r > 0 && thresholds[r] < thresholds[r - 1]) k = 0;
    // More than all cannot be found: what would need it is not reached.
    while (k <= objects && static_cast<double>(k) / all < thresholds[r]) ++k;
    needed[r] = k;
  }
  return needed;
}

// One precision-recall curve.
struct Curve {
  std::vector<TruePositive>& found;
  std::size_t objects;
  const double* first_score;  // of the best detection, ignored or not; null where there is none
  const std::array<std::size_t, coco_recall_count>& needed;
};

// Writes the curve at setting `s` (area and limit) of IoU threshold t.
void write_curve(const Curve& curve, std::size_t t, std::size_t s, CategoryCurves& out) {
  std::vector<TruePositive>& found = curve.found;
  out.recall[t * CategoryCurves::settings + s] =
      static_cast<double>(found.size()) / static_cast<double>(curve.objects);
  for (std::size_t i = found.size(); i-- > 1;) {
    found[i - 1].precision = std::max(found[i - 1].precision, found[i].precision);
  }
  for (std::size_t r = 0; r < coco_recall_count; ++r) {
    const std::size_t entry = (t * coco_recall_count + r) * CategoryCurves::settings + s;
    if (curve.needed[r] == 0) {  // reached by the first detection, whatever it found
      out.precision[entry] = found.empty() ? 0 : found.front().precision;
      out.scores[entry] = curve.first_score == nullptr ? 0 : *curve.first_score;
      continue;
    }
    const bool reached = curve.needed[r] <= found.size();
    out.precision[entry] = reached ? found[curve.needed[r] - 1].precision : 0;
    out.scores[entry] = reached ? found[curve.needed[r] - 1].score : 0;
  }
}

}  // namespace

CategoryCurves accumulate(const CategoryMatches& matches, const CocoSettings& settings,
                          CocoEvaluation::Images images) {
  CategoryCurves curves;
  const auto listed = [&](const MatchedDetection& detection) {
    return images == CocoEvaluation::Images::all || detection.image_has_objects;
  };
  const auto first = std::ranges::find_if(matches.detections, listed);
  const double* first_score = first == matches.detections.end() ? nullptr : &first->score;
  for (std::size_t a = 0; a < coco_area_count; ++a) {
    const std::size_t objects = matches.objects[a];
    if (objects == 0) continue;
    std::array<Counts, coco_limit_count> counts;
    for (const MatchedDetection& detection : matches.detections) {
      if (!listed(detection)) continue;
      for (std::size_t m = coco_limit_count; m-- > 0 && detection.rank < settings.limits[m];) {
        count(detection, a, counts[m]);
      }
    }
    const auto needed = needed_for_recall(objects, settings.recall_thresholds);
    for (std::size_t m = 0; m < coco_limit_count; ++m) {
      for (std::size_t t = 0; t < coco_iou_count; ++t) {
        write_curve({counts[m].found[t], objects, first_score, needed}, t, a * coco_limit_count + m, curves);
      }
    }
  }
  return curves;
}

}  // namespace ssd
