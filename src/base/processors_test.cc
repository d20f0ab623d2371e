#include "base/processors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// A file system of its own for a process of an eight-processor machine.
class ProcessorsOf : public testing::Test {
 protected:
  ProcessorsOf() {
    limits_.root = folder_.path();
    limits_.affinity = limits_.online = 8;
  }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((limits_.root / file).parent_path());
    std::ofstream(limits_.root / file) << text;
  }

  TemporaryFolder folder_;
  ProcessorLimits limits_;
};

TEST_F(ProcessorsOf, AffinityCountsWhereNothingElseLimits) {
  EXPECT_EQ(processors(limits_).count, 8);
  EXPECT_EQ(processors(limits_).reason, "all processors");
  limits_.affinity = 3;
  EXPECT_EQ(processors(limits_).count, 3);
  EXPECT_EQ(processors(limits_).reason, "3 of 8 processors by affinity");
}

TEST_F(ProcessorsOf, TheSmallestQuotaOfVersion2Counts) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(processors(limits_).count, 8);
  write("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(processors(limits_).count, 2);
  EXPECT_EQ(processors(limits_).reason, "CPU quota 2.5 of its control group");
  write("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(processors(limits_).count, 1);
  write("sys/fs/cgroup/a/b/cpu.max", "6400000 100000\n");
  EXPECT_EQ(processors(limits_).count, 2);
}

// Of a container that sees the host's path but only its own group.
TEST_F(ProcessorsOf, AQuotaAtTheRootCountsWhereThePathIsNotThere) {
  write("proc/self/cgroup", "0::/docker/0123\n");
  write("sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(processors(limits_).count, 1);
}

TEST_F(ProcessorsOf, AQuotaOfVersion1Counts) {
  write("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/c\n1:cpuset:/s\n");
  write("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(processors(limits_).count, 8);
  write("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(processors(limits_).count, 4);
}

TEST_F(ProcessorsOf, OmpNumThreadsIsTheUsersWord) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/cpu.max", "100000 100000\n");
  limits_.omp_num_threads = "4,2";
  EXPECT_EQ(processors(limits_).count, 4);
  EXPECT_EQ(processors(limits_).reason, "OMP_NUM_THREADS");
  for (const char* nonsense : {"", "many", "-3", "0"}) {
    limits_.omp_num_threads = nonsense;
    EXPECT_EQ(processors(limits_).count, 1) << nonsense;
  }
}

TEST_F(ProcessorsOf, WhatCannotBeReadLimitsNothing) {
  write("proc/self/cgroup", "0::/a\nnonsense\n:\n");
  write("sys/fs/cgroup/a/cpu.max", "\xff\xfe");
  EXPECT_EQ(processors(limits_).count, 8);
}

}  // namespace
}  // namespace ssd
