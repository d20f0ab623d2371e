// Room on a disk, asked for before work begins that needs it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ssd {

// Throws Error with both numbers where the file system that `folder` lies in, or would lie in once it is
// made, has less than `bytes` left for this user. What for, in a few words ("two checkpoints"). A file system
// that does not tell is trusted.
void require_free_space(const std::filesystem::path& folder, std::uint64_t bytes, const char* what);

}  // namespace ssd
