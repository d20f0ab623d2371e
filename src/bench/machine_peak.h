// What this machine can do at best, by short measurements: the two ceilings of a roofline (Williams, Waterman
// and Patterson 2009, "Roofline: an insightful visual performance model").
#pragma once

namespace ssd {

struct MachinePeak {
  int threads = 1;   // that ran at the same time
  double flops = 0;  // a second: f32 multiply-adds in registers, by the widest vectors
  double bytes = 0;  // a second, from and to memory: a = b + s * c over arrays far larger than caches
};

// Of so many threads, and no more than the process has processors: the best of many tries, so that a busy
// machine shows its peak too. Takes less than a second and 384 MiB. Bytes are counted as STREAM's triad has
// them (McCalpin 1995), three floats an element, and are stored past the caches.
MachinePeak measure_peak(int threads);

}  // namespace ssd
