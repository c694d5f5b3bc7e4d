// HttpTransport: one JSON request to one configured host, with every bound that a stranger's server
// needs.
//
// What an implementation owes: the base URL is fixed by the settings and never by a payload (T51);
// a redirect is followed by hand and only to the same scheme, host and port (T50); connect, read
// and total deadlines; a response cap; TLS is verified (T52); header values are free of CR/LF;
// errors carry no token; a proxy gets its own credential and the forge never that one. A write is
// checked (see WorkScope) once more when its connection stands: its body is the last thing that
// leaves, and without it it is no request. Retries: only reads, at most kMaxAttempts, on 5xx and
// connection failures; 429 and GitHub's 403 rate limits become kRateLimited with retry_after.
// Blocks; safe from many threads.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/redact.h"
#include "config/base/result.h"
#include "config/proxy.h"

namespace swage {

struct HttpRequest {
  std::string method;  ///< GET, POST, PUT, PATCH, DELETE
  std::string path;    ///< "/repos/o/r/issues?per_page=100": appended to the base URL's path
  std::string body;    ///< JSON, or empty
  /// The path starts at the host instead: some APIs have a second root beside the base URL's.
  bool from_root = false;
  /// The ETag of an earlier answer: 304 without a body when nothing changed, which costs no quota.
  std::string if_none_match = {};
  /// Changes nothing in spite of its method: a query that is sent by POST.
  bool only_reads = false;
  /// The whole value of the Authorization header, for credentials that differ between requests.
  std::string authorization = {};
  /// "owner/name" that the request is about, where the path does not say so; "owner/" = all of his.
  std::string repo = {};

  bool Writes() const { return method != "GET" && !only_reads; }
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

struct TransportOptions {
  std::string base_url;                        ///< "https://api.github.com"
  std::map<std::string, std::string> headers;  ///< sent with every request (authorization, accept)
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds total_timeout{30'000};
  std::size_t max_response_bytes = 16 << 20;
  std::string ca_file;  ///< PEM of an additional authority; empty = the system's
  Proxy proxy;          ///< asked for a tunnel where it serves the base URL
  /// How to wait between two attempts; empty = the thread sleeps. Tests record instead.
  std::function<void(std::chrono::milliseconds)> sleep;
};

class HttpTransport {
 public:
  static constexpr int kMaxAttempts = 3;
  static constexpr int kMaxRedirects = 3;

  virtual ~HttpTransport() = default;
  /// Any status below 500 but 429 is a response, not an error.
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

/// Errors: kInvalid for a base URL that is not http(s), or http to a host that is not loopback.
Result<std::unique_ptr<HttpTransport>> MakeHttpTransport(TransportOptions options,
                                                         const Clock& clock);

}  // namespace swage
