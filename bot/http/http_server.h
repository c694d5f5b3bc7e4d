// HttpServer: a small HTTP/1.1 server that strangers cannot exhaust.
//
// All threads wait on one epoll instance; the kernel hands a connection's next event to exactly one
// of them (EPOLLONESHOT). A thread is only busy with bytes that have arrived: connections that are
// idle, or dribble a head or a body byte by byte, hold memory and a deadline but never a thread
// (T12). One more thread accepts, and ends connections whose deadline is over. Every resource has a
// cap in Options; past the cap on connections the one closest to its deadline makes room for a new
// one.
//
// A request is handed to the HttpHandler when all of it has arrived. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "bot/http/listener.h"
#include "bot/http/message.h"
#include "bot/http/request_reader.h"
#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/result.h"

namespace swage {

struct Connection;

/// What a server does with requests. Called from many threads at once; an exception becomes a 500.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// The head is in, the body is not: an answer here refuses the request and closes the connection.
  virtual std::optional<WebResponse> Screen(const WebRequest&) { return std::nullopt; }
  /// The whole request, free to be taken apart. HEAD comes as GET; the server drops the body.
  virtual WebResponse Handle(WebRequest& request) = 0;
};

struct HttpServerOptions {
  int threads = 16;  ///< requests handled at once, streams included
  int max_connections = 1024;
  int max_per_address = 256;  ///< loopback, where a reverse proxy may be, is exempt
  int max_streams = 0;        ///< endless answers at once; each holds a thread
  int max_streams_per_address = 0;
  HttpLimits limits;
  std::chrono::milliseconds request_deadline{10'000};  ///< first byte to last byte of a request
  std::chrono::milliseconds write_deadline{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  ///< between two requests
  std::chrono::milliseconds stream_tick{250};      ///< how often a silent stream is asked again
};

class HttpServer {
 public:
  /// References must outlive the server.
  HttpServer(const HttpServerOptions& options, HttpHandler& handler, const Clock& clock, Log& log);
  /// Stops.
  ~HttpServer();

  /// Serves `listener` from its own threads until Stop. Errors: kInternal.
  Result<void> Start(Listener listener);
  int Port() const;
  /// Refuses new connections, finishes the requests in hand and those answered later, closes the
  /// rest. May be called again.
  void Stop();

 private:
  friend class WebAnswer;
  struct State;
  std::unique_ptr<State> state_;
};

/// The right, and the duty, to answer one request later and from any thread. Dropped unsent, it is
/// a 500.
class WebAnswer {
 public:
  WebAnswer(WebAnswer&& other) noexcept;
  WebAnswer& operator=(WebAnswer&&) = delete;
  ~WebAnswer();
  /// Never blocks: a client that does not take the answer at once is dropped. At most once.
  void Send(const WebResponse& response);

 private:
  friend struct HttpServer::State;
  WebAnswer(HttpServer::State& server, Connection& connection)
      : server_(&server), connection_(&connection) {}
  HttpServer::State* server_;  // outlives its answers: Stop waits for them
  Connection* connection_;     // ours until it is answered; null after that
};

}  // namespace swage
