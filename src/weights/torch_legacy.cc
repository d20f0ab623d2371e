#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/one_line.h"
#include "weights/pickle_lookup.h"
#include "weights/torch_contents.h"

namespace ssd {
namespace {

// 0x1950a86a20f9469cfc6c as LONG1 has it.
constexpr std::array<unsigned char, 12> magic{0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                              0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

class LegacyStorages final : public TorchStorages {
 public:
  LegacyStorages(std::map<std::string, std::span<const std::byte>> storages, std::string name)
      : storages_(std::move(storages)), name_(std::move(name)) {}

  std::vector<std::byte> storage(const std::string& key) const override {
    const auto found = storages_.find(key);
    if (found == storages_.end())
      throw Error("{}: storage '{}' is missing, expected a whole torch.save file; get the file again", name_,
                  one_line(key));
    return {found->second.begin(), found->second.end()};
  }

 private:
  std::map<std::string, std::span<const std::byte>> storages_;
  std::string name_;
};

// Reads one part of the file after the other.
class LegacyReader {
 public:
  LegacyReader(std::span<const std::byte> bytes, const std::string& name) : rest_(bytes), name_(name) {}

  TorchContents read() {
    next_pickle();  // the magic number
    const pickle::Document version = next_pickle(), machine = next_pickle();
    const auto* const number = std::get_if<std::int64_t>(&version.root().data);
    if (number == nullptr || *number != 1001)
      throw Error(
          "{}: got an unknown version of PyTorch's older format, expected 1001; load it in PyTorch and save "
          "it again",
          name_);
    const pickle::Value* const order = pickle::entry_of(machine.root(), "little_endian");
    if (const bool* const little = order != nullptr ? std::get_if<bool>(&order->data) : nullptr;
        little && !*little)
      throw Error("{}: got big-endian tensors, expected little-endian; save it again on such a machine",
                  name_);
    pickle::Document object = next_pickle();
    auto storages = read_storages(object, next_pickle());
    return {std::move(object), std::make_unique<LegacyStorages>(std::move(storages), name_)};
  }

 private:
  pickle::Document next_pickle() {
    constexpr std::size_t most = 17u << 20;  // what follows may be gigabytes of elements
    pickle::Document document = pickle::parse(rest_.first(std::min(rest_.size(), most)), name_);
    rest_ = rest_.subspan(document.bytes());
    return document;
  }

  // Each is a count (i64) and so many elements, of a size that the object alone knows.
  std::map<std::string, std::span<const std::byte>> read_storages(const pickle::Document& object,
                                                                  const pickle::Document& keys) {
    std::map<std::string, std::span<const std::byte>> storages;
    const auto* const list = std::get_if<pickle::List>(&keys.root().data);
    if (list == nullptr) fail("no list of storages");
    for (const pickle::Ref item : list->items) {
      const std::string* const key = std::get_if<std::string>(&item->data);
      const auto element = key != nullptr ? object.storages().find(*key) : object.storages().end();
      if (element == object.storages().end()) fail("a storage that no tensor uses");
      const std::span<const std::byte> head = take(8);
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < 8; ++i) count |= std::to_integer<std::uint64_t>(head[i]) << (8 * i);
      if (count > rest_.size() / size_of(element->second)) fail("storage '" + *key + "' cut short");
      storages.insert_or_assign(*key, take(count * size_of(element->second)));
    }
    return storages;
  }

  std::span<const std::byte> take(std::uint64_t bytes) {
    if (bytes > rest_.size()) fail("the end of the file");
    const auto taken = rest_.first(static_cast<std::size_t>(bytes));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  [[noreturn]] void fail(const std::string& got) const {
    throw Error("{}: got {}, expected a whole torch.save file; get the file again", name_, one_line(got));
  }

  std::span<const std::byte> rest_;
  const std::string& name_;
};

}  // namespace

bool is_torch_legacy(std::span<const std::byte> bytes) {
  constexpr std::size_t longest_start = 11;  // PROTO, and FRAME of protocol 4
  const auto head = bytes.first(std::min(bytes.size(), longest_start + magic.size()));
  const auto same = [](std::byte a, unsigned char b) { return std::to_integer<unsigned char>(a) == b; };
  return std::search(head.begin(), head.end(), magic.begin(), magic.end(), same) != head.end();
}

TorchContents open_torch_legacy(std::span<const std::byte> bytes, const std::string& name) {
  return LegacyReader(bytes, name).read();
}

}  // namespace ssd
