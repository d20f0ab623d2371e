// On an MPI that is not there: rank 0 of two, whose other is played by the test.
#include "processes/peer_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <thread>

#include "base/error.h"
#include "processes/mpi_communicator.h"

namespace ssd {
namespace {

using namespace std::chrono_literals;

// What requests are: over after some looks, or never; what is over may have failed.
struct Request {
  int looks_left = 0;
  bool never = false;
  bool fails = false;
  std::function<void()> when_over;
};

struct Notice {
  std::int32_t rank = 1;
  std::int32_t ends = 0;
};

// The one MPI of a test. The link sees to it that nobody calls it twice at a time; the test sets it before.
struct FakeMpi {
  int looks_of_a_sum = 1;
  bool sums_fail = false;
  std::atomic<bool> peer_speaks{false}, peer_ends{false};
  std::atomic<int> aborted{0};
  std::deque<std::string> messages;  // on their way to rank 0
};
FakeMpi mpi;

MpiRequest over_at_once() { return new Request; }

const MpiFunctions functions{
    .begin =
        [](int* rank, int* size) {
          *rank = 0;
          *size = 2;
          return 0;
        },
    .end = [] {},
    .abort = [](int exit_code) { mpi.aborted = exit_code; },
    .sum = [](float* values, std::size_t count) -> MpiRequest {
      return new Request{mpi.looks_of_a_sum, false, mpi.sums_fail, [=] {
                           for (std::size_t i = 0; i < count; ++i) values[i] *= 2;  // the other has the same
                         }};
    },
    .gather = [](const double* values, std::size_t count, double* all, int group) -> MpiRequest {
      for (int rank = 0; rank < group; ++rank)
        std::memcpy(all + rank * count, values, count * sizeof(double));
      return over_at_once();
    },
    .broadcast = [](void*, std::size_t) -> MpiRequest { return over_at_once(); },
    .send = [](const void*, std::size_t, int) -> MpiRequest { return over_at_once(); },
    .receive = [](void* bytes, std::size_t count, int) -> MpiRequest {
      const std::string message = mpi.messages.front();
      mpi.messages.pop_front();
      EXPECT_EQ(message.size(), count);
      std::memcpy(bytes, message.data(), count);
      return over_at_once();
    },
    .send_notice = [](const void*, std::size_t, int) -> MpiRequest { return over_at_once(); },
    .receive_notice = [](void* bytes, std::size_t) -> MpiRequest {
      if (!mpi.peer_speaks) return new Request{0, true, false, {}};
      const Notice notice{1, mpi.peer_ends ? 1 : 0};
      std::memcpy(bytes, &notice, sizeof notice);
      return new Request{1, false, false, {}};
    },
    .send_value = [](const void*, std::size_t, int) -> MpiRequest { return over_at_once(); },
    .find_value = [](std::size_t*) { return 0; },
    .receive_value = [](void*, std::size_t) -> MpiRequest { return nullptr; },
    .test =
        [](MpiRequest handle) {
          auto* request = static_cast<Request*>(handle);
          if (request->never) return 0;
          if (request->looks_left-- > 0) return 0;
          const bool fails = request->fails;
          if (!fails && request->when_over) request->when_over();
          delete request;
          return fails ? -1 : 1;
        },
    .cancel = [](MpiRequest handle) { delete static_cast<Request*>(handle); },
};

class Watch : public testing::Test {
 protected:
  Watch() {
    mpi.looks_of_a_sum = 1;
    mpi.sums_fail = mpi.peer_speaks = mpi.peer_ends = false;
    mpi.messages.clear();
  }

  // The other process on another machine, or here with this id.
  std::vector<Peer> peers(std::int64_t here = 0) const {
    Peer other = this_process();
    if (here == 0)
      other.host = "elsewhere";
    else
      other.process = here;
    return {this_process(), other};
  }
  PeerWatch::Options options(std::chrono::milliseconds silence) {
    return {.on_lost =
                [this](const std::string& line) {
                  line_ = line;
                  ++told_;
                },
            .silence = silence};
  }
  void wait_until_told() const {
    for (int i = 0; i < 100 && told_ == 0; ++i) std::this_thread::sleep_for(50ms);
  }

  std::string line_;
  std::atomic<int> told_{0};
};

TEST_F(Watch, NamesAProcessThatHasFallenSilentOnce) {
  MpiLink link(functions);
  const std::vector<Peer> both = peers();
  PeerWatch watch(link, both, options(300ms));
  watch.at_step(7);
  wait_until_told();
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(told_, 1);
  EXPECT_TRUE(line_.starts_with("rank 1 on elsewhere (process ")) << line_;
  EXPECT_NE(line_.find("is lost at step 7: it has said nothing for "), std::string::npos) << line_;
}

TEST_F(Watch, IsContentWithAProcessThatSpeaks) {
  mpi.peer_speaks = true;
  MpiLink link(functions);
  const std::vector<Peer> both = peers();
  const PeerWatch watch(link, both, options(1500ms));
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(told_, 0);
}

TEST_F(Watch, SaysNothingOfAProcessThatAnnouncedItsEnd) {
  mpi.peer_speaks = mpi.peer_ends = true;
  MpiLink link(functions);
  const std::vector<Peer> both = peers();
  const PeerWatch watch(link, both, options(1500ms));
  std::this_thread::sleep_for(500ms);
  mpi.peer_speaks = false;
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(told_, 0);
}

TEST_F(Watch, BringsSumsOnWhileTheCallerIsBusy) {
  mpi.looks_of_a_sum = 500;  // more than the caller alone would look in that time
  MpiLink link(functions);
  const std::vector<Peer> both = peers();
  PeerWatch watch(link, both, options(10s));
  std::vector<float> first{1, 2}, second{3};
  link.start_sum(first);
  link.start_sum(second);
  watch.wake();
  std::this_thread::sleep_for(500ms);
  const SumTimes times = link.finish_sum(), later = link.finish_sum();
  EXPECT_LT(times.end - times.begin, 500ms) << "it was over before it was waited for";
  EXPECT_LE(times.end, later.end);
  EXPECT_EQ(first, (std::vector<float>{2, 4}));
  EXPECT_EQ(second, std::vector<float>{6});
}

TEST_F(Watch, ASumThatFailsIsAnErrorWhereItIsWaitedFor) {
  mpi.sums_fail = true;
  MpiLink link(functions);
  std::vector<float> values{1};
  link.start_sum(values);
  EXPECT_THROW(link.finish_sum(), Error);
}

TEST_F(Watch, TheCommunicatorAddsByRankAndGathersFromAll) {
  mpi.peer_speaks = true;
  const std::string other = to_text(peers()[1]);
  const std::uint64_t size = other.size();
  mpi.messages = {std::string(reinterpret_cast<const char*>(&size), sizeof size), other};
  MpiCommunicator communicator(functions, options(10s));
  EXPECT_EQ(communicator.size(), 2);
  EXPECT_EQ(communicator.peers().at(1).host, "elsewhere");
  std::vector<double> values{1, 2.5};
  communicator.all_reduce(values);
  EXPECT_EQ(values, (std::vector<double>{2, 5}));
  EXPECT_EQ(communicator.gather_in_group(std::vector<double>{3}, 2), (std::vector<double>{3, 3}));
}

}  // namespace
}  // namespace ssd
