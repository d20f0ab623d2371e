#include "backend/cpu/denormals.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ssd::cpu {
namespace {

#if defined(__SSE2__)
constexpr unsigned flush_bits = 0x8040;  // MXCSR: results (FTZ) and operands (DAZ)
unsigned control() { return _mm_getcsr(); }
void set_control(unsigned bits) { _mm_setcsr(bits); }
#else
constexpr unsigned flush_bits = 0;
unsigned control() { return 0; }
void set_control(unsigned) {}
#endif

}  // namespace

FlushDenormals::FlushDenormals() : before_(control()) {
#pragma omp parallel
  set_control(control() | flush_bits);
}

FlushDenormals::~FlushDenormals() { set_control(before_); }

}  // namespace ssd::cpu
