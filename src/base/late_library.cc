#include "base/late_library.h"

#include <dlfcn.h>

namespace ssd {

LateLibrary::LateLibrary(const std::string& file, Scope scope)
    : handle_(::dlopen(file.c_str(),
                       RTLD_NOW | RTLD_NODELETE | (scope == Scope::global ? RTLD_GLOBAL : RTLD_LOCAL))) {
  if (handle_ == nullptr) fault_ = ::dlerror();
}

void* LateLibrary::address_of(const std::string& name) const {
  return handle_ != nullptr ? ::dlsym(handle_, name.c_str()) : nullptr;
}

}  // namespace ssd
