#include "bot/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bot/http/connection.h"

namespace swage {
namespace {

constexpr std::chrono::milliseconds kSweepEvery{250};
// After a refusal the client may still be sending; closing at once would reset the connection and
// lose the answer, so a little is read and thrown away.
constexpr std::chrono::milliseconds kDrainFor{2'000};
constexpr std::size_t kDrainBytes = 32 << 20;
// Each connection may hold this much without asking; what all of them hold beyond it shares one
// budget.
constexpr std::size_t kFreeBytes = 256 << 10;
constexpr std::size_t kLargeBodyBudget = 128 << 20;
// Out of descriptors: waiting is the only thing that helps.
constexpr int kAcceptPauseMs = 50;
constexpr int kRoomPauseMs = 1;
// At the cap, one in so many makes room at a time.
constexpr std::size_t kDisplacedShare = 16;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string AddressText(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (peer.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

bool IsLoopbackText(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

}  // namespace

struct HttpServer::State {
  /// What becomes of a connection when a thread lets go of it.
  enum class Next {
    kPark,
    kDrop,
    kGone,  ///< somebody else owns it now: it must not be touched
  };

  State(const HttpServerOptions& o, HttpHandler& h, const Clock& c, Log& l)
      : options(o), handler(h), clock(c), log(l) {}

  void AcceptLoop();
  void AcceptAll();
  void Admit(Fd socket, std::string address);
  bool MakeRoom();
  void Pause(int milliseconds) const;
  void Sweep();
  static void Expire(Connection& connection);

  void ServeLoop();
  Next Serve(Connection& connection);
  Next Drain(Connection& connection);
  std::optional<Next> Progressed(Connection& connection, RequestReader::Progress progress);
  Next Answer(Connection& connection);
  Next Reply(Connection& connection, WebResponse& response, bool keep_alive, bool head_only);
  Next Refuse(Connection& connection, const WebResponse& response);
  Next Stream(Connection& connection, const WebResponse& response);
  void AnswerLater(Connection& connection, const WebResponse& response);
  bool OpenStream(const std::string& address);
  void CloseStream(const std::string& address);
  WebResponse CallHandler(WebRequest& request);
  bool Charge(Connection& connection);
  void Park(Connection& connection);
  void Drop(Connection& connection);
  MonotonicTime WriteBy() const { return clock.Monotonic() + options.write_deadline; }

  const HttpServerOptions options;
  HttpHandler& handler;
  const Clock& clock;
  Log& log;

  Listener listener;
  Fd epoll;
  Fd stop;  // an eventfd that stays readable once Stop was called
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> large_bytes{0};
  std::vector<std::thread> threads;

  std::mutex mutex;  // guards what follows
  std::unordered_map<int, std::unique_ptr<Connection>> connections;
  std::unordered_map<std::string, int> per_address;
  std::unordered_map<std::string, int> streams_per_address;
  int streams = 0;
  int unanswered = 0;  ///< requests that are answered later
  std::condition_variable all_answered;
};

// --- the accepting thread
// --------------------------------------------------------------------------------

void HttpServer::State::AcceptLoop() {
  MonotonicTime next_sweep = clock.Monotonic() + kSweepEvery;
  while (!stopping) {
    pollfd waits[2] = {{listener.socket.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}};
    poll(waits, 2, static_cast<int>(kSweepEvery.count()));
    if (stopping) return;
    if ((waits[0].revents & POLLIN) != 0) AcceptAll();
    if (clock.Monotonic() < next_sweep) continue;
    Sweep();
    next_sweep = clock.Monotonic() + kSweepEvery;
  }
}

void HttpServer::State::AcceptAll() {
  // Bounded, so that a stream of new connections cannot keep the deadlines from being kept.
  for (int i = 0; i < options.max_connections; ++i) {
    if (!MakeRoom()) return Pause(kRoomPauseMs);
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Fd socket(accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      Admit(std::move(socket), AddressText(peer));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    log.Warn("cannot accept a connection", {{"error", std::strerror(errno)}});
    return Pause(kAcceptPauseMs);
  }
}

void HttpServer::State::Pause(int milliseconds) const {
  pollfd wait{stop.get(), POLLIN, 0};
  poll(&wait, 1, milliseconds);
}

// At the cap those closest to their deadline are told to go; newcomers wait in the kernel until
// they have.
bool HttpServer::State::MakeRoom() {
  const std::lock_guard lock(mutex);
  if (connections.size() < static_cast<std::size_t>(options.max_connections)) return true;
  std::vector<std::pair<std::int64_t, Connection*>> waiting;
  for (const auto& [fd, connection] : connections) {
    if (connection->expired) return false;
    const std::int64_t deadline = connection->deadline;
    if (deadline != Connection::kNever) waiting.emplace_back(deadline, connection.get());
  }
  const std::size_t count = std::min(waiting.size(), connections.size() / kDisplacedShare + 1);
  std::sort(waiting.begin(), waiting.end());
  for (std::size_t i = 0; i < count; ++i) Expire(*waiting[i].second);
  return false;
}

void HttpServer::State::Admit(Fd socket, std::string address) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::lock_guard lock(mutex);
  int& count = per_address[address];
  if (count >= options.max_per_address && !IsLoopbackText(address)) return;  // the socket closes
  const int fd = socket.get();
  auto connection = std::make_unique<Connection>(std::move(socket), address, options.limits);
  connection->deadline = Ticks(clock.Monotonic() + options.request_deadline);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  event.data.ptr = connection.get();
  // Another thread may be handed it at once, but cannot drop it before this one leaves the lock.
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    log.Warn("cannot watch a connection", {{"error", std::strerror(errno)}});
    if (count == 0) per_address.erase(address);
    return;
  }
  connections[fd] = std::move(connection);
  ++count;
}

void HttpServer::State::Sweep() {
  const std::int64_t now = Ticks(clock.Monotonic());
  const std::lock_guard lock(mutex);
  for (const auto& [fd, connection] : connections) {
    if (connection->deadline <= now && !connection->expired) Expire(*connection);
  }
}

// Only the reading side: the thread that is woken by it may still say 408.
void HttpServer::State::Expire(Connection& connection) {
  connection.expired = true;
  shutdown(connection.socket.get(), SHUT_RD);
}

// --- the serving threads
// ---------------------------------------------------------------------------------

void HttpServer::State::ServeLoop() {
  for (;;) {
    epoll_event event{};
    const int n = epoll_wait(epoll.get(), &event, 1, -1);
    if (stopping) return;
    if (n != 1) continue;  // EINTR
    Connection& connection = *static_cast<Connection*>(event.data.ptr);
    // Reads what Park or Admit stored, and with it all that its thread wrote before: the language
    // knows of no order that epoll makes.
    connection.deadline.exchange(Connection::kNever);
    switch (Serve(connection)) {
      case Next::kPark:
        Park(connection);
        break;
      case Next::kDrop:
        Drop(connection);
        break;
      case Next::kGone:
        break;
    }
  }
}

// Reads what has arrived and answers what is complete.
HttpServer::State::Next HttpServer::State::Serve(Connection& connection) {
  std::array<char, 16 << 10> buffer;
  if (connection.draining) return Drain(connection);
  // What a pipelining client sent before it was answered.
  if (std::exchange(connection.unread, false)) {
    if (const auto next = Progressed(connection, connection.reader.Advance())) return *next;
  }
  for (;;) {
    const ssize_t n = recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Next::kPark;
    const MonotonicTime now = clock.Monotonic();
    if (n <= 0) {
      if (!connection.expired || connection.reader.Idle()) return Next::kDrop;
      return Refuse(connection, TextResponse(408, "the request took too long"));
    }
    if (connection.reader.Idle()) connection.request_began = now;
    if (now > connection.request_began + options.request_deadline) {
      return Refuse(connection, TextResponse(408, "the request took too long"));
    }
    const auto progress =
        connection.reader.Feed(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    if (const auto next = Progressed(connection, progress)) return *next;
  }
}

// nullopt: read on.
std::optional<HttpServer::State::Next> HttpServer::State::Progressed(
    Connection& connection, RequestReader::Progress progress) {
  RequestReader& reader = connection.reader;
  for (;;) {
    switch (progress) {
      case RequestReader::Progress::kRefused:
        return Refuse(connection, reader.refusal());
      case RequestReader::Progress::kHead: {
        reader.request().remote_address = connection.address;
        if (const auto refusal = handler.Screen(reader.request())) {
          return Refuse(connection, *refusal);
        }
        break;
      }
      case RequestReader::Progress::kComplete: {
        const Next next = Answer(connection);
        if (next != Next::kPark || reader.Idle()) return next;
        connection.request_began = clock.Monotonic();  // of a pipelined one
        break;
      }
      case RequestReader::Progress::kNeedMore: {
        if (!Charge(connection)) {
          return Refuse(connection, TextResponse(503, "too many large requests at once"));
        }
        if (!reader.ExpectsContinue() || connection.continued) return std::nullopt;
        connection.continued = true;
        if (!SendAll(connection.socket.get(), kContinue, {}, clock, WriteBy())) return Next::kDrop;
        return std::nullopt;
      }
    }
    progress = reader.Advance();
  }
}

HttpServer::State::Next HttpServer::State::Answer(Connection& connection) {
  WebRequest& request = connection.reader.request();
  const bool head_only = request.method == "HEAD";
  if (head_only) request.method = "GET";
  WebResponse response = CallHandler(request);
  if (response.stream && !head_only) return Stream(connection, response);
  if (response.later) {
    {
      const std::lock_guard lock(mutex);
      ++unanswered;
    }
    response.later(WebAnswer(*this, connection));
    return Next::kGone;
  }
  return Reply(connection, response, request.keep_alive && !stopping, head_only);
}

HttpServer::State::Next HttpServer::State::Reply(Connection& connection, WebResponse& response,
                                                 bool keep_alive, bool head_only) {
  const std::string head = FormatHead(response, response.body.size(), keep_alive);
  const std::string_view body = head_only ? std::string_view() : response.body;
  const bool sent = SendAll(connection.socket.get(), head, body, clock, WriteBy());
  connection.reader.Next();
  connection.continued = false;
  Charge(connection);
  return sent && keep_alive ? Next::kPark : Next::kDrop;
}

// Runs on a thread that serves many: one attempt to send, then the connection goes back to the
// others.
void HttpServer::State::AnswerLater(Connection& connection, const WebResponse& response) {
  const bool keep_alive = connection.reader.request().keep_alive && !stopping;
  const std::string head = FormatHead(response, response.body.size(), keep_alive);
  const int fd = connection.socket.get();
  const bool sent = SendAll(fd, head, response.body, clock, clock.Monotonic());
  connection.reader.Next();
  connection.continued = false;
  connection.unread = !connection.reader.Idle();
  if (connection.unread) connection.request_began = clock.Monotonic();
  Charge(connection);
  if (sent && keep_alive) {
    Park(connection);
  } else {
    Drop(connection);
  }
  // Under the lock: once the last one is counted, Stop returns and this object may go.
  const std::lock_guard lock(mutex);
  if (--unanswered == 0) all_answered.notify_all();
}

WebResponse HttpServer::State::CallHandler(WebRequest& request) {
  try {
    return handler.Handle(request);
  } catch (const std::exception& e) {
    log.Error("a request handler failed", {{"path", request.path}, {"error", e.what()}});
    return TextResponse(500, "internal error");
  }
}

HttpServer::State::Next HttpServer::State::Refuse(Connection& connection,
                                                  const WebResponse& response) {
  const int fd = connection.socket.get();
  const std::string head = FormatHead(response, response.body.size(), false);
  if (!SendAll(fd, head, response.body, clock, WriteBy())) return Next::kDrop;
  shutdown(fd, SHUT_WR);
  if (connection.expired) return Next::kDrop;
  connection.draining = true;
  connection.drain_left = kDrainBytes;
  connection.request_began = clock.Monotonic();
  return Drain(connection);
}

HttpServer::State::Next HttpServer::State::Drain(Connection& connection) {
  std::array<char, 16 << 10> buffer;
  while (clock.Monotonic() < connection.request_began + kDrainFor) {
    const ssize_t n = recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Next::kPark;
    if (n <= 0 || static_cast<std::size_t>(n) > connection.drain_left) return Next::kDrop;
    connection.drain_left -= static_cast<std::size_t>(n);
  }
  return Next::kDrop;
}

HttpServer::State::Next HttpServer::State::Stream(Connection& connection,
                                                  const WebResponse& response) {
  if (!OpenStream(connection.address)) {
    WebResponse refusal = TextResponse(503, "too many live views are open");
    return Reply(connection, refusal, false, false);
  }
  const int fd = connection.socket.get();
  std::string head = FormatHead(response, 0, false);
  bool more = SendAll(fd, head, response.body, clock, WriteBy());
  std::string out;
  while (more && !stopping) {
    out.clear();
    more = response.stream(out);
    if (!out.empty()) {
      more = SendAll(fd, out, {}, clock, WriteBy()) && more;
      continue;
    }
    pollfd waits[2] = {{fd, POLLRDHUP, 0}, {stop.get(), POLLIN, 0}};
    if (more && poll(waits, 2, static_cast<int>(options.stream_tick.count())) > 0) more = false;
  }
  CloseStream(connection.address);
  return Next::kDrop;
}

bool HttpServer::State::OpenStream(const std::string& address) {
  const std::lock_guard lock(mutex);
  if (streams >= options.max_streams) return false;
  if (streams_per_address[address] >= options.max_streams_per_address) return false;
  ++streams_per_address[address];
  ++streams;
  return true;
}

void HttpServer::State::CloseStream(const std::string& address) {
  const std::lock_guard lock(mutex);
  --streams;
  if (--streams_per_address[address] == 0) streams_per_address.erase(address);
}

// Brings the shared budget up to date with what the connection holds; false when there is none
// left.
bool HttpServer::State::Charge(Connection& connection) {
  const std::size_t held = connection.reader.Held();
  const std::size_t due = held > kFreeBytes ? held - kFreeBytes : 0;
  if (due == connection.charged) return true;
  const std::size_t before =
      large_bytes.fetch_add(due - connection.charged);  // wraps when it shrinks
  const bool fits =
      due < connection.charged || before + (due - connection.charged) <= kLargeBodyBudget;
  connection.charged = due;
  return fits;
}

// After the deadline is set another thread may own the connection: nothing may touch it any more.
void HttpServer::State::Park(Connection& connection) {
  MonotonicTime deadline = clock.Monotonic() + options.idle_timeout;
  if (connection.draining) {
    deadline = connection.request_began + kDrainFor;
  } else if (!connection.reader.Idle()) {
    deadline = connection.request_began + options.request_deadline;
  }
  const int fd = connection.socket.get();
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  if (connection.unread)
    event.events |= EPOLLOUT;  // at once: what there is to read was read already
  event.data.ptr = &connection;
  connection.deadline = Ticks(deadline);
  if (epoll_ctl(epoll.get(), EPOLL_CTL_MOD, fd, &event) != 0) Drop(connection);
}

void HttpServer::State::Drop(Connection& connection) {
  large_bytes -= connection.charged;
  std::unique_ptr<Connection> gone;  // closed outside of the lock
  const std::lock_guard lock(mutex);
  const auto count = per_address.find(connection.address);
  if (--count->second == 0) per_address.erase(count);
  const auto found = connections.find(connection.socket.get());
  gone = std::move(found->second);
  connections.erase(found);
}

// --- the public face
// -------------------------------------------------------------------------------------

HttpServer::HttpServer(const HttpServerOptions& options, HttpHandler& handler, const Clock& clock,
                       Log& log)
    : state_(std::make_unique<State>(options, handler, clock, log)) {}

HttpServer::~HttpServer() {
  Stop();
}

Result<void> HttpServer::Start(Listener listener) {
  State& s = *state_;
  SWAGE_CHECK(s.threads.empty());
  s.listener = std::move(listener);
  s.epoll = Fd(epoll_create1(EPOLL_CLOEXEC));
  s.stop = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;  // level-triggered and never read: wakes every thread
  if (!s.epoll.valid() || !s.stop.valid() ||
      epoll_ctl(s.epoll.get(), EPOLL_CTL_ADD, s.stop.get(), &event) != 0) {
    return MakeError(ErrorCode::kInternal, std::string("epoll: ") + std::strerror(errno));
  }
  for (int i = 0; i < s.options.threads; ++i) s.threads.emplace_back([&s] { s.ServeLoop(); });
  s.threads.emplace_back([&s] { s.AcceptLoop(); });
  return Ok();
}

WebAnswer::WebAnswer(WebAnswer&& other) noexcept
    : server_(other.server_), connection_(std::exchange(other.connection_, nullptr)) {}

WebAnswer::~WebAnswer() {
  if (connection_ != nullptr) Send(TextResponse(500, "internal error"));
}

void WebAnswer::Send(const WebResponse& response) {
  SWAGE_CHECK(connection_ != nullptr);
  server_->AnswerLater(*std::exchange(connection_, nullptr), response);
}

int HttpServer::Port() const {
  return state_->listener.port;
}

void HttpServer::Stop() {
  State& s = *state_;
  if (s.threads.empty()) return;
  s.stopping = true;
  eventfd_write(s.stop.get(), 1);
  for (std::thread& thread : s.threads) thread.join();
  s.threads.clear();
  {
    std::unique_lock lock(s.mutex);
    s.all_answered.wait(lock, [&] { return s.unanswered == 0; });
  }
  s.listener.socket.Close();
  s.connections.clear();
}

}  // namespace swage
