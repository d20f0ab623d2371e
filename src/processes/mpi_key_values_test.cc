// On an MPI that is not there: three processes in one, each with its watching thread.
#include "processes/mpi_key_values.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "processes/peer_watch.h"

namespace ssd {
namespace {

using namespace std::chrono_literals;

constexpr int ranks = 3;

// What is under way takes some looks of its sender, and is read when it arrives, not before.
struct Request {
  int looks_left = 5;
  const void* bytes = nullptr;
  std::size_t count = 0;
  int to = -1;  // nowhere: it never comes to pass
};

struct Network {
  std::mutex mutex;
  std::array<std::deque<std::string>, ranks> values;  // that have come, by rank
};
Network network;

int test(MpiRequest handle) {
  auto* request = static_cast<Request*>(handle);
  if (request->to < 0 || --request->looks_left > 0) return 0;
  const std::lock_guard lock(network.mutex);
  network.values[static_cast<std::size_t>(request->to)].emplace_back(static_cast<const char*>(request->bytes),
                                                                     request->count);
  delete request;
  return 1;
}

// A request that is over, for what test() needs no delivery of.
int test_any(MpiRequest handle) { return handle == &network ? 1 : test(handle); }

template <int rank>
MpiFunctions functions_of() {
  MpiFunctions mpi{};
  mpi.begin = [](int* own, int* size) {
    *own = rank;
    *size = ranks;
    return 0;
  };
  mpi.send_notice = [](const void*, std::size_t, int) -> MpiRequest { return &network; };
  mpi.receive_notice = [](void*, std::size_t) -> MpiRequest { return new Request; };
  mpi.send_value = [](const void* bytes, std::size_t count, int to) -> MpiRequest {
    return new Request{5, bytes, count, to};
  };
  mpi.find_value = [](std::size_t* count) {
    const std::lock_guard lock(network.mutex);
    if (network.values[rank].empty()) return 0;
    *count = network.values[rank].front().size();
    return 1;
  };
  mpi.receive_value = [](void* bytes, std::size_t count) -> MpiRequest {
    const std::lock_guard lock(network.mutex);
    std::memcpy(bytes, network.values[rank].front().data(), count);
    network.values[rank].pop_front();
    return &network;
  };
  mpi.test = test_any;
  mpi.cancel = [](MpiRequest request) { delete static_cast<Request*>(request); };
  return mpi;
}

// A process as far as values go.
class Process {
 public:
  explicit Process(const MpiFunctions& functions)
      : functions_(functions),
        link_(functions_),
        values_(link_, [this] { watch_->wake(); }),
        peers_(ranks, this_process()),
        watch_(std::make_unique<PeerWatch>(
            link_, peers_,
            PeerWatch::Options{.on_lost = {}, .advance = [this] { return values_.advance(); }})) {}

  MpiKeyValues& values() { return values_; }

 private:
  MpiFunctions functions_;
  MpiLink link_;
  MpiKeyValues values_;
  std::vector<Peer> peers_;
  std::unique_ptr<PeerWatch> watch_;
};

class Values : public testing::Test {
 protected:
  Values() {
    const std::lock_guard lock(network.mutex);
    for (auto& waiting : network.values) waiting.clear();
  }
  MpiKeyValues& of(int rank) {
    return *std::array{&first_, &second_, &third_}[static_cast<std::size_t>(rank)];
  }

 private:
  Process a_{functions_of<0>()}, b_{functions_of<1>()}, c_{functions_of<2>()};
  MpiKeyValues &first_ = a_.values(), &second_ = b_.values(), &third_ = c_.values();
};

TEST_F(Values, OfOneProcessReachAllWhateverTheirBytes) {
  const std::string binary("a\0b\xff\n\0", 6), key("key\0with zero", 13);
  of(1).put(key, binary);
  of(2).put("empty", "");
  for (int rank = 0; rank < ranks; ++rank) {
    EXPECT_EQ(of(rank).get(key, 10s), binary) << rank;
    EXPECT_EQ(of(rank).get("empty", 10s), "") << rank;
  }
  EXPECT_EQ(of(0).get("key", 0ms), std::nullopt);
}

TEST_F(Values, AreWaitedForUntilTheyCome) {
  std::thread later([this] {
    std::this_thread::sleep_for(300ms);
    of(0).put("late", "value");
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(of(2).get("late", 10s), "value");
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, 250ms);
  EXPECT_LT(waited, 5s);
  later.join();
}

TEST_F(Values, AreWaitedForNoLongerThanAsked) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(of(1).get("never", 200ms), std::nullopt);
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, 200ms);
  EXPECT_LT(waited, 5s);
}

TEST_F(Values, MayBeLarge) {
  std::string large(std::size_t{16} << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + i / 255);
  of(0).put("large", large);
  EXPECT_TRUE(of(1).get("large", 60s) == large);
}

TEST_F(Values, OfManyThreadsReachEveryThread) {
  constexpr int threads = 4, keys = 20;
  const auto key = [](int rank, int thread, int i) {
    return std::to_string(rank) + "/" + std::to_string(thread) + "/" + std::to_string(i);
  };
  std::atomic<int> right{0};
  {
    std::vector<std::jthread> all;
    for (int rank = 0; rank < ranks; ++rank)
      for (int thread = 0; thread < threads; ++thread)
        all.emplace_back([&, rank, thread] {
          for (int i = 0; i < keys; ++i) of(rank).put(key(rank, thread, i), "of " + key(rank, thread, i));
          for (int from = 0; from < ranks; ++from)
            for (int i = 0; i < keys; ++i)
              if (of(rank).get(key(from, thread, i), 60s) == "of " + key(from, thread, i)) ++right;
        });
  }
  EXPECT_EQ(right, ranks * threads * ranks * keys);
  // All is settled soon, and not before what all put has come.
  EXPECT_EQ(of(0).puts(), std::uint64_t{threads * keys});
  for (int rank = 0; rank < ranks; ++rank) {
    for (int look = 0; look < 100 && !of(rank).is_settled(ranks * threads * keys); ++look)
      std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(of(rank).is_settled(ranks * threads * keys)) << rank;
    EXPECT_FALSE(of(rank).is_settled(ranks * threads * keys + 1)) << rank;
  }
}

}  // namespace
}  // namespace ssd
