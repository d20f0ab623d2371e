// Values by name that the processes of a run leave for each other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace ssd {

// Keys and values are any bytes. Every member may be called by any thread at any time, whatever the other
// processes do. Values stay until the run ends; of two that are put under one key any may be read.
class KeyValues {
 public:
  virtual ~KeyValues() = default;

  // Throws Error where it cannot be sent to the others.
  virtual void put(const std::string& key, const std::string& value) = 0;
  // Waits until the key has a value, whoever puts it; none where it has none when the time is up.
  virtual std::optional<std::string> get(const std::string& key, std::chrono::milliseconds timeout) = 0;
};

// Those of one process: its threads leave them for each other.
class LocalKeyValues final : public KeyValues {
 public:
  void put(const std::string& key, const std::string& value) override;
  std::optional<std::string> get(const std::string& key, std::chrono::milliseconds timeout) override;

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::map<std::string, std::string> values_;
};

}  // namespace ssd
