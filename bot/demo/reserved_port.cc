#include "bot/demo/reserved_port.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace swage::demo {

Result<ReservedPort> ReservedPort::Take(int wanted) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(wanted));
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd.get(), raw, size) != 0 || getsockname(fd.get(), raw, &size) != 0) {
    return MakeError(ErrorCode::kUnavailable, fmt::format("cannot listen on 127.0.0.1:{}: {}",
                                                          wanted, std::strerror(errno)));
  }
  return ReservedPort(std::move(fd), ntohs(address.sin_port));
}

}  // namespace swage::demo
