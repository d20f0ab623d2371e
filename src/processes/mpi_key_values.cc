#include "processes/mpi_key_values.h"

#include <climits>
#include <cstring>

#include "base/error.h"

namespace ssd {
namespace {

// The key's length, the key, the value.
std::string message_of(const std::string& key, const std::string& value) {
  const std::uint64_t size = key.size();
  std::string message(reinterpret_cast<const char*>(&size), sizeof size);
  message.reserve(sizeof size + key.size() + value.size());
  message += key;
  message += value;
  if (message.size() > INT_MAX)
    throw Error("MPI: got a value of {} bytes for the other processes, expected less than 2 GiB",
                value.size());
  return message;
}

}  // namespace

void MpiKeyValues::put(const std::string& key, const std::string& value) {
  values_.put(key, value);
  if (link_.size() == 1) return;
  const auto message = std::make_shared<const std::string>(message_of(key, value));
  link_.alone([&](const MpiFunctions& mpi) {
    for (int rank = 0; rank < link_.size(); ++rank) {
      if (rank == link_.rank()) continue;
      const MpiRequest request = mpi.send_value(message->data(), message->size(), rank);
      if (request == nullptr) throw Error("MPI: a value for rank {} cannot be sent", rank);
      outgoing_.push_back({message, request});
    }
  });
  ++puts_;
  wake_();
}

std::optional<std::string> MpiKeyValues::get(const std::string& key, std::chrono::milliseconds timeout) {
  if (auto value = values_.get(key, std::chrono::milliseconds(0))) return value;
  ++waiting_;
  wake_();
  auto value = values_.get(key, timeout);
  --waiting_;
  return value;
}

bool MpiKeyValues::advance() {
  return link_.alone([&](const MpiFunctions& mpi) {
    while (true) {
      std::size_t count = 0;
      if (incoming_.request == nullptr && mpi.find_value(&count) > 0) {
        incoming_.bytes.resize(count);
        incoming_.request = mpi.receive_value(incoming_.bytes.data(), count);
      }
      if (incoming_.request == nullptr) break;
      const int state = mpi.test(incoming_.request);
      if (state == 0) break;
      incoming_.request = nullptr;
      if (state > 0) keep(incoming_.bytes);
    }
    std::erase_if(outgoing_, [&](const Outgoing& sent) { return mpi.test(sent.request) != 0; });
    return waiting_ > 0 || incoming_.request != nullptr || !outgoing_.empty();
  });
}

void MpiKeyValues::keep(const std::string& message) {
  ++received_;
  std::uint64_t size = 0;
  if (message.size() < sizeof size) return;
  std::memcpy(&size, message.data(), sizeof size);
  if (size > message.size() - sizeof size) return;
  values_.put(message.substr(sizeof size, size), message.substr(sizeof size + size));
}

bool MpiKeyValues::is_settled(std::uint64_t of_all) {
  return link_.alone([&](const MpiFunctions&) { return outgoing_.empty() && received_ + puts_ >= of_all; });
}

}  // namespace ssd
