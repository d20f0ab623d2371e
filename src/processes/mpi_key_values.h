// Values that processes leave for each other, over MPI.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/key_values.h"
#include "processes/mpi_link.h"

namespace ssd {

// Every process holds all values: whoever puts one sends it to the others, and get() waits in its own
// process. The messages are brought on by the thread that watches (peer_watch.h), so that none is waited for
// within MPI.
class MpiKeyValues final : public KeyValues {
 public:
  // The link outlives it. `wake` asks for advance() soon, on the watching thread.
  MpiKeyValues(MpiLink& link, std::function<void()> wake) : link_(link), wake_(std::move(wake)) {}

  // Throws Error for more bytes than MPI counts in a message, and where MPI does not take it.
  void put(const std::string& key, const std::string& value) override;
  std::optional<std::string> get(const std::string& key, std::chrono::milliseconds timeout) override;

  // Takes what has come and lets go of what was sent. Whether there is something to do soon.
  bool advance();

  // How often this process has put something.
  std::uint64_t puts() const { return puts_; }
  // Whether what it put has left and, of all processes' puts, those of the others have come.
  bool is_settled(std::uint64_t of_all);

 private:
  struct Outgoing {
    std::shared_ptr<const std::string> bytes;
    MpiRequest request = nullptr;
  };
  struct Incoming {
    std::string bytes;
    MpiRequest request = nullptr;
  };
  void keep(const std::string& message);

  MpiLink& link_;
  std::function<void()> wake_;
  LocalKeyValues values_;
  std::atomic<int> waiting_{0};  // threads in get()
  std::atomic<std::uint64_t> puts_{0};
  // Touched within link_.alone() only:
  std::deque<Outgoing> outgoing_;
  Incoming incoming_;
  std::uint64_t received_ = 0;
};

}  // namespace ssd
