#include "base/key_values.h"

namespace ssd {

void LocalKeyValues::put(const std::string& key, const std::string& value) {
  {
    const std::lock_guard lock(mutex_);
    values_[key] = value;
  }
  more_.notify_all();
}

std::optional<std::string> LocalKeyValues::get(const std::string& key, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!more_.wait_for(lock, timeout, [&] { return values_.contains(key); })) return std::nullopt;
  return values_.at(key);
}

}  // namespace ssd
