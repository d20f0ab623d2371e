#include "base/random.h"

#include <cmath>
#include <numbers>

namespace ssd {
namespace {

constexpr std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
constexpr std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }

}  // namespace

// The counter's first word counts blocks; the other three hold the stream and the substream.
Random::Random(std::uint64_t seed, std::uint32_t stream, std::uint64_t substream)
    : key_{low(seed), high(seed)}, counter_{0, stream, low(substream), high(substream)} {}

void Random::refill() {
  std::array<std::uint32_t, 4> c = counter_;
  std::array<std::uint32_t, 2> k = key_;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {high(p1) ^ c[1] ^ k[0], low(p1), high(p0) ^ c[3] ^ k[1], low(p0)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  block_ = c;
  ++counter_[0];
  used_ = 0;
}

std::uint32_t Random::next() {
  if (used_ == 4) refill();
  return block_[used_++];
}

double Random::uniform() {
  const std::uint64_t upper = next() >> 5;
  const std::uint64_t lower = next() >> 6;
  return static_cast<double>((upper << 26) | lower) * 0x1p-53;
}

std::uint64_t Random::below(std::uint64_t count) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % count;
  while (true) {
    const std::uint64_t upper = next();
    const std::uint64_t value = (upper << 32) | next();
    if (value < limit) return value % count;
  }
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log1p(-uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace ssd
