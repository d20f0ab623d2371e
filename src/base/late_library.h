// Shared libraries that are loaded when they are first needed.
#pragma once

#include <string>

namespace ssd {

// One that stays loaded: it may have started threads and registered handlers of the exit.
class LateLibrary {
 public:
  // Whether libraries that are loaded later find its functions too.
  enum class Scope { own, global };

  // A path, or a name that the system looks for.
  explicit LateLibrary(const std::string& file, Scope scope = Scope::own);

  bool is_loaded() const { return handle_ != nullptr; }
  const std::string& fault() const { return fault_; }  // why it is not, as the system says it

  // Sets `function` to the one of that name, or to null where there is none. Whether there is.
  template <typename Function>
  bool find(const std::string& name, Function*& function) const {
    function = reinterpret_cast<Function*>(address_of(name));
    return function != nullptr;
  }

 private:
  void* address_of(const std::string& name) const;

  void* handle_;
  std::string fault_;
};

}  // namespace ssd
