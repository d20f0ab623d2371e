#include "bench/machine_peak.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <new>
#include <numeric>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/machine_peak.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h
#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "base/processors.h"
#include "base/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace ssd {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// `rounds` multiply-adds in each lane of ten vectors, as many as keep two units of a latency of five cycles
// busy. Returns the operations; what they make goes to `sink`.
double multiply_add(std::size_t rounds, float& sink) {
  const hn::ScalableTag<float> d;
  const auto scale = hn::Set(d, 0.999f), shift = hn::Set(d, 0.001f);
  auto a = hn::Set(d, 0.1f), b = hn::Set(d, 0.2f), c = hn::Set(d, 0.3f), e = hn::Set(d, 0.4f),
       f = hn::Set(d, 0.5f), g = hn::Set(d, 0.6f), h = hn::Set(d, 0.7f), i = hn::Set(d, 0.8f),
       j = hn::Set(d, 0.9f), k = hn::Set(d, 1.1f);
  for (std::size_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, scale, shift);
    b = hn::MulAdd(b, scale, shift);
    c = hn::MulAdd(c, scale, shift);
    e = hn::MulAdd(e, scale, shift);
    f = hn::MulAdd(f, scale, shift);
    g = hn::MulAdd(g, scale, shift);
    h = hn::MulAdd(h, scale, shift);
    i = hn::MulAdd(i, scale, shift);
    j = hn::MulAdd(j, scale, shift);
    k = hn::MulAdd(k, scale, shift);
  }
  const auto left = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), f);
  const auto right = hn::Add(hn::Add(hn::Add(g, h), hn::Add(i, j)), k);
  sink = hn::GetLane(hn::Add(left, right));
  return 2.0 * 10 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

// a = b + s * c; all are aligned, and `count` is a multiple of every vector's lanes.
void triad(const float* b, const float* c, std::size_t count, float* a) {
  const hn::ScalableTag<float> d;
  const auto s = hn::Set(d, 3.0f);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d))
    hn::Stream(hn::MulAdd(s, hn::Load(d, c + i), hn::Load(d, b + i)), d, a + i);
  hwy::FlushStream();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ssd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd {
namespace {

HWY_EXPORT(multiply_add);
HWY_EXPORT(triad);

// Each try takes about two milliseconds, short enough that some find a busy machine idle.
constexpr int tries = 50;
constexpr std::size_t rounds = std::size_t{1} << 19;         // of multiply-adds
constexpr std::size_t array_floats = std::size_t{32} << 20;  // of each of the triad's three, of all threads
constexpr std::size_t portions = 8;  // a try takes one of them, which others push out of caches
constexpr std::size_t most_lanes = 1024;

using Clock = std::chrono::steady_clock;

// Seconds that this thread was running, however busy the machine is.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double flops_a_second(ThreadPool& pool) {
  std::vector<double> rates(static_cast<std::size_t>(pool.threads()));
  std::vector<float> sinks(rates.size());
  pool.parallel_for(rates.size(), [&](std::size_t thread) {
    for (int i = 0; i < tries; ++i) {
      const double begin = thread_seconds();
      const double done = HWY_DYNAMIC_DISPATCH(multiply_add)(rounds, sinks[thread]);
      rates[thread] = std::max(rates[thread], done / (thread_seconds() - begin));
    }
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double bytes_a_second(ThreadPool& pool) {
  struct Arrays {
    hwy::AlignedFreeUniquePtr<float[]> a, b, c;
  };
  std::vector<Arrays> of_threads(static_cast<std::size_t>(pool.threads()));
  const std::size_t portion = array_floats / of_threads.size() / portions / most_lanes * most_lanes;
  pool.parallel_for(of_threads.size(), [&](std::size_t thread) {
    Arrays& arrays = of_threads[thread];
    for (auto* array : {&arrays.a, &arrays.b, &arrays.c}) {
      *array = hwy::AllocateAligned<float>(portions * portion);
      if (*array == nullptr) throw std::bad_alloc();
      std::fill_n(array->get(), portions * portion, 1.0f);
    }
  });
  // By the clock, for threads that take turns would have the memory to themselves.
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < tries; ++i) {
    const std::size_t at = static_cast<std::size_t>(i) % portions * portion;
    const Clock::time_point begin = Clock::now();
    pool.parallel_for(of_threads.size(), [&](std::size_t thread) {
      const Arrays& arrays = of_threads[thread];
      HWY_DYNAMIC_DISPATCH(triad)(arrays.b.get() + at, arrays.c.get() + at, portion, arrays.a.get() + at);
    });
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return 3.0 * sizeof(float) * static_cast<double>(portion * of_threads.size()) / best;
}

}  // namespace

MachinePeak measure_peak(int threads) {
  ThreadPool pool(std::clamp(limits_of_this_process().affinity, 1, threads));
  return {pool.threads(), flops_a_second(pool), bytes_a_second(pool)};
}

}  // namespace ssd
#endif
