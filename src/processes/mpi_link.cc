#include "processes/mpi_link.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <thread>

#include "base/error.h"

namespace ssd {
namespace {

constexpr std::size_t part_bytes = std::size_t{64} << 20;

[[noreturn]] void fail() {
  throw Error("MPI: a message did not arrive: another process or the network is lost; --resume goes on from "
              "the last checkpoint");
}

template <typename Move>
void in_parts(std::size_t bytes, const Move& move) {
  for (std::size_t at = 0; at < bytes; at += part_bytes) move(at, std::min(part_bytes, bytes - at));
}

}  // namespace

MpiLink::MpiLink(const MpiFunctions& functions) : functions_(functions) {
  if (functions_.begin(&rank_, &size_) != 0)
    throw Error("MPI: it does not start, or does not bear threads; start the run by its launcher (mpirun, srun)");
}

// Processors belong to the computing: after a few looks, looking becomes rare.
void MpiLink::wait_for(const std::function<bool()>& is_over) {
  constexpr int eager_looks = 50;
  constexpr std::chrono::microseconds longest(500);
  std::chrono::microseconds pause(20);
  for (int look = 0; !is_over(); ++look) {
    if (look < eager_looks) {
      std::this_thread::yield();
      continue;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest);
  }
}

bool MpiLink::is_over(MpiRequest request) {
  const int state = alone([&](const MpiFunctions& mpi) { return mpi.test(request); });
  if (state < 0) fail();
  return state > 0;
}

void MpiLink::finish(const Begin& begin) {
  const MpiRequest request = alone([&](const MpiFunctions& mpi) { return begin(mpi); });
  if (request == nullptr) fail();
  wait_for([&] { return is_over(request); });
}

void MpiLink::send(const std::string& bytes, int to) {
  const std::uint64_t size = bytes.size();
  finish([&](const MpiFunctions& mpi) { return mpi.send(&size, sizeof size, to); });
  in_parts(bytes.size(), [&](std::size_t at, std::size_t count) {
    finish([&](const MpiFunctions& mpi) { return mpi.send(bytes.data() + at, count, to); });
  });
}

std::string MpiLink::receive(int from) {
  std::uint64_t size = 0;
  finish([&](const MpiFunctions& mpi) { return mpi.receive(&size, sizeof size, from); });
  std::string bytes(size, '\0');
  in_parts(bytes.size(), [&](std::size_t at, std::size_t count) {
    finish([&](const MpiFunctions& mpi) { return mpi.receive(bytes.data() + at, count, from); });
  });
  return bytes;
}

void MpiLink::broadcast(std::string& bytes) {
  std::uint64_t size = bytes.size();
  finish([&](const MpiFunctions& mpi) { return mpi.broadcast(&size, sizeof size); });
  bytes.resize(size);
  in_parts(bytes.size(), [&](std::size_t at, std::size_t count) {
    finish([&](const MpiFunctions& mpi) { return mpi.broadcast(bytes.data() + at, count); });
  });
}

void MpiLink::start_sum(std::span<float> values) {
  const std::lock_guard lock(mutex_);
  const MpiRequest request = functions_.sum(values.data(), values.size());
  if (request == nullptr) fail();
  sums_.push_back({.request = request, .times = {std::chrono::steady_clock::now(), {}}});
}

bool MpiLink::advance_sums() {
  const std::lock_guard lock(mutex_);
  const auto next = std::ranges::find_if(sums_, [](const Sum& sum) { return !sum.is_over; });
  if (next == sums_.end()) return false;
  const int state = functions_.test(next->request);
  next->is_over = state != 0;
  next->failed = state < 0;
  next->times.end = std::chrono::steady_clock::now();
  return true;
}

SumTimes MpiLink::finish_sum() {
  wait_for([&] {
    advance_sums();
    const std::lock_guard lock(mutex_);
    return sums_.front().is_over;
  });
  const std::lock_guard lock(mutex_);
  const Sum sum = sums_.front();
  sums_.pop_front();
  if (sum.failed) fail();
  return sum.times;
}

}  // namespace ssd
