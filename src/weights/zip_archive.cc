#include "weights/zip_archive.h"

#include <zip.h>

#include <algorithm>

#include "base/error.h"
#include "base/one_line.h"

namespace ssd {
namespace {

struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

void ZipArchive::Discard::operator()(zip* archive) const { zip_discard(archive); }

ZipArchive::ZipArchive(std::span<const std::byte> bytes, const std::string& name, const Kind& kind)
    : size_(bytes.size()), name_(name), kind_(kind) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source != nullptr) {
    archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (archive_ == nullptr) zip_source_free(source);
  }
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (archive_ == nullptr) throw Error("{}: got a bad zip archive ({}); get the file again", name_, reason);
}

std::vector<std::string> ZipArchive::members() const {
  std::vector<std::string> names;
  const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    const char* const raw = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    names.emplace_back(raw != nullptr ? raw : "");
  }
  return names;
}

bool ZipArchive::contains(const std::string& member) const {
  return zip_name_locate(archive_.get(), member.c_str(), 0) >= 0;
}

std::vector<std::byte> ZipArchive::read(const std::string& member, std::uint64_t limit) const {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat(archive_.get(), member.c_str(), 0, &status) != 0) fail(member, "is missing");
  constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
  if ((status.valid & needed) != needed || status.comp_method != ZIP_CM_STORE)
    throw Error("{}: got a compressed '{}', expected it stored; {}", name_, one_line(member), kind_.again);
  if (status.size > std::min<std::uint64_t>(size_, limit))
    fail(member, fmt::format("has {} bytes in a file of {}", status.size, size_));
  std::vector<std::byte> content(static_cast<std::size_t>(status.size));
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen(archive_.get(), member.c_str(), 0));
  if (file == nullptr) fail(member, zip_strerror(archive_.get()));
  if (zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size()))
    fail(member, "ends early or has a wrong checksum");
  std::byte extra;  // reading the end makes libzip check the checksum
  if (zip_fread(file.get(), &extra, 1) != 0) fail(member, "has a wrong checksum");
  return content;
}

void ZipArchive::fail(const std::string& member, std::string_view problem) const {
  throw Error("{}: member '{}' {}, expected {}; get the file again", name_, one_line(member), problem,
              kind_.whole);
}

}  // namespace ssd
