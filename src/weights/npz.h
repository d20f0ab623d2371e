// The files of numpy.savez: named arrays in a zip archive.
//
// Layout: a member NAME.npy for each array, stored; it holds "\x93NUMPY", a version, the size of a header,
// the header, a literal of Python: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, and the
// elements (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/tensor.h"

namespace ssd {

// The arrays of such a file, copied. Throws Error, with `name` in front, for damaged and compressed files and
// for arrays that are not row-major or have an element type without a DType.
TensorMap parse_npz(std::span<const std::byte> bytes, const std::string& name);

// The tensors of a file of numpy.savez or of safetensors, whichever it is.
TensorMap read_named_arrays(const std::filesystem::path& path);

}  // namespace ssd
