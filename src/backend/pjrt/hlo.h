// What a compiler made of a program: collectives and convolutions of an optimized module.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ssd::pjrt {

// An instruction that exchanges tensors among replicas.
struct Collective {
  std::string operation;  // "all-reduce"
  std::string name;
  std::int64_t tensors = 0;
  std::int64_t elements = 0;  // of all tensors
  std::int64_t bytes = 0;

  bool scalars() const { return elements == tensors; }
};

struct ModuleSummary {
  std::vector<Collective> collectives;
  // How many convolutions (dense layers too) there are of each kind: "bf16 x bf16 -> f32".
  std::map<std::string, int> convolutions;
  // The compiler's schedule of one step, in clock cycles of a core; 0 where it does not say.
  double cycles = 0;
};

// Reads a serialized HloModuleProto, or HloModuleProtoWithConfig where `with_config`. Throws Error for other
// bytes.
ModuleSummary summarize_module(const std::string& bytes, bool with_config);

}  // namespace ssd::pjrt
