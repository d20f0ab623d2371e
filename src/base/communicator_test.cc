#include "base/communicator.h"

#include <gtest/gtest.h>

#include "testing/thread_communicator.h"

namespace ssd {
namespace {

TEST(Communicator, AProcessThatIsAloneHearsItself) {
  SingleProcess alone;
  EXPECT_TRUE(alone.is_first());
  double value = 3;
  alone.all_reduce({&value, 1});
  EXPECT_EQ(value, 3);
  EXPECT_EQ(alone.gather("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(alone.broadcast("a"), "a");
}

// What the interface promises, by the one that tests put in the place of processes.
TEST(Communicator, ProcessesSumGatherAndBroadcastByRank) {
  std::vector<std::vector<double>> sums(3);
  std::vector<std::vector<std::string>> gathered(3);
  std::vector<std::string> broadcasts(3);
  ThreadGroup(3).run([&](Communicator& communicator) {
    const auto rank = static_cast<std::size_t>(communicator.rank());
    std::vector<double> values{1.0, static_cast<double>(rank)};
    communicator.all_reduce(values);
    sums[rank] = values;
    gathered[rank] = communicator.gather(std::string(rank, 'x'));
    broadcasts[rank] = communicator.broadcast(std::to_string(rank));
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(sums[rank], (std::vector<double>{3, 3})) << rank;
    EXPECT_EQ(broadcasts[rank], "0") << rank;
  }
  EXPECT_EQ(gathered[0], (std::vector<std::string>{"", "x", "xx"}));
  EXPECT_TRUE(gathered[1].empty());
}

}  // namespace
}  // namespace ssd
