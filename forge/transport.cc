#include "forge/transport.h"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "config/address.h"
#include "config/base/text.h"
#include "forge/origin.h"
#include "forge/rate_limit.h"
#include "forge/watchdog.h"
#include "forge/work_scope.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxIdleConnections = 8;
// Younger than what the forges close by themselves: a write must not meet a connection that just
// died.
constexpr std::chrono::seconds kMaxIdleTime{20};
constexpr milliseconds kFirstBackoff{150};
constexpr std::size_t kMaxTarget = 8'192;

// One keep-alive connection. The socket handle must outlive the client.
struct Connection {
  SocketHandle socket;
  std::optional<int> tunnel_status;  // the proxy's answer to this attempt, where it was asked
  std::unique_ptr<httplib::Client> client;
  MonotonicTime idle_since;
};

struct Outcome {
  HttpResponse response;
  std::optional<Error> failure;
  bool retryable = false;  // for what only reads
};

bool IsHeaderSafe(std::string_view s) {
  return s.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// What a request line can carry as it is; anything else was not encoded by us.
bool IsTarget(std::string_view s) {
  return s.starts_with('/') && s.size() <= kMaxTarget &&
         std::all_of(s.begin(), s.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

// The authorities of the system, and one more.
X509_STORE* MakeStore(const std::string& ca_file) {
  X509_STORE* store = X509_STORE_new();
  if (store == nullptr) return nullptr;
  X509_STORE_set_default_paths(store);
  if (X509_STORE_load_file(store, ca_file.c_str()) == 1) return store;
  X509_STORE_free(store);
  return nullptr;
}

bool IsSuccess(int status) {
  return status >= 200 && status < 300;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class HttplibTransport final : public HttpTransport {
 public:
  HttplibTransport(TransportOptions options, RequestUrl base, const Clock& clock)
      : options_(std::move(options)),
        base_(std::move(base)),
        proxied_(options_.proxy.Serves(base_.origin.Str())),
        via_(proxied_ ? " through the proxy " + options_.proxy.Address() : ""),
        clock_(clock),
        watchdog_(clock) {}

  Result<HttpResponse> Send(const HttpRequest& request) override;

 private:
  Result<HttpResponse> SendTo(const HttpRequest& request, std::string target,
                              MonotonicTime deadline);
  Result<std::string> RedirectTarget(const HttpRequest& request,
                                     const HttpResponse& response) const;
  Outcome Attempt(const HttpRequest& request, const std::string& target, MonotonicTime deadline);
  Outcome Judge(httplib::Error error, bool late, bool too_large,
                const httplib::Response& raw) const;
  Outcome TunnelRefused(int status) const;
  Result<std::unique_ptr<Connection>> Take();
  Result<std::unique_ptr<Connection>> Connect() const;
  void UseProxy(Connection& connection) const;
  void GiveBack(std::unique_ptr<Connection> connection);
  /// Waits before the next attempt; false when the deadline leaves no room for it.
  bool Backoff(int attempt, MonotonicTime deadline);

  const TransportOptions options_;
  const RequestUrl base_;
  const bool proxied_;
  const std::string via_;  // for messages
  const Clock& clock_;
  Watchdog watchdog_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::minstd_rand random_{std::random_device{}()};
};

Result<std::unique_ptr<Connection>> HttplibTransport::Connect() const {
  auto connection = std::make_unique<Connection>();
  connection->client = std::make_unique<httplib::Client>(base_.origin.Str());
  httplib::Client& client = *connection->client;
  if (!client.is_valid()) return MakeError(ErrorCode::kInternal, "no HTTP client");
  client.set_keep_alive(true);
  client.set_follow_location(false);
  client.set_tcp_nodelay(true);
  client.set_url_encode(false);  // targets are encoded already
  client.set_decompress(false);
  client.set_connection_timeout(options_.connect_timeout);
  client.set_read_timeout(options_.total_timeout);
  client.set_write_timeout(options_.total_timeout);
  client.set_socket_options([socket = &connection->socket](int fd) { socket->Adopt(fd); });
  if (base_.origin.scheme == "https") {
    client.enable_server_certificate_verification(true);
    if (!options_.ca_file.empty()) {
      X509_STORE* store = MakeStore(options_.ca_file);
      if (store == nullptr) {
        return MakeError(ErrorCode::kInvalid, "cannot read the authority in " + options_.ca_file);
      }
      client.set_ca_cert_store(store);  // takes ownership
    }
  }
  if (proxied_) UseProxy(*connection);
  return connection;
}

void HttplibTransport::UseProxy(Connection& connection) const {
  const Proxy& proxy = options_.proxy;
  connection.client->set_proxy(proxy.server.host, proxy.server.port);
  if (!proxy.username.empty()) {
    connection.client->set_proxy_basic_auth(proxy.username, proxy.password.value);
  }
  // The client takes most refusals for the beginning of TLS, but tells its logger of them.
  connection.client->set_logger(
      [status = &connection.tunnel_status](const httplib::Request& request,
                                           const httplib::Response& response) {
        if (request.method == "CONNECT") *status = response.status;
      });
}

Result<std::unique_ptr<Connection>> HttplibTransport::Take() {
  {
    std::lock_guard lock(mutex_);
    const MonotonicTime now = clock_.Monotonic();
    std::erase_if(idle_, [&](const auto& c) { return now - c->idle_since > kMaxIdleTime; });
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return Connect();
}

void HttplibTransport::GiveBack(std::unique_ptr<Connection> connection) {
  connection->idle_since = clock_.Monotonic();
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdleConnections) idle_.push_back(std::move(connection));
}

// Only what a proxy says of the way beyond it may be better the next moment.
Outcome HttplibTransport::TunnelRefused(int status) const {
  constexpr int kProxyAuthenticationRequired = 407;
  const std::string answer = status > 0 ? std::to_string(status) : "no HTTP";
  std::string message = fmt::format("the proxy {} opens no way to {} ({})",
                                    options_.proxy.Address(), base_.origin.Str(), answer);
  if (status == kProxyAuthenticationRequired) {
    message += options_.proxy.username.empty() ? "; it asks for proxy_user and proxy_password"
                                               : "; it refuses proxy_user and proxy_password";
  }
  return {{}, MakeError(ErrorCode::kUnavailable, std::move(message)), status >= 500};
}

Outcome HttplibTransport::Judge(httplib::Error error, bool late, bool too_large,
                                const httplib::Response& raw) const {
  Outcome outcome;
  const auto fail = [&](ErrorCode code, std::string message, bool retryable) {
    outcome.failure = MakeError(code, std::move(message));
    outcome.retryable = retryable;
    return outcome;
  };
  if (too_large) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("the response exceeds {} bytes", options_.max_response_bytes), false);
  }
  if (late) {
    return fail(
        ErrorCode::kTimeout,
        fmt::format("no complete answer within {}{}", FormatDuration(options_.total_timeout), via_),
        false);
  }
  if (error == httplib::Error::SSLServerVerification || error == httplib::Error::SSLLoadingCerts) {
    return fail(
        ErrorCode::kUnavailable,
        "the server's certificate is not trusted (TLS); set ca_file for a private authority",
        false);
  }
  if (error != httplib::Error::Success) {
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("{} failed{} ({})", base_.origin.Str(), via_, httplib::to_string(error)), true);
  }
  for (const auto& [name, value] : raw.headers) {
    std::string safe = value;
    std::erase_if(safe, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    outcome.response.headers.emplace(ToLower(name), std::move(safe));
  }
  outcome.response.status = raw.status;
  return outcome;
}

Outcome HttplibTransport::Attempt(const HttpRequest& request, const std::string& target,
                                  MonotonicTime deadline) {
  auto taken = Take();
  if (!taken.ok()) return {{}, taken.error(), false};
  std::unique_ptr<Connection> connection = std::move(*taken);
  std::string body;
  bool too_large = false;
  httplib::Request raw;
  raw.method = request.method;
  raw.path = target;
  Result<void> may_go = Ok();
  if (request.Writes() && !request.body.empty()) {
    raw.content_length_ = request.body.size();
    raw.content_provider_ = [&](std::size_t at, std::size_t size, httplib::DataSink& sink) {
      may_go = WorkScope::Check(true);
      return may_go.ok() && sink.write(request.body.data() + at, size);
    };
  } else {
    raw.body = request.body;
  }
  for (const auto& [name, value] : options_.headers) raw.set_header(name, value);
  if (!request.authorization.empty()) raw.set_header("Authorization", request.authorization);
  if (!request.body.empty()) raw.set_header("Content-Type", "application/json");
  if (!request.if_none_match.empty()) raw.set_header("If-None-Match", request.if_none_match);
  raw.set_header("Accept-Encoding", "identity");
  // Else the client adds the proxy's credential to what it sends through the tunnel.
  if (proxied_) raw.set_header("Proxy-Authorization", "");
  raw.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    too_large = body.size() + size > options_.max_response_bytes;
    if (!too_large) body.append(data, size);
    return !too_large;
  };
  httplib::Response answer;
  httplib::Error error = httplib::Error::Success;
  bool sent = false;
  bool late = false;
  connection->tunnel_status.reset();
  try {
    Watchdog::Guard guard(watchdog_, connection->socket, deadline);
    sent = connection->client->send(raw, answer, error);
    // The client's own timeouts end at about the same time; either way no answer came in time.
    late = guard.Fired() || (!sent && clock_.Monotonic() >= deadline);
  } catch (const std::exception&) {
    return {{}, MakeError(ErrorCode::kInternal, "the HTTP client failed"), false};
  }
  if (!may_go.ok()) return {{}, may_go.error(), false};
  if (const auto status = connection->tunnel_status; status && !IsSuccess(*status)) {
    return TunnelRefused(*status);
  }
  if (!sent && error == httplib::Error::Success) error = httplib::Error::Unknown;
  Outcome outcome = Judge(error, late, too_large, answer);
  if (!outcome.failure) {
    outcome.response.body = std::move(body);
    GiveBack(std::move(connection));
  }
  return outcome;
}

bool HttplibTransport::Backoff(int attempt, MonotonicTime deadline) {
  milliseconds wait = kFirstBackoff * (1 << attempt);
  {
    std::lock_guard lock(mutex_);
    wait += milliseconds(std::uniform_int_distribution<std::int64_t>(0, wait.count())(random_));
  }
  if (clock_.Monotonic() + wait >= deadline) return false;
  if (options_.sleep) {
    options_.sleep(wait);
  } else {
    std::this_thread::sleep_for(wait);
  }
  return true;
}

// Attempts at one address, and what the status means for every forge.
Result<HttpResponse> HttplibTransport::SendTo(const HttpRequest& request, std::string target,
                                              MonotonicTime deadline) {
  for (int attempt = 0;; ++attempt) {
    Outcome outcome = Attempt(request, target, deadline);
    if (!outcome.failure && outcome.response.status >= 500) {
      Error error =
          MakeError(ErrorCode::kUnavailable,
                    fmt::format("{} answered {}", base_.origin.host, outcome.response.status));
      error.retry_after = RetryAfter(outcome.response, clock_.Now());
      // An ordered wait is the caller's to keep.
      outcome.retryable = error.retry_after.count() == 0;
      outcome.failure = std::move(error);
    }
    if (!outcome.failure) {
      if (const auto wait = RateLimited(outcome.response, clock_.Now())) {
        Error error = MakeError(ErrorCode::kRateLimited,
                                fmt::format("{} refuses for its rate limit", base_.origin.host));
        error.retry_after = *wait;
        return error;
      }
      return std::move(outcome.response);
    }
    const bool again = outcome.retryable && !request.Writes() && attempt + 1 < kMaxAttempts;
    if (!again || !Backoff(attempt, deadline)) return *outcome.failure;
  }
}

Result<std::string> HttplibTransport::RedirectTarget(const HttpRequest& request,
                                                     const HttpResponse& response) const {
  const auto refuse = [](std::string_view why) {
    return MakeError(ErrorCode::kInvalid, "a redirect " + std::string(why) + " is not followed");
  };
  // 301 to 303 turn a write into a read; only 307 and 308 keep what was asked.
  if (request.method != "GET" && response.status != 307 && response.status != 308) {
    return refuse("of a write");
  }
  const auto it = response.headers.find("location");
  if (it == response.headers.end()) return refuse("without a location");
  std::string target = it->second;
  if (!target.starts_with('/') || target.starts_with("//")) {
    const auto url = ParseRequestUrl(target);
    if (!url.ok() || url->origin != base_.origin) return refuse("to another host");
    target = url->target;
  }
  if (!IsTarget(target)) return refuse("to an odd address");
  return target;
}

Result<HttpResponse> HttplibTransport::Send(const HttpRequest& request) {
  // The query stays out of messages: it is long and says nothing new.
  const std::string call = request.method + " " + request.path.substr(0, request.path.find('?'));
  std::string target = (request.from_root ? "" : base_.target) + request.path;
  if (!request.path.starts_with('/') || !IsTarget(target)) {
    return MakeError(ErrorCode::kInvalid, request.method + ": the path is not encoded");
  }
  if (!IsHeaderSafe(request.if_none_match)) {
    return MakeError(ErrorCode::kInvalid, call + ": the ETag holds a line break");
  }
  if (!IsHeaderSafe(request.authorization)) {
    return MakeError(ErrorCode::kInvalid, call + ": the credential holds a line break");
  }
  const MonotonicTime deadline = clock_.Monotonic() + options_.total_timeout;
  for (int hop = 0;; ++hop) {
    auto response = SendTo(request, target, deadline);
    if (!response.ok()) return response.error().With(call);
    if (!IsRedirect(response->status)) return response;
    if (hop == kMaxRedirects) {
      return MakeError(ErrorCode::kUnavailable, call + ": too many redirects");
    }
    auto next = RedirectTarget(request, *response);
    if (!next.ok()) return next.error().With(call);
    target = std::move(*next);
  }
}

}  // namespace

Result<std::unique_ptr<HttpTransport>> MakeHttpTransport(TransportOptions options,
                                                         const Clock& clock) {
  auto base = ParseRequestUrl(options.base_url);
  if (!base.ok()) return base.error().With("base URL");  // its text may hold a password
  if (base->origin.scheme == "http" && !IsLoopback(base->origin.host)) {
    return MakeError(ErrorCode::kInvalid,
                     options.base_url + ": plain http is for loopback only; use https");
  }
  if (base->target.find('?') != std::string::npos) {
    return MakeError(ErrorCode::kInvalid, options.base_url + ": a base URL has no query");
  }
  while (base->target.ends_with('/')) base->target.pop_back();
  for (const auto& [name, value] : options.headers) {
    if (!IsHeaderSafe(name) || !IsHeaderSafe(value)) {
      return MakeError(ErrorCode::kInvalid, "a header holds a line break: " + ToLower(name));
    }
  }
  return std::unique_ptr<HttpTransport>(
      std::make_unique<HttplibTransport>(std::move(options), std::move(*base), clock));
}

}  // namespace swage
