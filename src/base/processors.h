// How many processors this process may use, and why.
#pragma once

#include <filesystem>
#include <string>

namespace ssd {

struct Processors {
  int count = 1;       // at least 1
  std::string reason;  // a few words for people: "all processors", "OMP_NUM_THREADS"
};

// What limits them.
struct ProcessorLimits {
  int affinity = 0;                  // processors of the affinity mask
  int online = 0;                    // of the machine
  std::string omp_num_threads;       // the variable; empty: not set
  int processes = 1;                 // of a run that share them
  std::filesystem::path root = "/";  // of /proc/self/cgroup and /sys/fs/cgroup
};

ProcessorLimits limits_of_this_process();
// From now on the processors are those of so many processes together. To be called before processors().
void share_processors(int processes);

// OMP_NUM_THREADS where it is a number above 0 (the first, of a list); else the affinity mask's processors,
// and no more than the whole processors that the CPU quotas allow of this process's control group and of
// those around it: threads beyond a quota only wait for each other. Versions 1 and 2 of control groups (the
// kernel's Documentation/admin-guide/cgroup-v2.rst, "cpu.max"; Documentation/scheduler/sched-bwc.rst). A
// quota under one processor counts as one; what cannot be read limits nothing. Processes that share them get
// an equal part each, at least one.
Processors processors(const ProcessorLimits& limits);
// The same for this process, looked up once.
const Processors& processors();

}  // namespace ssd
