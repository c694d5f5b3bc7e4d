#include "tests/harness/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/base/result.h"
#include "tests/harness/tcp_proxy.h"

namespace swage::test {

Connections::Connections(Serve serve) : serve_(std::move(serve)), listener_(ListenOnLoopback(0)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  SWAGE_CHECK(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

Connections::~Connections() {
  shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& worker : workers_) worker.join();
}

void Connections::Accept() {
  for (;;) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) return;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      open_.push_back(fd.get());
    }
    workers_.emplace_back([this, held = std::move(fd)] {
      serve_(held.get());
      shutdown(held.get(), SHUT_RDWR);
      const std::lock_guard lock(mutex_);
      std::erase(open_, held.get());
    });
  }
}

Fd ConnectToLoopback(int port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (connect(fd.get(), any, sizeof address) != 0) return Fd();
  return fd;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string ReceiveSome(int fd) {
  std::array<char, 16'384> bytes{};
  const ssize_t n = recv(fd, bytes.data(), bytes.size(), 0);
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : "";
}

void Pump(int one, int other) {
  const std::array<std::pair<int, int>, 2> ways = {{{one, other}, {other, one}}};
  for (bool open = true; open;) {
    std::array<pollfd, 2> waiting = {{{one, POLLIN, 0}, {other, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) break;
    for (std::size_t i = 0; i < ways.size() && open; ++i) {
      if (waiting[i].revents == 0) continue;
      const std::string bytes = ReceiveSome(ways[i].first);
      open = !bytes.empty() && SendAll(ways[i].second, bytes);
    }
  }
  shutdown(one, SHUT_RDWR);
  shutdown(other, SHUT_RDWR);
}

}  // namespace swage::test
