#include "pipeline/isolation/egress_proxy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

#include "pipeline/isolation/egress_offer.h"
#include "pipeline/isolation/egress_session.h"

namespace swage {
namespace {

constexpr int kBacklog = 16;
constexpr int kOfferTimeMs = 1'000;  // who connects has it at hand

Error Failure(std::string_view act) {
  const std::string reason = std::error_code(errno, std::generic_category()).message();
  return MakeError(ErrorCode::kInternal, fmt::format("egress proxy: {}: {}", act, reason));
}

int Option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool IsTcpListener(int fd) {
  return Option(fd, SO_DOMAIN) == AF_INET && Option(fd, SO_TYPE) == SOCK_STREAM &&
         Option(fd, SO_ACCEPTCONN) == 1;
}

// The one descriptor in a message; whatever else came is closed.
Fd ReceiveSocket(int connection) {
  pollfd wait{connection, POLLIN, 0};
  if (poll(&wait, 1, kOfferTimeMs) != 1) return {};
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) return {};
  std::vector<Fd> received;
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
      received.emplace_back(fd);
    }
  }
  if (received.size() != 1 || !IsTcpListener(received.front().get())) return {};
  return std::move(received.front());
}

class ListeningProxy final : public EgressProxy {
 public:
  ListeningProxy(EgressOptions options, HostResolver& resolver, EgressRecord& record)
      : options_(std::move(options)),
        resolver_(resolver),
        record_(record),
        socket_path_(options_.dir / kSocketName) {}

  ~ListeningProxy() override {
    const std::uint64_t one = 1;
    if (stop_.valid()) (void)!write(stop_.get(), &one, sizeof one);
    {
      const std::lock_guard lock(mutex_);
      for (const Fd& listener : listeners_) shutdown(listener.get(), SHUT_RD);
    }
    if (thread_.joinable()) thread_.join();
    connections_.clear();
    unlink(socket_path_.c_str());
  }

  const std::filesystem::path& SocketPath() const override { return socket_path_; }

  Result<void> Open() {
    SWAGE_RETURN_IF_ERROR(MakeDirs(options_.dir));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path_.native().size() >= sizeof address.sun_path) {
      return MakeError(
          ErrorCode::kInternal,
          fmt::format("egress proxy: the path {} is too long for a socket", socket_path_.string()));
    }
    std::strcpy(address.sun_path, socket_path_.c_str());
    stop_ = Fd(eventfd(0, EFD_CLOEXEC));
    door_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!stop_.valid() || !door_.valid()) return Failure("open a socket");
    unlink(socket_path_.c_str());
    if (bind(door_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(door_.get(), kBacklog) != 0) {
      return Failure("listen on " + socket_path_.string());
    }
    // Commands may run as another user; who gets to see the directory is up to its parents.
    if (chmod(socket_path_.c_str(), 0666) != 0 || chmod(options_.dir.c_str(), 0711) != 0) {
      return Failure("open " + socket_path_.string());
    }
    thread_ = std::thread([this] { Loop(); });
    return Ok();
  }

 private:
  struct Connection {
    std::atomic<bool> done = false;
    std::jthread thread;
  };

  void Loop() {
    for (;;) {
      std::vector<pollfd> fds = {{stop_.get(), POLLIN, 0}, {door_.get(), POLLIN, 0}};
      for (const Fd& listener : listeners_) fds.push_back({listener.get(), POLLIN, 0});
      if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      if (fds[0].revents != 0) return;
      // Backwards, because a listener that is no good any more goes.
      for (std::size_t i = fds.size(); i-- > 2;) {
        if (fds[i].revents != 0 && !Accept(listeners_[i - 2])) {
          const std::lock_guard lock(mutex_);
          listeners_.erase(listeners_.begin() + static_cast<std::ptrdiff_t>(i - 2));
        }
      }
      if (fds[1].revents != 0) TakeOffer();
    }
  }

  void TakeOffer() {
    const Fd connection(accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    Fd listener = ReceiveSocket(connection.get());
    if (!listener.valid()) return;
    {
      const std::lock_guard lock(mutex_);
      if (listeners_.size() >= options_.bounds.listeners) listeners_.pop_front();
      listeners_.push_back(std::move(listener));
    }
    (void)!send(connection.get(), &kOfferTaken, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // Whoever made the socket shares it and its flags: they are set anew each time, and the end shuts
  // it down, so that nobody inside can make us wait here.
  bool Accept(const Fd& listener) {
    const int flags = fcntl(listener.get(), F_GETFL);
    if (flags < 0 || fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) != 0) return false;
    Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    connections_.remove_if([](const Connection& c) { return c.done.load(); });
    if (connections_.size() >= options_.bounds.connections) {
      RefuseEgress(std::move(client));
      return true;
    }
    Connection& connection = connections_.emplace_back();
    connection.thread = std::jthread([this, &connection, fd = client.Release()] {
      ServeEgress({options_.allowed, options_.bounds, resolver_, record_, stop_.get()}, Fd(fd));
      connection.done = true;
    });
    return true;
  }

  const EgressOptions options_;
  HostResolver& resolver_;
  EgressRecord& record_;
  const std::filesystem::path socket_path_;
  Fd stop_, door_;
  std::mutex mutex_;  // of changes to listeners_, which only the loop makes
  std::deque<Fd> listeners_;
  std::list<Connection> connections_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<EgressProxy>> EgressProxy::Start(EgressOptions options,
                                                        HostResolver& resolver,
                                                        EgressRecord& record) {
  auto proxy = std::make_unique<ListeningProxy>(std::move(options), resolver, record);
  SWAGE_RETURN_IF_ERROR(proxy->Open());
  return std::unique_ptr<EgressProxy>(std::move(proxy));
}

}  // namespace swage
