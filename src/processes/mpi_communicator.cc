#include "processes/mpi_communicator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/error.h"

namespace ssd {

MpiCommunicator::MpiCommunicator(const MpiFunctions& functions, PeerWatch::Options options)
    : link_(functions), values_(link_, [this] {
        if (watch_) watch_->wake();
      }) {
  const std::vector<std::string> gathered = gather(to_text(this_process()));
  for (int rank = 0; rank < size(); ++rank)
    peers_.push_back(parse_peer(broadcast(is_first() ? gathered[static_cast<std::size_t>(rank)] : "")));
  options.advance = [this] { return values_.advance(); };
  if (size() > 1) watch_ = std::make_unique<PeerWatch>(link_, peers_, std::move(options));
}

MpiCommunicator::~MpiCommunicator() {
  try {
    settle_values();
  } catch (const Error&) {
    return;  // nobody is left to end it with
  }
  watch_.reset();
  link_.alone([](const MpiFunctions& mpi) { mpi.end(); });
}

// Waits for all processes, too.
void MpiCommunicator::settle_values() {
  auto puts = static_cast<double>(values_.puts());
  all_reduce({&puts, 1});
  while (size() > 1 && !values_.is_settled(static_cast<std::uint64_t>(puts))) {
    watch_->wake();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::vector<double> MpiCommunicator::gather_in_group(std::span<const double> values, int group) {
  std::vector<double> all(values.size() * static_cast<std::size_t>(group));
  link_.finish(
      [&](const MpiFunctions& mpi) { return mpi.gather(values.data(), values.size(), all.data(), group); });
  return all;
}

void MpiCommunicator::all_reduce(std::span<double> values) {
  const std::vector<double> all = gather_in_group(values, size());
  std::ranges::fill(values, 0.0);
  for (std::size_t i = 0; i < all.size(); ++i) values[i % values.size()] += all[i];
}

std::vector<std::string> MpiCommunicator::gather(const std::string& bytes) {
  if (!is_first()) {
    link_.send(bytes, 0);
    return {};
  }
  std::vector<std::string> all{bytes};
  for (int rank = 1; rank < size(); ++rank) all.push_back(link_.receive(rank));
  return all;
}

std::string MpiCommunicator::broadcast(const std::string& bytes) {
  std::string first = is_first() ? bytes : "";
  link_.broadcast(first);
  return first;
}

void MpiCommunicator::start_sum(std::span<float> values) {
  link_.start_sum(values);
  if (watch_) watch_->wake();
}

void MpiCommunicator::abort(int exit_code) {
  if (watch_) watch_->announce_end();
  link_.alone([&](const MpiFunctions& mpi) { mpi.abort(exit_code); });
  std::_Exit(exit_code);
}

}  // namespace ssd
