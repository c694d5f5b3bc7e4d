#include "tests/bench/load_generator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Client {
  Fd socket;
  std::string request;
  std::size_t sent = 0;
  std::string response;
  SteadyClock::time_point began;
};

class Load {
 public:
  explicit Load(const LoadPlan& plan) : plan_(plan), run_id_(RandomHex(8)) {
    head_ =
        "POST " + plan.path +
        " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: GitHub-Hookshot/bench\r\n" +
        "Content-Type: application/json\r\nX-GitHub-Event: issues\r\nX-Hub-Signature-256: sha256=" +
        HexEncode(HmacSha256(plan.secret, plan.body)) +
        "\r\nContent-Length: " + std::to_string(plan.body.size()) + "\r\nX-GitHub-Delivery: ";
  }

  Result<LoadReport> Run() {
    SWAGE_RETURN_IF_ERROR(Connect());
    measure_from_ = SteadyClock::now() + plan_.warm_up;
    const auto end = measure_from_ + plan_.duration;
    for (Client& client : clients_) Begin(client);
    while (SteadyClock::now() < end && live_ > 0) {
      std::array<epoll_event, 64> events;
      const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < n; ++i) {
        Drive(*static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
    return Report();
  }

 private:
  Result<void> Connect() {
    epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    clients_.resize(static_cast<std::size_t>(plan_.connections));
    for (Client& client : clients_) {
      client.socket = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(plan_.port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const int fd = client.socket.get();
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        return MakeError(ErrorCode::kUnavailable, std::string("connect: ") + std::strerror(errno));
      }
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLET;
      event.data.ptr = &client;
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
      ++live_;
    }
    return Ok();
  }

  void Begin(Client& client) {
    client.request = head_ + run_id_ + "-" + std::to_string(++ids_) + "\r\n\r\n" + plan_.body;
    client.sent = 0;
    client.response.clear();
    client.began = SteadyClock::now();
    Send(client);
  }

  void Send(Client& client) {
    while (client.sent < client.request.size()) {
      const ssize_t n = send(client.socket.get(), client.request.data() + client.sent,
                             client.request.size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0) return;
      client.sent += static_cast<std::size_t>(n);
    }
  }

  void Drive(Client& client) {
    if (!client.socket.valid()) return;
    Send(client);
    for (;;) {
      std::array<char, 4096> buffer;
      const ssize_t n = recv(client.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) {
        ++refused_;
        --live_;
        client.socket.Close();
        return;
      }
      client.response.append(buffer.data(), static_cast<std::size_t>(n));
      if (!Complete(client.response)) continue;
      Finish(client);
      Begin(client);
    }
  }

  static bool Complete(std::string_view response) {
    const std::size_t head = response.find("\r\n\r\n");
    if (head == response.npos) return false;
    const std::string lower = ToLower(response.substr(0, head));
    const std::size_t at = lower.find("content-length: ");
    if (at == lower.npos) return response.ends_with("0\r\n\r\n");  // chunked
    const std::size_t digits = at + 16;
    const auto size =
        ParseInt(std::string_view(lower).substr(digits, lower.find('\r', digits) - digits));
    return size && response.size() >= head + 4 + static_cast<std::size_t>(*size);
  }

  void Finish(const Client& client) {
    const auto now = SteadyClock::now();
    if (client.began < measure_from_) return;
    if (!client.response.starts_with("HTTP/1.1 2")) {
      ++refused_;
      return;
    }
    latencies_ms_.push_back(std::chrono::duration<double, std::milli>(now - client.began).count());
  }

  LoadReport Report() {
    LoadReport report;
    report.accepted = static_cast<std::int64_t>(latencies_ms_.size());
    report.refused = refused_;
    report.per_second = static_cast<double>(report.accepted) /
                        std::chrono::duration<double>(plan_.duration).count();
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    if (!latencies_ms_.empty()) {
      report.p50_ms = latencies_ms_[latencies_ms_.size() / 2];
      report.p99_ms = latencies_ms_[latencies_ms_.size() * 99 / 100];
    }
    return report;
  }

  const LoadPlan& plan_;
  const std::string run_id_;
  std::string head_;  // up to the delivery id
  Fd epoll_;
  std::vector<Client> clients_;
  int live_ = 0;
  std::int64_t ids_ = 0;
  std::int64_t refused_ = 0;
  SteadyClock::time_point measure_from_;
  std::vector<double> latencies_ms_;
};

}  // namespace

Result<LoadReport> RunLoad(const LoadPlan& plan) {
  return Load(plan).Run();
}

}  // namespace swage
