// What the sources of the extension module share: functions that each add a part of it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ssd::python {

namespace nb = nanobind;

void bind_coco(nb::module_& module);
void bind_detector(nb::module_& module);
void bind_loader(nb::module_& module);

// A vector's elements as an array that owns them.
template <typename T, typename... Shape>
nb::ndarray<nb::numpy, T> array_of(std::vector<T> values, Shape... shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owned->data();
  const nb::capsule owner(owned.release(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  const std::size_t sizes[] = {static_cast<std::size_t>(shape)...};
  return nb::ndarray<nb::numpy, T>(data, sizeof...(shape), sizes, owner);
}

// An object with threads of its own. A fork leaves them to the parent: in a child the object is not
// destroyed, for that would wait for them without end.
template <typename T, typename... Arguments>
std::shared_ptr<T> made_in_this_process(Arguments&&... arguments) {
  return {new T(std::forward<Arguments>(arguments)...), [process = getpid()](T* made) {
            if (getpid() == process) delete made;
          }};
}

}  // namespace ssd::python
