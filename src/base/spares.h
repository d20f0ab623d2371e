// Working memory that threads take in turns.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ssd {

// Keeps what is given back for the next who asks: as many as were ever in use at the same time. Any thread.
template <typename T>
class Spares {
 public:
  std::unique_ptr<T> take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> one = std::move(idle_.back());
    idle_.pop_back();
    return one;
  }
  void give_back(std::unique_ptr<T> one) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(one));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace ssd
