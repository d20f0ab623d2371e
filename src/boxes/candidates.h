// Class scores from logits: which default boxes show what.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ssd {

// A default box whose softmax score for a class is above the threshold.
struct Candidate {
  std::uint32_t box = 0;  // index of the default box
  float score = 0;        // 0..1
};

struct CandidateOptions {
  std::size_t classes = 81;  // C, the background (class 0) included; at least 2
  float score = 0.05f;       // candidates score above this; 0 <= score < 1
};

// by_class[c] = the candidates of class c, in the order of the boxes; by_class[0] stays empty. Scores are the
// softmax over a box's C logits. logits: (boxes, C). by_class is resized to C.
void find_candidates(std::span<const float> logits, const CandidateOptions& options,
                     std::vector<std::vector<Candidate>>& by_class);

}  // namespace ssd
