#include "backend/pjrt/compile_options.h"

#include <protozero/pbf_writer.hpp>

namespace ssd::pjrt {
namespace {

// Field numbers of DeviceAssignmentProto, ExecutableBuildOptionsProto and CompileOptionsProto.
constexpr protozero::pbf_tag_type replica_count = 1, computation_count = 2, computation_devices = 3;
constexpr protozero::pbf_tag_type replica_device_ids = 1;
constexpr protozero::pbf_tag_type device_ordinal = 1, num_replicas = 4, num_partitions = 5,
                                  device_assignment = 9;
constexpr protozero::pbf_tag_type executable_build_options = 3, option_overrides = 7;
constexpr protozero::pbf_tag_type override_name = 1, override_value = 2, bool_value = 2;

std::string assignment_of(const std::vector<std::int64_t>& device_ids) {
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_int32(replica_count, static_cast<std::int32_t>(device_ids.size()));
  writer.add_int32(computation_count, 1);
  protozero::pbf_writer devices(writer, computation_devices);
  devices.add_packed_int64(replica_device_ids, device_ids.begin(), device_ids.end());
  devices.commit();
  return message;
}

// One of the compiler's flags, for this program alone.
void switch_off(protozero::pbf_writer& options, const char* flag) {
  protozero::pbf_writer entry(options, option_overrides);
  entry.add_string(override_name, flag);
  protozero::pbf_writer value(entry, override_value);
  value.add_bool(bool_value, false);
  value.commit();
  entry.commit();
}

}  // namespace

std::string compile_options(const std::vector<std::int64_t>& device_ids, stablehlo::Target target) {
  std::string message;
  protozero::pbf_writer writer(message);
  protozero::pbf_writer build(writer, executable_build_options);
  build.add_int64(device_ordinal, -1);  // the assignment decides
  build.add_int64(num_replicas, static_cast<std::int64_t>(device_ids.size()));
  build.add_int64(num_partitions, 1);
  build.add_message(device_assignment, assignment_of(device_ids));
  build.commit();
  if (target == stablehlo::Target::gpu) switch_off(writer, "xla_allow_excess_precision");
  return message;
}

}  // namespace ssd::pjrt
