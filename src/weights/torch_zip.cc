#include <zip.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/one_line.h"
#include "weights/pickle_budget.h"
#include "weights/torch_contents.h"

namespace ssd {
namespace {

constexpr const char* save_again = "save it again with torch.save or as safetensors";

// The archive of a torch.save file: FOLDER/data.pkl, and a file FOLDER/data/KEY for each storage.
class TorchArchive final : public TorchStorages {
 public:
  TorchArchive(std::span<const std::byte> bytes, const std::string& name) : size_(bytes.size()), name_(name) {
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
    find_folder();
  }

  std::vector<std::byte> storage(const std::string& key) const override { return read("data/" + key, size_); }

  std::vector<std::byte> read(const std::string& member, std::uint64_t limit) const {
    const std::string path = folder_ + member;
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat(archive_.get(), path.c_str(), 0, &status) != 0) fail(path, "is missing");
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if ((status.valid & needed) != needed || status.comp_method != ZIP_CM_STORE)
      throw Error("{}: got a compressed '{}', expected it stored; {}", name_, one_line(path), save_again);
    if (status.size > std::min<std::uint64_t>(size_, limit))
      fail(path, fmt::format("has {} bytes in a file of {}", status.size, size_));
    std::vector<std::byte> content(static_cast<std::size_t>(status.size));
    const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen(archive_.get(), path.c_str(), 0));
    if (file == nullptr) fail(path, zip_strerror(archive_.get()));
    if (zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size()))
      fail(path, "ends early or has a wrong checksum");
    std::byte extra;  // reading the end makes libzip check the checksum
    if (zip_fread(file.get(), &extra, 1) != 0) fail(path, "has a wrong checksum");
    return content;
  }

  bool contains(const std::string& member) const {
    return zip_name_locate(archive_.get(), (folder_ + member).c_str(), 0) >= 0;
  }

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  struct CloseMember {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };

  [[noreturn]] void fail(const std::string& member, std::string_view problem) const {
    throw Error("{}: member '{}' {}, expected a whole torch.save file; get the file again", name_,
                one_line(member), problem);
  }

  void find_folder() {
    constexpr std::string_view pickle_name = "/data.pkl";
    const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
      const char* const raw = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
      const std::string_view path = raw != nullptr ? raw : "";
      if (!path.ends_with(pickle_name) || path.find('/') != path.size() - pickle_name.size()) continue;
      folder_ = std::string(path.substr(0, path.size() - pickle_name.size() + 1));
      return;
    }
    throw Error("{}: got a zip archive without data.pkl, expected a torch.save file; give the weights' file",
                name_);
  }

  std::uint64_t size_;
  std::string name_;
  std::unique_ptr<zip_t, Discard> archive_;
  std::string folder_;  // with its slash
};

void check_byte_order(const TorchArchive& archive, const std::string& name) {
  if (!archive.contains("byteorder")) return;  // files before PyTorch 2.1: little-endian
  const std::vector<std::byte> order = archive.read("byteorder", 16);
  if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
    throw Error("{}: got big-endian tensors, expected little-endian; save it again on such a machine", name);
}

}  // namespace

TorchContents open_torch_zip(std::span<const std::byte> bytes, const std::string& name) {
  auto archive = std::make_unique<TorchArchive>(bytes, name);
  if (archive->contains("constants.pkl"))
    throw Error("{}: got a TorchScript archive, expected weights; save the module's state_dict()", name);
  check_byte_order(*archive, name);
  pickle::Document document = pickle::parse(archive->read("data.pkl", pickle::budget.bytes), name);
  return {std::move(document), std::move(archive)};
}

}  // namespace ssd
