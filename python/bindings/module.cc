// The extension module singleshot._core. What its functions take is made ready by the package's Python files,
// which are what people see.
#include <exception>

#include "base/error.h"
#include "base/one_line.h"
#include "bindings.h"

namespace {

// Messages may hold foreign text, which need not be UTF-8.
void translate(const std::exception_ptr& thrown, void* type) {
  try {
    std::rethrow_exception(thrown);
  } catch (const ssd::Error& error) {
    PyErr_SetString(static_cast<PyObject*>(type), ssd::one_line(error.what()).c_str());
  }
}

}  // namespace

NB_MODULE(_core, module) {
  PyObject* error = PyErr_NewExceptionWithDoc(
      "singleshot.Error", "What is wrong with an input, in one line: what, where, and what to do.",
      PyExc_ValueError, nullptr);
  module.attr("Error") = nanobind::handle(error);
  nanobind::register_exception_translator(translate, error);
  module.attr("version") = SSD_VERSION;
  ssd::python::bind_detector(module);
  ssd::python::bind_coco(module);
  ssd::python::bind_loader(module);
}
