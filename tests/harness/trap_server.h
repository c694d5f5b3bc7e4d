// TrapServer: an HTTP server on loopback to which nobody should come; it keeps what came all the
// same. Relay: one that passes everything on to another server and may change the answers.
#pragma once

#include <httplib.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace swage {

/// Runs an httplib server from construction to destruction.
class ServerThread {
 public:
  explicit ServerThread(httplib::Server& server)
      : server_(server),
        port_(server.bind_to_any_port("127.0.0.1")),
        thread_([this] { server_.listen_after_bind(); }) {}
  ~ServerThread() {
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }
  int Port() const { return port_; }

 private:
  httplib::Server& server_;
  const int port_;
  std::thread thread_;
};

class TrapServer {
 public:
  using Answer = std::function<void(const httplib::Request&, httplib::Response&)>;

  /// 404 to everything, unless `answer` says otherwise. `server` may be one that speaks TLS.
  explicit TrapServer(Answer answer = {},
                      std::unique_ptr<httplib::Server> server = std::make_unique<httplib::Server>())
      : server_(std::move(server)) {
    server_->set_pre_routing_handler([this, answer](const auto& request, auto& response) {
      Keep(request);
      response.status = 404;
      if (answer) answer(request, response);
      return httplib::Server::HandlerResponse::Handled;
    });
    running_ = std::make_unique<ServerThread>(*server_);
  }

  /// After this, what `answer` wrote may be read.
  void Stop() { running_.reset(); }

  /// Until Stop.
  std::string Url(std::string_view scheme = "http") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(running_->Port());
  }
  int Requests() const { return static_cast<int>(Seen().size()); }
  /// "METHOD TARGET" and the header lines of every request.
  std::vector<std::string> Seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void Keep(const httplib::Request& request) {
    std::string text = request.method + " " + request.target + "\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\n";
    const std::lock_guard lock(mutex_);
    seen_.push_back(std::move(text));
  }

  std::unique_ptr<httplib::Server> server_;
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
  std::unique_ptr<ServerThread> running_;
};

class Relay {
 public:
  using Edit = std::function<void(const httplib::Request&, httplib::Response&)>;

  Relay(int port, Edit edit) {
    const auto pass_on = [port, edit](const httplib::Request& request,
                                      httplib::Response& response) {
      httplib::Request copy;
      copy.method = request.method;
      copy.path = request.target;
      copy.body = request.body;
      for (const auto& [name, value] : request.headers) {
        if (name != "Host" && name != "Content-Length" && name != "Connection" &&
            !name.starts_with("REMOTE_") && !name.starts_with("LOCAL_")) {
          copy.headers.emplace(name, value);
        }
      }
      httplib::Client client("127.0.0.1", port);
      const auto answer = client.send(copy);
      response.status = answer ? answer->status : 502;
      if (!answer) return;
      for (const auto& [name, value] : answer->headers) {
        if (name != "Content-Length" && name != "Connection" && name != "Keep-Alive" &&
            name != "Transfer-Encoding" && name != "Content-Type") {
          response.headers.emplace(name, value);
        }
      }
      response.set_content(answer->body, answer->get_header_value("Content-Type"));
      edit(request, response);
    };
    server_.Get(".*", pass_on);
    server_.Post(".*", pass_on);
    server_.Put(".*", pass_on);
    server_.Patch(".*", pass_on);
    server_.Delete(".*", pass_on);
    running_ = std::make_unique<ServerThread>(server_);
  }
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(running_->Port()); }

 private:
  httplib::Server server_;
  std::unique_ptr<ServerThread> running_;
};

}  // namespace swage
