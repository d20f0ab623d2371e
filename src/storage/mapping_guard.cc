#include "storage/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <utility>

namespace ssd {
namespace {

// A signal handler has no other way to data than globals, and may take no lock.
struct Region {
  std::atomic<bool> taken{false}, broken{false};
  std::atomic<std::uintptr_t> begin{0}, end{0};  // end is set last: 0 while there is none
};
std::array<Region, 256> regions;
std::uintptr_t page_bytes = 4096;
struct sigaction before {};

// Puts a page of zeros in place of the one that cannot be read; the instruction is then made again.
void replace_page(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Region& region : regions) {
    if (info->si_code <= 0) break;
    const std::uintptr_t end = region.end.load(std::memory_order_acquire);
    if (end == 0 || address < region.begin.load(std::memory_order_relaxed) || address >= end) continue;
    void* const page = reinterpret_cast<void*>(address / page_bytes * page_bytes);
    if (::mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page) break;
    region.broken.store(true, std::memory_order_release);
    return;
  }
  if (info->si_code <= 0) {  // sent by a process: no instruction is made again
    ::sigaction(SIGBUS, &before, nullptr);
    ::raise(signal);
  } else if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
    before.sa_sigaction(signal, info, context);
  else
    ::sigaction(SIGBUS, &before, nullptr);  // the instruction is made again, and ends the program
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = replace_page;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &before);
  });
}

}  // namespace

MappingGuard::MappingGuard(const void* begin, std::size_t bytes) {
  if (bytes == 0) return;
  install();
  for (std::size_t i = 0; i < regions.size(); ++i) {
    Region& region = regions[i];
    if (region.taken.exchange(true)) continue;
    region.broken = false;
    region.begin = reinterpret_cast<std::uintptr_t>(begin);
    // The last page is mapped whole.
    region.end = (reinterpret_cast<std::uintptr_t>(begin) + bytes + page_bytes - 1) / page_bytes * page_bytes;
    slot_ = static_cast<int>(i);
    return;
  }
}

MappingGuard::~MappingGuard() {
  if (slot_ < 0) return;
  Region& region = regions[static_cast<std::size_t>(slot_)];
  region.end = 0;
  region.taken = false;
}

MappingGuard::MappingGuard(MappingGuard&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

MappingGuard& MappingGuard::operator=(MappingGuard&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

bool MappingGuard::is_broken() const {
  return slot_ >= 0 && regions[static_cast<std::size_t>(slot_)].broken.load(std::memory_order_acquire);
}

FileStamp stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .seconds = status.st_mtim.tv_sec,
          .nanoseconds = status.st_mtim.tv_nsec};
}

}  // namespace ssd
