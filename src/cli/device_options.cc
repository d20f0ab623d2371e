#include "cli/device_options.h"

#include "backend/cpu/cpu_device.h"
#include "backend/pjrt/device.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/processes.h"
#include "cli/validators.h"

namespace ssd::cli {
namespace {

void check_cpu_options(const DeviceOptions& options) {
  if (options.replicas > 1)
    throw UsageError("--replicas: got {}, expected 1: the cpu is one device", options.replicas);
  if (options.cpu_devices > 0)
    throw UsageError("--cpu-devices: got {} with --device cpu, expected a plugin; give --device pjrt:PATH",
                     options.cpu_devices);
  if (options.memory_fraction > 0 || !options.preallocate)
    throw UsageError("--memory-fraction, --no-preallocate: got --device cpu, expected a GPU");
}

// Scripts that measure several devices give the same options to all.
void mention_unused_options(const DeviceOptions& options) {
  if (options.threads > 0)
    tell("--threads {}: without effect on --device {}, whose plugin chooses its own threads\n",
         options.threads, options.device);
}

std::unique_ptr<graph::Device> make_device_among(Communicator& communicator, const DeviceOptions& options) {
  std::unique_ptr<graph::Device> device;
  if (options.device == "cpu") {
    check_cpu_options(options);
    device = cpu::make_device({.threads = options.threads, .communicator = &communicator});
  } else if (options.device == "tpu" || options.device == "cuda" || options.device.starts_with("pjrt:")) {
    mention_unused_options(options);
    device = pjrt::make_device({.device = options.device,
                                .replicas = options.replicas,
                                .cpu_devices = options.cpu_devices,
                                .memory_fraction = options.memory_fraction,
                                .preallocate = options.preallocate,
                                .communicator = &communicator,
                                .values = &key_values()});
  } else {
    throw UsageError("--device: got '{}', expected cpu, tpu, cuda or pjrt:PATH", options.device);
  }
  device->require(precision_of(options));
  return device;
}

}  // namespace

void add_device_options(CLI::App& command, DeviceOptions& options) {
  begin_group(command, group::device);
  command.add_option("--device", options.device, "cpu, tpu, cuda, or pjrt:PATH of a PJRT plugin")
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads of the network on the cpu (0: all)")
      ->check(thread_count())
      ->capture_default_str();
  command
      .add_option("--replicas", options.replicas,
                  "Devices of this machine to use together, in each process (0: all)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--cpu-devices", options.cpu_devices, "Devices that a CPU plugin makes up (0: its default)")
      ->check(number_from_zero())
      ->capture_default_str();
  command
      .add_option("--memory-fraction", options.memory_fraction,
                  "Share of a GPU's memory to take [its plugin's, three quarters]")
      ->check(CLI::Range(0.01, 1.0));
  command.add_flag_callback(
      "--no-preallocate", [&options] { options.preallocate = false; },
      "Take a GPU's memory as it is needed, not at the start");
}

void add_precision_options(CLI::App& command, DeviceOptions& options) {
  begin_group(command, group::device);
  command
      .add_option("--precision", options.precision, "Of the convolutions: f32, or bf16 with f32 accumulation")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command.add_flag_callback(
      "--amp", [&options] { options.precision = "bf16"; }, "The same as --precision bf16");
  command.add_flag_callback(
      "--no-amp", [&options] { options.precision = "f32"; }, "The same as --precision f32");
}

DType precision_of(const DeviceOptions& options) {
  return options.precision == "bf16" ? DType::bf16 : DType::f32;
}

std::unique_ptr<graph::Device> make_device(const DeviceOptions& options) {
  return make_device_among(processes(), options);
}

std::unique_ptr<graph::Device> make_own_device(const DeviceOptions& options) {
  static SingleProcess alone;
  return make_device_among(alone, options);
}

int image_threads(const DeviceOptions& options, int asked) {
  if (asked > 0) return asked;
  return options.device == "cpu" ? 1 : available_processors();
}

}  // namespace ssd::cli
