// Zip archives whose members are stored as they are: what torch.save and numpy.savez write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct zip;

namespace ssd {

// An archive in memory; its bytes must outlive it. Throws Error, with `name` in front, for what is damaged or
// compressed.
class ZipArchive {
 public:
  // How the file is called in errors: "a whole torch.save file", "save it again with torch.save".
  struct Kind {
    const char* whole;
    const char* again;
  };
  ZipArchive(std::span<const std::byte> bytes, const std::string& name, const Kind& kind);

  std::vector<std::string> members() const;  // in the archive's order
  bool contains(const std::string& member) const;
  // A member of at most `limit` bytes, its checksum compared.
  std::vector<std::byte> read(const std::string& member, std::uint64_t limit) const;

 private:
  struct Discard {
    void operator()(zip* archive) const;
  };

  [[noreturn]] void fail(const std::string& member, std::string_view problem) const;

  std::uint64_t size_;
  std::string name_;
  Kind kind_;
  std::unique_ptr<zip, Discard> archive_;
};

}  // namespace ssd
