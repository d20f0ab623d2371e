#include "backend/cpu/cpu_device.h"

#include "backend/cpu/onednn_isa.h"
#include "backend/cpu/program.h"
#include "base/error.h"
#include "base/processors.h"

namespace ssd::cpu {
namespace {

class CpuDevice final : public graph::Device {
 public:
  CpuDevice(const Processors& threads, Communicator* communicator)
      : threads_(threads.count), reason_(threads.reason), communicator_(communicator) {}

  std::string name() const override { return "cpu"; }
  std::string description() const override {
    return fmt::format("{} thread{} ({}), {}", threads_, threads_ == 1 ? "" : "s", reason_,
                       onednn_description());
  }
  int replicas() const override { return 1; }
  int processes() const override { return communicator_ != nullptr ? communicator_->size() : 1; }
  void require(DType compute) const override { cpu::require(compute); }
  std::unique_ptr<graph::Program> compile(std::vector<graph::Graph> graphs) override {
    return std::make_unique<CpuProgram>(
        std::move(graphs),
        CpuProgram::Options{.threads = threads_, .block = preferred_block(), .communicator = communicator_});
  }

 private:
  int threads_;
  std::string reason_;
  Communicator* communicator_;
};

}  // namespace

std::unique_ptr<graph::Device> make_device(const CpuOptions& options) {
  if (options.threads < 0) throw Error("threads: got {}, expected 1 or more, or 0 for all", options.threads);
  return std::make_unique<CpuDevice>(
      options.threads == 0 ? processors() : Processors{options.threads, "as asked for"},
      options.communicator);
}

std::string arithmetic() { return onednn_description(); }

}  // namespace ssd::cpu
