#include "bot/http/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kBacklog = 1024;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

bool IsLoopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.sa_family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

Result<int> BoundPort(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return MakeError(ErrorCode::kInternal, std::string("getsockname: ") + std::strerror(errno));
  }
  if (bound.ss_family == AF_INET) {
    return static_cast<int>(ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port));
  }
  return static_cast<int>(ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port));
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto wrong = [&] {
    return MakeError(ErrorCode::kInvalid, "'" + std::string(text) +
                                              "' is no address and port; "
                                              "127.0.0.1:8420 would be one");
  };
  if (colon == text.npos || colon == 0) return wrong();
  const std::optional<std::int64_t> port = ParseInt(text.substr(colon + 1));
  if (!port || *port > 65'535) return wrong();
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return wrong();
  return Endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
}

Result<Listener> Listen(const Endpoint& endpoint) {
  const std::string where = endpoint.host + ":" + std::to_string(endpoint.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* raw = nullptr;
  const int found =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &raw);
  if (found != 0) {
    return MakeError(ErrorCode::kInvalid, "listen on " + where + ": " + gai_strerror(found));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> address(raw);
  Fd fd(socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // SO_REUSEADDR only skips TIME_WAIT; a second listener on the port still fails.
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd.get(), address->ai_addr, address->ai_addrlen) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    const ErrorCode code = error == EADDRINUSE      ? ErrorCode::kConflict
                           : error == EADDRNOTAVAIL ? ErrorCode::kInvalid
                                                    : ErrorCode::kInternal;
    return MakeError(code, "listen on " + where + ": " + std::strerror(error));
  }
  SWAGE_ASSIGN_OR_RETURN(const int port, BoundPort(fd.get()));
  return Listener{std::move(fd), port, IsLoopback(*address->ai_addr)};
}

}  // namespace swage
