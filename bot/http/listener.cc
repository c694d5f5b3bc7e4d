#include "bot/http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace swage {
namespace {

constexpr int kBacklog = 1024;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

bool IsLoopbackAddress(const sockaddr& address) {
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

Result<Listener> Listen(const HostPort& address) {
  const std::string where = address.host + ":" + std::to_string(address.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* raw = nullptr;
  const int found =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &raw);
  if (found != 0) {
    return MakeError(ErrorCode::kInvalid, "listen on " + where + ": " + gai_strerror(found));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> resolved(raw);
  Fd fd(socket(resolved->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // SO_REUSEADDR only skips TIME_WAIT; a second listener on the port still fails.
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd.get(), resolved->ai_addr, resolved->ai_addrlen) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    const ErrorCode code = error == EADDRINUSE      ? ErrorCode::kConflict
                           : error == EADDRNOTAVAIL ? ErrorCode::kInvalid
                                                    : ErrorCode::kInternal;
    const char* next =
        error == EADDRINUSE ? "; stop what listens there, or choose another port" : "";
    return MakeError(code, "listen on " + where + ": " + std::strerror(error) + next);
  }
  SWAGE_ASSIGN_OR_RETURN(const int port, BoundPort(fd.get()));
  return Listener{std::move(fd), port, IsLoopbackAddress(*resolved->ai_addr)};
}

}  // namespace swage
