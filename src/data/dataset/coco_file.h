// How COCO files are read. Internal to the room.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "data/dataset/coco.h"

namespace ssd {

// read_coco() with the whole text in memory, on one thread.
CocoFile read_whole_coco(const std::filesystem::path& file, const CocoReadOptions& options);

// A text that is a list of annotations; nothing where it is none, or one of them has a fault.
std::optional<std::vector<CocoAnnotation>> parse_annotations(std::string_view list,
                                                             const CocoReadOptions& options);

// What read_whole_coco() gives; the annotations in pieces of about `piece_bytes` by the pool's threads.
CocoFile read_coco_in_pieces(const std::filesystem::path& file, const CocoReadOptions& options,
                             ThreadPool& pool, std::size_t piece_bytes);

}  // namespace ssd
