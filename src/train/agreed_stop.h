// A run of several processes stops at the same step in all of them, whichever was asked to.
#pragma once

#include <atomic>

#include "base/communicator.h"

namespace ssd {

class AgreedStop {
 public:
  // `asked`: this process alone. Both outlive this.
  AgreedStop(const std::atomic<bool>& asked, Communicator& communicator)
      : asked_(asked), communicator_(communicator) {}

  // Whether all are to stop: of one process, once it is asked; of several, once agree() has found out.
  const std::atomic<bool>& flag() const { return communicator_.size() == 1 ? asked_ : agreed_; }
  explicit operator bool() const { return flag(); }

  // Asks all processes, at the same time in each; gives the flag.
  bool agree() {
    if (communicator_.size() == 1) return asked_;
    double asked = asked_ ? 1 : 0;
    communicator_.all_reduce({&asked, 1});
    if (asked > 0) agreed_ = true;
    return agreed_;
  }

 private:
  const std::atomic<bool>& asked_;
  Communicator& communicator_;
  std::atomic<bool> agreed_ = false;
};

}  // namespace ssd
