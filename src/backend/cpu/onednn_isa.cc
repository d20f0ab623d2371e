#include "backend/cpu/onednn_isa.h"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

namespace ssd::cpu {
namespace {

// The library numbers sets of instructions by bits: those of a set are among those of all sets that hold it.
bool has(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

const char* name_of_instructions() {
  using Isa = dnnl::cpu_isa;
  if (has(Isa::avx512_core_amx)) return "AVX-512 and AMX";
  if (has(Isa::avx512_core)) return "AVX-512";
  if (has(Isa::avx2)) return "AVX2";
  if (has(Isa::avx)) return "AVX";
  return has(Isa::sse41) ? "SSE4.1" : "baseline";
}

}  // namespace

std::int64_t preferred_block() { return has(dnnl::cpu_isa::avx512_core) ? 16 : 8; }

bool has_byte_products() { return has(dnnl::cpu_isa::avx2_vnni) || has(dnnl::cpu_isa::avx512_core_vnni); }

bool has_bf16_products() { return has(dnnl::cpu_isa::avx512_core_bf16); }

std::string onednn_version() {
  const dnnl_version_t* version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_description() {
  return fmt::format("oneDNN {}, {}", onednn_version(), name_of_instructions());
}

}  // namespace ssd::cpu
