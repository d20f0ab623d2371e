// Stands in for the other pjrt*.cc where the PJRT C API's header was missing at build time: no plugin can be
// loaded, so none of the other members is ever reached.
#include "backend/pjrt/pjrt.h"
#include "base/error.h"

namespace ssd::pjrt {
namespace {

[[noreturn]] void refuse() {
  throw Error(
      "PJRT plugins: got a program built without the PJRT header; run scripts/setup, then scripts/build");
}

}  // namespace

std::string api_version() { return "none"; }

std::shared_ptr<const Plugin> Plugin::load(const std::string&) { refuse(); }
std::string Plugin::version() const { refuse(); }

std::shared_ptr<Client> Client::create(std::shared_ptr<const Plugin>, const CreateOptions&, KeyValues*) {
  refuse();
}
Client::~Client() = default;
std::string Client::platform() const { refuse(); }
std::string Client::platform_version() const { refuse(); }
int Client::process() const { refuse(); }
DeviceInfo Client::describe(PJRT_Device*) const { refuse(); }

Event& Event::operator=(Event&&) noexcept = default;
Event::~Event() = default;
void Event::wait() {}

Buffer& Buffer::operator=(Buffer&&) noexcept = default;
Buffer::~Buffer() = default;
Buffer Buffer::send(const std::shared_ptr<Client>&, PJRT_Device*, const TensorView&, Event&) { refuse(); }
Event Buffer::fetch(const graph::TensorType&, std::byte*) const { refuse(); }

std::unique_ptr<Executable> Executable::compile(const std::shared_ptr<Client>&, const std::string&,
                                                const std::string&) {
  refuse();
}
std::unique_ptr<Executable> Executable::deserialize(const std::shared_ptr<Client>&, const std::string&) {
  refuse();
}
Executable::~Executable() = default;
std::string Executable::serialize() const { refuse(); }
Executable::Run Executable::start(std::vector<std::vector<Argument>>) { refuse(); }

Topology Topology::create(std::shared_ptr<const Plugin>, const std::string&, const CreateOptions&) {
  refuse();
}
Compiled Topology::compile(const std::string&, const std::string&) const { refuse(); }

}  // namespace ssd::pjrt
