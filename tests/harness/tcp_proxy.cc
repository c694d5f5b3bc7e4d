#include "tests/harness/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "config/base/result.h"

namespace swage::test {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

Fd Socket() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SWAGE_CHECK(fd.valid());
  return fd;
}

// Empty at the end of the stream.
std::string Receive(const Fd& fd) {
  std::array<char, 16'384> bytes{};
  const ssize_t n = recv(fd.get(), bytes.data(), bytes.size(), 0);
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : "";
}

bool Send(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Fd ListenOnLoopback(int port) {
  Fd listener = Socket();
  const sockaddr_in address = Loopback(port);
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  SWAGE_CHECK(bind(listener.get(), any, sizeof address) == 0 && listen(listener.get(), 64) == 0);
  return listener;
}

TcpProxy::TcpProxy(int target_port, Fd listener)
    : target_port_(target_port),
      listener_(std::move(listener)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  SWAGE_CHECK(getsockname(listener_.get(), any, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Loop(); });
}

TcpProxy::~TcpProxy() {
  stopping_ = true;
  Wake();
  thread_.join();
}

void TcpProxy::Wake() {
  const std::uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

void TcpProxy::SetCut(bool cut) {
  cut_ = cut;
  Wake();
}

void TcpProxy::LoseReplyTo(std::string bytes) {
  const std::lock_guard lock(mutex_);
  lose_reply_ = std::move(bytes);
}

void TcpProxy::LoseRequest(std::string bytes, std::function<void()> first) {
  const std::lock_guard lock(mutex_);
  before_loss_ = std::move(first);
  lose_request_ = std::move(bytes);
}

bool TcpProxy::Matches(std::string& rule, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (rule.empty() || bytes.find(rule) == bytes.npos) return false;
  rule.clear();
  return true;
}

void TcpProxy::Loop() {
  while (!stopping_) {
    std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      fds.push_back({pair.client.get(), POLLIN, 0});
      fds.push_back({pair.server.get(), POLLIN, 0});
    }
    poll(fds.data(), cut_ ? 1 : fds.size(), -1);
    std::uint64_t wakes = 0;
    (void)!read(wake_.get(), &wakes, sizeof wakes);
    if (cut_) continue;
    std::size_t at = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
      const bool whole = (fds[at].revents == 0 || PumpToServer(*pair)) &&
                         (fds[at + 1].revents == 0 || PumpToClient(*pair));
      pair = whole ? std::next(pair) : pairs_.erase(pair);
    }
    if (fds[1].revents != 0) Accept();
  }
}

// A server that does not listen looks to the client as one that hangs up.
void TcpProxy::Accept() {
  Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Fd server = Socket();
  const sockaddr_in address = Loopback(target_port_);
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (connect(server.get(), any, sizeof address) != 0) return;
  pairs_.push_back({std::move(client), std::move(server)});
}

bool TcpProxy::PumpToServer(Pair& pair) {
  const std::string bytes = Receive(pair.client);
  if (bytes.empty()) return false;
  if (Matches(lose_request_, bytes)) {
    if (before_loss_) before_loss_();
    ++broken_;
    return false;
  }
  pair.lose_reply = pair.lose_reply || Matches(lose_reply_, bytes);
  return Send(pair.server, bytes);
}

bool TcpProxy::PumpToClient(Pair& pair) {
  const std::string bytes = Receive(pair.server);
  if (bytes.empty()) return false;
  if (!pair.lose_reply) return Send(pair.client, bytes);
  ++broken_;
  return false;
}

}  // namespace swage::test
