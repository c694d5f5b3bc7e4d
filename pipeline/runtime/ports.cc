#include "pipeline/runtime/ports.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace swage {
namespace {

// Holding the port number itself would keep the task from using it.
Fd TakeName(int first) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("swage-ports-{}", first);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return Fd();
  }
  return fd;
}

// On any address: what listens on one of them is in the way of a server that wants them all. A
// machine without IPv6 has nothing that could stand in the way there.
template <class Address>
bool CanBind(Address address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const Fd fd(socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return true;
  const int on = 1;
  if (generic->sa_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  return bind(fd.get(), generic, sizeof address) == 0 || errno == EADDRNOTAVAIL;
}

bool IsFree(int port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  four.sin_addr.s_addr = htonl(INADDR_ANY);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = four.sin_port;
  six.sin6_addr = in6addr_any;
  return CanBind(four) && CanBind(six);
}

bool AreFree(int first, int count) {
  for (int port = first; port < first + count; ++port) {
    if (!IsFree(port)) return false;
  }
  return true;
}

}  // namespace

std::map<std::string, std::string> PortBlock::Env() const {
  return {{"SWAGE_PORT_BASE", std::to_string(first_)},
          {"SWAGE_PORT_COUNT", std::to_string(count_)},
          {"PORT", std::to_string(first_)}};
}

Result<PortBlock> TakePorts(const PortSettings& settings, TaskId task) {
  const int count = settings.per_task;
  const int blocks = (settings.last - settings.first + 1) / count;
  const int start = blocks > 0 ? static_cast<int>(task.value % blocks) : 0;
  for (int i = 0; i < blocks; ++i) {
    const int first = settings.first + (start + i) % blocks * count;
    Fd name = TakeName(first);
    if (name.valid() && AreFree(first, count)) return PortBlock(first, count, std::move(name));
  }
  return MakeError(ErrorCode::kUnavailable,
                   fmt::format("no block of {} free ports is left between {} and {}; widen "
                               "ports.first and ports.last, or lower ports.per_task",
                               count, settings.first, settings.last));
}

}  // namespace swage
