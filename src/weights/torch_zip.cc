#include <string_view>

#include "base/error.h"
#include "weights/pickle_budget.h"
#include "weights/torch_contents.h"
#include "weights/zip_archive.h"

namespace ssd {
namespace {

constexpr ZipArchive::Kind torch_kind{.whole = "a whole torch.save file",
                                      .again = "save it again with torch.save or as safetensors"};

// The archive of a torch.save file: FOLDER/data.pkl, and a file FOLDER/data/KEY for each storage.
class TorchArchive final : public TorchStorages {
 public:
  TorchArchive(std::span<const std::byte> bytes, const std::string& name)
      : size_(bytes.size()), archive_(bytes, name, torch_kind) {
    constexpr std::string_view pickle_name = "/data.pkl";
    for (const std::string& path : archive_.members()) {
      if (!path.ends_with(pickle_name) || path.find('/') != path.size() - pickle_name.size()) continue;
      folder_ = path.substr(0, path.size() - pickle_name.size() + 1);
      return;
    }
    throw Error("{}: got a zip archive without data.pkl, expected a torch.save file; give the weights' file",
                name);
  }

  std::vector<std::byte> storage(const std::string& key) const override { return read("data/" + key, size_); }

  std::vector<std::byte> read(const std::string& member, std::uint64_t limit) const {
    return archive_.read(folder_ + member, limit);
  }
  bool contains(const std::string& member) const { return archive_.contains(folder_ + member); }

 private:
  std::uint64_t size_;
  ZipArchive archive_;
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
