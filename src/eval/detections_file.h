// Detections of a large file, read by several threads.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "eval/detections_json.h"

namespace ssd {

// The same as read_detections(path, faults): the same detections in the same order, the same faults and
// errors. A list is read in pieces of about `piece_bytes`, each by a thread, and never stands in memory as a
// whole.
std::vector<DetectedBox> read_detections(const std::string& path, ThreadPool& pool,
                                         DetectionFaults* faults = nullptr,
                                         std::size_t piece_bytes = std::size_t{1} << 20);

}  // namespace ssd
