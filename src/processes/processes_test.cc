#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "base/error.h"
#include "processes/launched.h"
#include "processes/peer.h"

namespace ssd {
namespace {

TEST(Launched, BelievesTheLaunchersVariables) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    EXPECT_EQ(launched().processes, 1) << name;
    for (const char* value : {"1", "", "x", "-3", "4x"}) {
      ::setenv(name, value, 1);
      EXPECT_EQ(launched().processes, 1) << name << "=" << value;
    }
    ::setenv(name, "4", 1);
    EXPECT_EQ(launched().processes, 4);
    EXPECT_EQ(launched().said_by, name);
    ::unsetenv(name);
  }
}

TEST(Peer, IsTheSameAfterItsText) {
  const Peer own = this_process(), again = parse_peer(to_text(own));
  EXPECT_EQ(again.host, own.host);
  EXPECT_EQ(again.process, ::getpid());
  EXPECT_EQ(again.started, own.started);
  EXPECT_EQ(again.processors, own.processors);
  EXPECT_FALSE(own.processors.empty());
  EXPECT_THROW(parse_peer("host\nno number"), Error);
}

TEST(Peer, RunsUntilItsProcessEnds) {
  EXPECT_TRUE(is_running(this_process()));
  Peer earlier = this_process();
  --earlier.started;  // another process that had the same id
  EXPECT_FALSE(is_running(earlier));
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const ::pid_t child = ::fork();
  if (child == 0) {
    const std::string text = to_text(this_process());
    const bool written = ::write(pipe[1], text.data(), text.size()) > 0;
    while (written) ::pause();
    ::_exit(1);
  }
  std::array<char, 65536> text{};
  ASSERT_GT(::read(pipe[0], text.data(), text.size() - 1), 0);
  const Peer peer = parse_peer(text.data());
  EXPECT_EQ(peer.process, child);
  EXPECT_TRUE(is_running(peer));
  ::kill(child, SIGKILL);
  ::siginfo_t info;
  ::waitid(P_PID, static_cast<::id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_FALSE(is_running(peer)) << "it has ended, and waits for its parent";
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(is_running(peer));
  for (const int end : pipe) ::close(end);
}

TEST(Peer, SharesProcessorsWithThoseOfItsHostAndMask) {
  const std::vector<Peer> peers{{"a", 1, 1, "0,1"}, {"a", 2, 1, "0,1"}, {"b", 1, 1, "0,1"}, {"a", 3, 1, "2"}};
  EXPECT_EQ(sharers_of_processors(peers, 0), 2);
  EXPECT_EQ(sharers_of_processors(peers, 2), 1);
  EXPECT_EQ(sharers_of_processors(peers, 3), 1);
}

}  // namespace
}  // namespace ssd
