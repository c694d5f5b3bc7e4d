// HttpServer: the sandbox forge's socket side; everything that knows the HTTP library is behind it.
//
// One request per connection (the library's waiting between requests costs more than a new loopback
// connection, and stopping never waits for idle clients). The handler runs on the server's threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/result.h"
#include "forge/sandbox/http.h"

namespace swage::sandbox {

/// Hands the body to the sink in pieces; false when the sink refused or the client went away.
using BodyReader = std::function<bool(const std::function<bool(std::string_view)>& sink)>;
/// The next piece of a streamed body; empty = the end. An error aborts the reply.
using BodySource = std::function<Result<std::string>()>;

struct Answer {
  Reply reply;
  BodySource stream;   ///< when set, it is the body instead of reply.body
  bool reset = false;  ///< reset the connection instead of answering
};

class HttpServer {
 public:
  using Handler = std::function<Answer(Request&, const BodyReader&)>;

  struct Options {
    std::string address;
    int port = 0;
    std::size_t threads = 16;
  };

  /// Errors: kUnavailable when the address cannot be bound.
  static Result<std::unique_ptr<HttpServer>> Start(const Options& options, Handler handler);
  ~HttpServer();
  void Stop();
  int Port() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace swage::sandbox
