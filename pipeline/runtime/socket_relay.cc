#include "pipeline/runtime/socket_relay.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace swage {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;  // of one direction of one connection
constexpr int kBacklog = 16;

Error Failure(std::string_view act) {
  return MakeError(
      ErrorCode::kInternal,
      fmt::format("{}: {}", act, std::error_code(errno, std::generic_category()).message()));
}

bool IsPassing(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOTCONN ||
         error == EINPROGRESS;
}

/// What travels in one direction.
class Flow {
 public:
  bool IsOver() const { return shut_; }
  bool WantsToRead() const { return !ended_ && bytes_.empty(); }
  bool WantsToWrite() const { return !bytes_.empty(); }

  /// False: the connection is of no use any more.
  bool Pump(int from, int to) {
    if (WantsToRead()) {
      std::array<char, kBufferBytes> buffer;
      const ssize_t n = recv(from, buffer.data(), buffer.size(), 0);
      if (n < 0 && !IsPassing(errno)) return false;
      if (n == 0) ended_ = true;
      if (n > 0) bytes_.assign(buffer.data(), static_cast<std::size_t>(n));
    }
    if (WantsToWrite()) {
      const ssize_t n = send(to, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
      if (n < 0 && !IsPassing(errno)) return false;
      if (n > 0) bytes_.erase(0, static_cast<std::size_t>(n));
    }
    if (ended_ && bytes_.empty() && !shut_) {
      shutdown(to, SHUT_WR);
      shut_ = true;
    }
    return true;
  }

 private:
  std::string bytes_;
  bool ended_ = false;
  bool shut_ = false;
};

struct Link {
  Fd task;
  Fd target;
  bool connected = false;
  Flow up;    ///< of the task
  Flow down;  ///< to the task

  short TaskEvents() const {
    if (!connected) return 0;
    return static_cast<short>((up.WantsToRead() ? POLLIN : 0) |
                              (down.WantsToWrite() ? POLLOUT : 0));
  }
  short TargetEvents() const {
    if (!connected) return POLLOUT;
    return static_cast<short>((down.WantsToRead() ? POLLIN : 0) |
                              (up.WantsToWrite() ? POLLOUT : 0));
  }
  /// False: it is over.
  bool Go(short target_events) {
    if (!connected) {
      if (target_events == 0) return true;
      int error = 0;
      socklen_t size = sizeof error;
      if (getsockopt(target.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return false;
      }
      connected = true;
    }
    if (!up.Pump(task.get(), target.get()) || !down.Pump(target.get(), task.get())) return false;
    return !(up.IsOver() && down.IsOver());
  }
};

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

class SocketRelay::Server {
 public:
  Result<void> Open(const std::filesystem::path& socket, const RelayTarget& target,
                    int max_connections, const std::optional<FileOwner>& owner) {
    max_links_ = static_cast<std::size_t>(max_connections);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int code = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &list);
    addresses_.reset(list);
    if (code != 0) {
      return MakeError(ErrorCode::kNotFound,
                       fmt::format("{}: {}", target.host, gai_strerror(code)));
    }
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.valid()) return Failure("make a relay");
    return Listen(socket, owner);
  }

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
      const bool room = links_.size() < max_links_;
      polled.push_back({listener_.get(), static_cast<short>(room ? POLLIN : 0), 0});
      for (const auto& link : links_) {
        polled.push_back(Watch(link->task, link->TaskEvents()));
        polled.push_back(Watch(link->target, link->TargetEvents()));
      }
      if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
      Carry(polled);
      if (room && (polled[1].revents & POLLIN) != 0) Accept();
    }
  }

  void Wake() const {
    const std::uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
  }

 private:
  // A side that nothing is expected of is not watched at all: poll would tell of its end again and
  // again.
  static pollfd Watch(const Fd& fd, short events) {
    return {events == 0 ? -1 : fd.get(), events, 0};
  }

  Result<void> Listen(const std::filesystem::path& socket, const std::optional<FileOwner>& owner) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    if (path.size() >= sizeof address.sun_path) {
      return MakeError(ErrorCode::kTooLarge, fmt::format("{} is too long for a socket", path));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (!listener_.valid() || bind(listener_.get(), generic, sizeof address) != 0 ||
        chmod(path.c_str(), 0600) != 0 || listen(listener_.get(), kBacklog) != 0) {
      return Failure("listen on " + path);
    }
    if (owner && chown(path.c_str(), owner->uid, owner->gid) != 0) return Failure("chown " + path);
    return Ok();
  }

  void Accept() {
    auto link = std::make_unique<Link>();
    link->task = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!link->task.valid()) return;
    // The first address that does not fail at once; a server has as a rule only one.
    for (const addrinfo* at = addresses_.get(); at != nullptr; at = at->ai_next) {
      link->target = Fd(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const bool begun =
          link->target.valid() &&
          (connect(link->target.get(), at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS);
      if (!begun) continue;
      links_.push_back(std::move(link));
      return;
    }
  }

  void Carry(const std::vector<pollfd>& polled) {
    std::vector<std::unique_ptr<Link>> going;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const short task = polled[2 + 2 * i].revents;
      const short target = polled[3 + 2 * i].revents;
      const bool quiet = (task | target) == 0;
      if (quiet || links_[i]->Go(target)) going.push_back(std::move(links_[i]));
    }
    links_ = std::move(going);
  }

  std::unique_ptr<addrinfo, FreeAddresses> addresses_;
  std::size_t max_links_ = 0;
  Fd listener_;
  Fd wake_;
  std::vector<std::unique_ptr<Link>> links_;
};

SocketRelay::SocketRelay(std::unique_ptr<Server> server)
    : server_(std::move(server)),
      thread_([this](const std::stop_token& stop) { server_->Run(stop); }) {}

SocketRelay::~SocketRelay() {
  thread_.request_stop();
  server_->Wake();
}

Result<std::unique_ptr<SocketRelay>> SocketRelay::Start(const std::filesystem::path& socket,
                                                        const RelayTarget& target,
                                                        int max_connections,
                                                        const std::optional<FileOwner>& owner) {
  auto server = std::make_unique<Server>();
  SWAGE_RETURN_IF_ERROR(server->Open(socket, target, max_connections, owner));
  return std::unique_ptr<SocketRelay>(new SocketRelay(std::move(server)));
}

}  // namespace swage
