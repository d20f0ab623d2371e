#include "processes/peer_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ssd {
namespace {

constexpr std::chrono::milliseconds notice_interval(1000), look_interval(100);
constexpr std::chrono::microseconds sum_interval(300);
constexpr int looks_at_sums = 20;  // in a row: each brings a sum on by a piece

}  // namespace

PeerWatch::PeerWatch(MpiLink& link, const std::vector<Peer>& peers, Options options)
    : link_(link), peers_(peers), options_(std::move(options)) {
  outgoing_.to = link.rank() == 0 ? 1 : 0;
  const int first = link.rank() == 0 ? 1 : 0, end = link.rank() == 0 ? link.size() : link.rank() == 1 ? 1 : 0;
  for (int rank = first; rank < end; ++rank) {
    const Peer& peer = peers_[static_cast<std::size_t>(rank)];
    const bool here = peer.host == peers_[static_cast<std::size_t>(link.rank())].host;
    watched_.push_back({rank, here && is_running(peer), Clock::now()});
  }
  thread_ = std::thread([this] { run(); });
}

PeerWatch::~PeerWatch() {
  {
    const std::lock_guard lock(mutex_);
    call_ = Call::stop;
  }
  wake_.notify_one();
  thread_.join();
  if (incoming_.request != nullptr)
    link_.alone([&](const MpiFunctions& mpi) { mpi.cancel(incoming_.request); });
}

void PeerWatch::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (call_ != Call::stop) call_ = Call::wake;
  }
  wake_.notify_one();
}

void PeerWatch::announce_end() {
  const Notice notice{link_.rank(), 1};
  for (int rank = 0; rank < link_.size(); ++rank)
    if (rank != link_.rank())
      link_.alone([&](const MpiFunctions& mpi) { mpi.send_notice(&notice, sizeof notice, rank); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
}

void PeerWatch::run() {
  Clock::time_point next_look = Clock::now();
  while (true) {
    bool busy = link_.advance_sums();
    for (int look = 1; busy && look < looks_at_sums; ++look) busy = link_.advance_sums();
    if (options_.advance && options_.advance()) busy = true;
    const auto now = Clock::now();
    if (now >= next_look) {
      next_look = now + look_interval;
      exchange_notices(now);
      look_for_lost(now);
    }
    std::unique_lock lock(mutex_);
    if (busy)
      wake_.wait_for(lock, sum_interval, [&] { return call_ == Call::stop; });
    else
      wake_.wait_until(lock, next_look, [&] { return call_ != Call::none; });
    if (call_ == Call::stop) return;
    call_ = Call::none;
  }
}

void PeerWatch::exchange_notices(Clock::time_point now) {
  link_.alone([&](const MpiFunctions& mpi) {
    if (incoming_.request == nullptr)
      incoming_.request = mpi.receive_notice(&incoming_.notice, sizeof incoming_.notice);
    while (incoming_.request != nullptr && mpi.test(incoming_.request) > 0) {
      for (Watched& watched : watched_)
        if (watched.rank == incoming_.notice.rank) watched.heard = now;
      if (incoming_.notice.ends != 0)
        told_ = true;  // whatever is lost from here on, it is that process's affair
      incoming_.request = mpi.receive_notice(&incoming_.notice, sizeof incoming_.notice);
    }
    if (outgoing_.request != nullptr && mpi.test(outgoing_.request) != 0) outgoing_.request = nullptr;
    if (outgoing_.request != nullptr || now - outgoing_.sent < notice_interval) return;
    outgoing_.notice = {link_.rank(), 0};
    outgoing_.request = mpi.send_notice(&outgoing_.notice, sizeof outgoing_.notice, outgoing_.to);
    outgoing_.sent = now;
  });
}

void PeerWatch::look_for_lost(Clock::time_point now) {
  for (const Watched& watched : watched_) {
    if (told_) return;
    if (watched.by_id && !is_running(peers_[static_cast<std::size_t>(watched.rank)]))
      report(watched.rank, "its process is gone");
    else if (now - watched.heard > options_.silence)
      report(watched.rank, fmt::format("it has said nothing for {:.0f} s",
                                       std::chrono::duration<double>(now - watched.heard).count()));
  }
}

void PeerWatch::report(int rank, const std::string& why) {
  told_ = true;
  const Peer& peer = peers_[static_cast<std::size_t>(rank)];
  if (options_.on_lost)
    options_.on_lost(
        fmt::format("rank {} on {} (process {}) is lost at step {}: {}; --resume goes on from the "
                    "last checkpoint",
                    rank, peer.host, peer.process, step_.load(), why));
}

}  // namespace ssd
