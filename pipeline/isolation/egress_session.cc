#include "pipeline/isolation/egress_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "config/base/clock.h"
#include "pipeline/isolation/egress_request.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kConnected = "HTTP/1.1 200 Connection established\r\n\r\n";
constexpr std::size_t kBufferBytes = 64 << 10;
constexpr std::size_t kMaxAddresses = 4;  // tried of one host
constexpr milliseconds kAnswerTime{2'000};
constexpr milliseconds kLingerTime{200};

struct Answer {
  int status = 0;
  std::string_view reason;
};
constexpr Answer kBadRequest{400, "Bad Request"};
constexpr Answer kForbidden{403, "Forbidden"};
constexpr Answer kHeadTimeout{408, "Request Timeout"};
constexpr Answer kHeadTooLarge{431, "Request Header Fields Too Large"};
constexpr Answer kBadGateway{502, "Bad Gateway"};
constexpr Answer kBusy{503, "Service Unavailable"};

int MsUntil(MonotonicTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - SystemClock().Monotonic()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
}

MonotonicTime In(milliseconds delay) {
  return SystemClock().Monotonic() + delay;
}

// False when the time is up, or it is over.
bool WaitFor(int fd, short events, int stop, MonotonicTime deadline) {
  for (;;) {
    std::array<pollfd, 2> fds = {pollfd{fd, events, 0}, pollfd{stop, POLLIN, 0}};
    const int ready = poll(fds.data(), fds.size(), MsUntil(deadline));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0 && fds[1].revents == 0;
  }
}

bool SendAll(int fd, std::string_view bytes, int stop, MonotonicTime deadline) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!WaitFor(fd, POLLOUT, stop, deadline)) {
      return false;
    }
  }
  return true;
}

void Reply(int client, int stop, const Answer& answer, std::string_view text) {
  const std::string body = fmt::format("swage: {}\n", text);
  const std::string reply = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      answer.status, answer.reason, body.size(), body);
  if (!SendAll(client, reply, stop, In(kAnswerTime))) return;
  shutdown(client, SHUT_WR);
  // Closing over bytes that nobody read would take the answer back.
  const MonotonicTime deadline = In(kLingerTime);
  std::array<char, 4096> rest;
  while (WaitFor(client, POLLIN, stop, deadline)) {
    if (recv(client, rest.data(), rest.size(), 0) <= 0) return;
  }
}

// The request's head, and what came behind it.
struct Opening {
  std::string head;
  std::string rest;
};

std::optional<Opening> ReadHead(const EgressSession& session, int client) {
  const MonotonicTime deadline = In(session.bounds.head_time);
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const std::size_t end = text.find(kHeadEnd);
    if (end != text.npos) {
      const std::size_t length = end + kHeadEnd.size();
      return Opening{text.substr(0, length), text.substr(length)};
    }
    if (text.size() > session.bounds.head_bytes) {
      Reply(client, session.stop, kHeadTooLarge, "the request's head is too large");
      return std::nullopt;
    }
    if (!WaitFor(client, POLLIN, session.stop, deadline)) {
      Reply(client, session.stop, kHeadTimeout, "no request came in time");
      return std::nullopt;
    }
    const ssize_t n = recv(client, part.data(), part.size(), 0);
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
  }
}

Fd ConnectTo(const EgressSession& session, const IpAddress& address, int port) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.IsV4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&v4->sin_addr, address.bytes.data() + 12, 4);
    length = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
    length = sizeof *v6;
  }
  Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return {};
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return fd;
  if (errno != EINPROGRESS) return {};
  if (!WaitFor(fd.get(), POLLOUT, session.stop, In(session.bounds.connect_time))) return {};
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::move(fd) : Fd();
}

// What the host resolves to, as far as it may be reached. The addresses are used as they are: the
// name is not asked for again.
std::vector<IpAddress> AllowedAddresses(const EgressSession& session, const EgressRequest& request,
                                        int client) {
  std::vector<IpAddress> addresses;
  if (const auto literal = ParseIp(request.host)) {
    addresses.push_back(*literal);
  } else {
    auto resolved = session.resolver.Resolve(request.host, session.stop);
    if (!resolved.ok()) {
      Reply(client, session.stop, kBadGateway, resolved.error().message);
      return {};
    }
    addresses = std::move(resolved).value();
  }
  std::vector<IpAddress> allowed;
  for (const IpAddress& address : addresses) {
    if (session.allowed.AllowsAddress(address)) allowed.push_back(address);
  }
  if (!allowed.empty()) return allowed;
  const std::string reason =
      addresses.empty() ? "has no address" : "resolves to " + addresses.front().Str();
  session.record.Add(request.host, request.port, reason);
  Reply(client, session.stop, kForbidden,
        fmt::format("{} {}, which is not a public address; egress.allow can name it", request.host,
                    reason));
  return {};
}

Fd Reach(const EgressSession& session, const EgressRequest& request, int client) {
  if (!session.allowed.AllowsHost(request.host, request.port)) {
    session.record.Add(request.host, request.port, "not on the allow-list");
    Reply(client, session.stop, kForbidden,
          fmt::format("{}:{} is not on the allow-list (egress.allow)", request.host, request.port));
    return {};
  }
  const std::vector<IpAddress> addresses = AllowedAddresses(session, request, client);
  for (std::size_t i = 0; i < std::min(addresses.size(), kMaxAddresses); ++i) {
    if (Fd server = ConnectTo(session, addresses[i], request.port); server.valid()) return server;
  }
  if (!addresses.empty()) {
    Reply(client, session.stop, kBadGateway,
          fmt::format("{}:{} cannot be reached", request.host, request.port));
  }
  return {};
}

// One direction of a connection.
class Flow {
 public:
  Flow(int from, int to, std::uint64_t most) : from_(from), to_(to), left_(most) {}

  /// Data that is known before the first read.
  void Preload(std::string bytes) {
    first_ = std::move(bytes);
    pending_ = first_;
    left_ -= std::min<std::uint64_t>(left_, pending_.size());
  }
  bool Done() const { return closed_; }
  short ReadEvents() const { return pending_.empty() && !ended_ && left_ > 0 ? POLLIN : 0; }
  short WriteEvents() const { return pending_.empty() ? 0 : POLLOUT; }

  /// How many bytes came or went; negative when the connection broke.
  std::int64_t Move() {
    std::int64_t moved = 0;
    if (ReadEvents() != 0) {
      const std::size_t most = std::min<std::uint64_t>(buffer_.size(), left_);
      const ssize_t n = recv(from_, buffer_.data(), most, 0);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return -1;
      if (n == 0) ended_ = true;
      if (n > 0) {
        pending_ = {buffer_.data(), static_cast<std::size_t>(n)};
        left_ -= static_cast<std::uint64_t>(n);
        moved += n;
      }
    }
    if (!pending_.empty()) {
      const ssize_t n = send(to_, pending_.data(), pending_.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return -1;
      if (n > 0) {
        pending_.remove_prefix(static_cast<std::size_t>(n));
        moved += n;
      }
    }
    if (ended_ && pending_.empty() && !closed_) {
      shutdown(to_, SHUT_WR);
      closed_ = true;
    }
    return moved;
  }
  /// All that was granted has gone through.
  bool Spent() const { return left_ == 0 && pending_.empty(); }

 private:
  const int from_;
  const int to_;
  std::uint64_t left_;
  bool ended_ = false;
  bool closed_ = false;
  std::string first_;
  std::string_view pending_;
  std::array<char, kBufferBytes> buffer_;
};

// A tunnel ends when both sides have ended; a plain request when the server has.
void Relay(const EgressSession& session, int client, int server, Flow& up, Flow& down,
           bool tunnel) {
  const MonotonicTime end = In(session.bounds.total_time);
  MonotonicTime idle = In(session.bounds.idle_time);
  for (;;) {
    const std::int64_t went_up = up.Move();
    const std::int64_t went_down = down.Move();
    if (went_up < 0 || went_down < 0 || down.Spent() || (tunnel && up.Spent())) return;
    if (down.Done() && (up.Done() || !tunnel)) return;
    if (went_up > 0 || went_down > 0) {
      idle = In(session.bounds.idle_time);
      continue;
    }
    const auto client_events = static_cast<short>(up.ReadEvents() | down.WriteEvents());
    const auto server_events = static_cast<short>(down.ReadEvents() | up.WriteEvents());
    // A side of which nothing is wanted would wake us for nothing when it hangs up.
    std::array<pollfd, 3> fds = {pollfd{client_events == 0 ? -1 : client, client_events, 0},
                                 pollfd{server_events == 0 ? -1 : server, server_events, 0},
                                 pollfd{session.stop, POLLIN, 0}};
    const int ready = poll(fds.data(), fds.size(), MsUntil(std::min(idle, end)));
    if (ready == 0 || fds[2].revents != 0) return;
    if (SystemClock().Monotonic() >= end) return;
  }
}

}  // namespace

void ServeEgress(const EgressSession& session, Fd client) {
  const auto opening = ReadHead(session, client.get());
  if (!opening) return;
  const auto request = ParseEgressRequest(opening->head);
  if (!request.ok()) {
    Reply(client.get(), session.stop, kBadRequest, request.error().message);
    return;
  }
  const Fd server = Reach(session, *request, client.get());
  if (!server.valid()) return;
  const bool tunnel = request->tunnel;
  // Of a plain request exactly the body follows: a second one behind it would go to this server
  // unread.
  const std::uint64_t most =
      tunnel ? session.bounds.bytes
             : request->head.size() + std::min(request->body_bytes, session.bounds.bytes);
  auto up = std::make_unique<Flow>(client.get(), server.get(), most);
  auto down = std::make_unique<Flow>(server.get(), client.get(), session.bounds.bytes);
  if (tunnel) {
    if (!SendAll(client.get(), kConnected, session.stop, In(kAnswerTime))) return;
    up->Preload(opening->rest);
  } else {
    up->Preload(request->head + opening->rest.substr(0, request->body_bytes));
  }
  Relay(session, client.get(), server.get(), *up, *down, tunnel);
}

void RefuseEgress(Fd client) {
  const std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Length: 0\r\n\r\n", kBusy.status, kBusy.reason);
  (void)!send(client.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace swage
