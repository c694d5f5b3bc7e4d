#include "forge/sandbox/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "config/base/text.h"

namespace swage::sandbox {
namespace {

constexpr std::size_t kMaxWaiting = 256;
constexpr std::chrono::seconds kClientPatience{60};

/// A pool whose full queue holds the accepting thread back instead of growing.
class BoundedPool final : public httplib::TaskQueue {
 public:
  explicit BoundedPool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }

  // void in old versions of the library, bool in newer ones.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr));
  Enqueued enqueue(std::function<void()> job) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return jobs_.size() < kMaxWaiting; });
    jobs_.push_back(std::move(job));
    changed_.notify_all();
    return static_cast<Enqueued>(true);
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      changed_.notify_all();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

int PortOf(int fd, bool peer) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if ((peer ? getpeername(fd, raw, &size) : getsockname(fd, raw, &size)) != 0) return -1;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  }
  return -1;
}

/// Sends RST on the connection of a request. The library hands no descriptor to its handlers, so
/// the socket is found by its two ports; dissolving the association (connect to AF_UNSPEC) resets
/// at once and leaves the descriptor for the library to close.
void ResetConnection(int local_port, int remote_port) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename().string();
    const int fd = static_cast<int>(ParseInt(name).value_or(-1));
    if (fd < 0 || PortOf(fd, true) != remote_port || PortOf(fd, false) != local_port) continue;
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    connect(fd, &nowhere, sizeof nowhere);
  }
}

void OnlyReuseAddress(
    int fd) {  // the library's default shares the port with another server in silence
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

bool IsLibraryHeader(std::string_view name) {
  return name == "remote_addr" || name == "remote_port" || name == "local_addr" ||
         name == "local_port";
}

Request ToRequest(const httplib::Request& from) {
  Request request;
  request.method = from.method == "HEAD" ? "GET" : from.method;
  request.target = from.target;
  const std::size_t question = from.target.find('?');
  request.path = from.target.substr(0, question);
  if (question != std::string::npos) {
    request.query = ParseForm(std::string_view(from.target).substr(question + 1));
  }
  for (const auto& [name, value] : from.headers) {
    const std::string lower = ToLower(name);
    if (IsLibraryHeader(lower)) continue;
    const auto [it, fresh] = request.headers.emplace(lower, value);
    if (!fresh) it->second += "\n" + value;
  }
  if (from.is_multipart_form_data()) {  // see ReadMultipart
    request.headers["content-type"] = "application/x-www-form-urlencoded";
  }
  return request;
}

bool HasBody(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  return request.has_header("Transfer-Encoding") || (!length.empty() && length != "0");
}

/// Hands a multipart form on as a URL-encoded one: the library parses the former anyway. It demands
/// a line end after the last boundary, which RFC 2046 (5.1.1) leaves to the sender and Node 18
/// leaves out: a form whose parts have all been handed on is taken as it is.
bool ReadMultipart(const httplib::ContentReader& reader,
                   const std::function<bool(std::string_view)>& sink) {
  bool any_part = false;
  bool refused = false;
  const auto hand_on = [&](const std::string& text) {
    refused = refused || !sink(text);
    return !refused;
  };
  const bool whole = reader(
      [&](const auto& part) {
        any_part = true;
        return hand_on("&" + PercentEncode(part.name) + "=");
      },
      [&](const char* data, std::size_t size) {
        return hand_on(PercentEncode(std::string_view(data, size)));
      });
  return whole || (any_part && !refused);
}

void Fill(Answer answer, httplib::Response& response) {
  response.status = answer.reply.status;
  for (const auto& [name, value] : answer.reply.headers) response.set_header(name, value);
  if (answer.stream) {
    response.set_chunked_content_provider(
        answer.reply.content_type,
        [source = std::move(answer.stream)](std::size_t, httplib::DataSink& sink) {
          const Result<std::string> some = source();
          if (!some.ok()) return false;
          if (some->empty()) {
            sink.done();
            return true;
          }
          return sink.write(some->data(), some->size());
        });
  } else if (!answer.reply.content_type.empty()) {
    response.set_content(answer.reply.body, answer.reply.content_type);
  }
}

}  // namespace

struct HttpServer::State {
  Handler handler;
  httplib::Server server;
  std::thread thread;
  int port = 0;

  void Serve(const httplib::Request& from, httplib::Response& response, const BodyReader& body) {
    Request request = ToRequest(from);
    Answer answer = handler(request, body);
    if (answer.reset) {
      ResetConnection(port, from.remote_port);
      return;
    }
    Fill(std::move(answer), response);
  }

  void Mount(std::size_t threads) {
    const auto plain = [this](const httplib::Request& request, httplib::Response& response) {
      Serve(request, response, [](const auto&) { return true; });
    };
    const auto reading = [this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& reader) {
      Serve(request, response, [&](const std::function<bool(std::string_view)>& sink) {
        if (!HasBody(request)) return true;
        if (request.is_multipart_form_data()) return ReadMultipart(reader, sink);
        return reader(
            [&](const char* data, std::size_t size) { return sink(std::string_view(data, size)); });
      });
    };
    const std::string any = ".*";
    server.Get(any, plain);
    server.Options(any, plain);
    server.Post(any, reading);
    server.Put(any, reading);
    server.Patch(any, reading);
    server.Delete(any, reading);
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
          response.status = 500;
          response.set_content("{\"message\":\"Server Error\"}", "application/json");
        });
    server.set_keep_alive_max_count(1);
    server.set_read_timeout(kClientPatience);
    server.set_write_timeout(kClientPatience);
    server.set_tcp_nodelay(true);
    server.set_socket_options(OnlyReuseAddress);
    server.new_task_queue = [threads] { return new BoundedPool(threads); };
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  Stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options, Handler handler) {
  auto state = std::make_unique<State>();
  state->handler = std::move(handler);
  state->Mount(options.threads);
  if (options.port == 0) {
    state->port = state->server.bind_to_any_port(options.address);
  } else {
    state->port = state->server.bind_to_port(options.address, options.port) ? options.port : -1;
  }
  if (state->port <= 0) {
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("cannot listen on {}:{}", options.address, options.port));
  }
  state->thread = std::thread([server = &state->server] { server->listen_after_bind(); });
  // stop() before the accept loop runs would be lost.
  while (!state->server.is_running()) std::this_thread::yield();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::Stop() {
  state_->server.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

int HttpServer::Port() const {
  return state_->port;
}

}  // namespace swage::sandbox
