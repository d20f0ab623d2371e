// Denormal numbers as zero: they cost a hundred times the time of others and carry nothing here.
#pragma once

namespace ssd::cpu {

// While it lives, the calling thread and its OpenMP team treat denormal numbers as zero. The team's threads
// keep that; they work for nobody else.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_;  // the calling thread's control register
};

}  // namespace ssd::cpu
