#include "train/event_file.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <protozero/pbf_writer.hpp>
#include <system_error>

#include "base/error.h"
#include "storage/crc32c.h"

namespace ssd {
namespace fs = std::filesystem;
namespace {

enum EventField : protozero::pbf_tag_type {
  wall_time_field = 1,
  step_field = 2,
  file_version_field = 3,
  summary_field = 5,
  session_log_field = 7
};
enum SessionLogField : protozero::pbf_tag_type { status_field = 1 };
enum SessionStatus : std::int32_t { session_start = 1 };
enum SummaryField : protozero::pbf_tag_type { value_field = 1 };
enum ValueField : protozero::pbf_tag_type { tag_field = 1, simple_value_field = 2 };

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

// A checksum is rotated and shifted so that the checksum of data holding checksums stays a good one.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <typename T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return bytes;
}

std::string framed(const std::string& data) {
  const std::string size = little_endian(static_cast<std::uint64_t>(data.size()));
  return size + little_endian(masked_crc(size)) + data + little_endian(masked_crc(data));
}

// A name that no file has.
fs::path new_file(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw Error("{}: cannot create the folder: {}; check the path", folder.string(), code.message());
  const auto seconds = static_cast<std::int64_t>(seconds_since_1970());
  for (int attempt = 0;; ++attempt) {
    const fs::path path = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds, host_name(),
                                               ::getpid(), attempt);
    if (!fs::exists(fs::symlink_status(path, code))) return path;
  }
}

}  // namespace

EventFile::EventFile(const fs::path& folder) : file_(new_file(folder)) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(wall_time_field, seconds_since_1970());
  writer.add_string(file_version_field, "brain.Event:2");
  file_.append(framed(event));
}

void EventFile::add(std::int64_t step, std::span<const Scalar> scalars) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(wall_time_field, seconds_since_1970());
  writer.add_int64(step_field, step);
  protozero::pbf_writer summary(writer, summary_field);
  for (const Scalar& scalar : scalars) {
    protozero::pbf_writer value(summary, value_field);
    value.add_string(tag_field, scalar.tag.data(), scalar.tag.size());
    value.add_float(simple_value_field, scalar.value);
  }
  summary.commit();
  file_.append(framed(event));
}

void EventFile::begin_at(std::int64_t step) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(wall_time_field, seconds_since_1970());
  writer.add_int64(step_field, step);
  protozero::pbf_writer session(writer, session_log_field);
  session.add_enum(status_field, session_start);
  session.commit();
  file_.append(framed(event));
}

}  // namespace ssd
