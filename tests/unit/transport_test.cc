#include "forge/transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "config/base/clock.h"
#include "forge/origin.h"
#include "forge/rate_limit.h"
#include "forge/work_scope.h"
#include "tests/harness/self_signed.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr const char* kCanary = "canary-token-8d1f";

// A loopback server that runs while it lives; routes are added before Start().
template <class Base>
class Running : public Base {
 public:
  using Base::Base;
  ~Running() override {
    this->stop();
    if (thread_.joinable()) thread_.join();
  }
  void Start() {
    this->set_tcp_nodelay(true);
    port_ = this->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { this->listen_after_bind(); });
    while (!this->is_running()) std::this_thread::yield();
  }
  std::string Url(const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
  }

 private:
  int port_ = 0;
  std::thread thread_;
};
using PlainServer = Running<httplib::Server>;
using TlsServer = Running<httplib::SSLServer>;

// Accepts connections one at a time and lets `handle` misbehave with each.
class RawServer {
 public:
  explicit RawServer(std::function<void(int fd, int count)> handle) : handle_(std::move(handle)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

 private:
  void Run() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      char request[4096];
      (void)!::recv(fd, request, sizeof request, 0);
      handle_(fd, ++connections_);
      ::close(fd);
    }
  }
  std::function<void(int, int)> handle_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

void Write(int fd, std::string_view text) {
  (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

class TransportTest : public testing::Test {
 protected:
  TransportOptions Options(std::string url) {
    TransportOptions options;
    options.base_url = std::move(url);
    options.headers = {{"Authorization", std::string("Bearer ") + kCanary}};
    options.total_timeout = milliseconds(5'000);
    options.sleep = [this](milliseconds wait) { slept_.push_back(wait); };
    return options;
  }
  std::unique_ptr<HttpTransport> Make(TransportOptions options) {
    auto transport = MakeHttpTransport(std::move(options), clock_);
    EXPECT_TRUE(transport.ok()) << transport.error().message;
    return std::move(*transport);
  }
  std::unique_ptr<HttpTransport> Make(const std::string& url) { return Make(Options(url)); }
  Error ErrorOf(const Result<HttpResponse>& result) {
    if (result.ok()) {
      ADD_FAILURE() << "answered " << result->status;
      return {};
    }
    EXPECT_EQ(result.error().message.find(kCanary), std::string::npos);
    return result.error();
  }

  SystemClock clock_;
  std::vector<milliseconds> slept_;
};

TEST_F(TransportTest, SendsTheRequestUnderTheBasePath) {
  PlainServer server;
  server.Post("/api/v4/projects/g%2Fp/x", [](const auto&, auto&) {});
  server.set_pre_routing_handler([](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.method + " " + req.target + " " + req.get_header_value("Authorization") +
                        " " + req.body,
                    "text/plain");
    res.set_header("X-Odd", "a");
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Start();
  auto transport = Make(server.Url() + "/api/v4/");
  const auto response = transport->Send({"GET", "/projects/g%2Fp/x?a=%20b", ""});
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body,
            std::string("GET /api/v4/projects/g%2Fp/x?a=%20b Bearer ") + kCanary + " ");
  EXPECT_EQ(response->headers.at("x-odd"), "a");
}

TEST_F(TransportTest, ReusesItsConnections) {
  PlainServer server;
  std::mutex mutex;
  std::set<int> ports;
  server.Get("/x", [&](const httplib::Request& req, httplib::Response&) {
    std::lock_guard lock(mutex);
    ports.insert(req.remote_port);
  });
  server.Start();
  auto transport = Make(server.Url());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(transport->Send({"GET", "/x", ""}).ok());
  EXPECT_EQ(ports.size(), 1U);
}

TEST_F(TransportTest, ServesManyThreads) {
  PlainServer server;
  std::atomic<int> served{0};
  server.Post("/x", [&](const httplib::Request& req, httplib::Response& res) {
    ++served;
    res.set_content(req.body, "application/json");
  });
  server.Start();
  auto transport = Make(server.Url());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string body = "{\"n\":" + std::to_string(t * 100 + i) + "}";
        const auto response = transport->Send({"POST", "/x", body});
        if (response.ok() && response->body == body) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
  EXPECT_EQ(served, 100);
}

TEST_F(TransportTest, Threat_T50_SendsNothingToAnotherHost) {
  std::atomic<int> trapped{0};
  PlainServer trap;
  trap.set_pre_routing_handler([&](const auto&, auto&) {
    ++trapped;
    return httplib::Server::HandlerResponse::Handled;
  });
  trap.Start();
  PlainServer server;
  std::string location;
  int status = 302;
  server.set_pre_routing_handler([&](const httplib::Request&, httplib::Response& res) {
    res.status = status;
    res.set_header("Location", location);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Start();
  auto transport = Make(server.Url());
  const std::string trap_host = trap.Url().substr(7);
  for (const std::string& to : std::vector<std::string>{
           trap.Url() + "/x", "//" + trap_host + "/x", "http://localhost:1/x", "ftp://127.0.0.1/",
           server.Url() + "@" + trap_host + "/x", std::string("javascript:1"), std::string("x y"),
           std::string("/\x01"), std::string("\\\\" + trap_host), std::string()}) {
    location = to;
    for (const int code : {301, 302, 303, 307, 308}) {
      status = code;
      for (const char* method : {"GET", "POST"}) {
        ErrorOf(transport->Send({method, "/a", ""}));
      }
    }
  }
  EXPECT_EQ(trapped, 0);
}

TEST_F(TransportTest, FollowsRedirectsOfTheSameOriginAndNoLoop) {
  PlainServer server;
  int hops = 0;
  server.Get("/a", [&](const httplib::Request&, httplib::Response& res) {
    res.status = 301;
    res.set_header("Location", server.Url() + "/b?page=2");
  });
  server.Get("/b", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.target, "text/plain");
  });
  server.Get("/loop", [&](const httplib::Request&, httplib::Response& res) {
    ++hops;
    res.status = 302;
    res.set_header("Location", "/loop");
  });
  server.Patch("/moved", [](const httplib::Request&, httplib::Response& res) {
    res.status = 307;
    res.set_header("Location", "/here");
  });
  server.Patch("/here", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.body, "text/plain");
  });
  server.Start();
  auto transport = Make(server.Url());
  EXPECT_EQ(transport->Send({"GET", "/a", ""})->body, "/b?page=2");
  EXPECT_EQ(transport->Send({"PATCH", "/moved", "{}"})->body, "{}");
  EXPECT_EQ(ErrorOf(transport->Send({"GET", "/loop", ""})).code, ErrorCode::kUnavailable);
  EXPECT_EQ(hops, HttpTransport::kMaxRedirects + 1);
}

TEST_F(TransportTest, RefusesUnsafeAddresses) {
  for (const std::string url :
       {"http://example.com", "http://127.0.0.1.example.com", "http://10.0.0.1", "ftp://localhost",
        "localhost:80", "https://user:pw@example.com", "https://", "https://a b", "https://x:0",
        "https://x:99999", "https://x/?q=1", "http://[::2]/"}) {
    const auto transport = MakeHttpTransport(Options(url), clock_);
    ASSERT_FALSE(transport.ok()) << url;
    EXPECT_EQ(transport.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(transport.error().message.find("pw"), std::string::npos);
  }
  TransportOptions split = Options("https://example.com");
  split.headers["X"] = "a\r\nb: c";
  EXPECT_FALSE(MakeHttpTransport(split, clock_).ok());
  for (const std::string url : {"http://localhost:1", "http://127.8.9.1", "http://[::1]:8/x"}) {
    EXPECT_TRUE(MakeHttpTransport(Options(url), clock_).ok()) << url;
  }
}

TEST_F(TransportTest, RefusesPathsThatAreNotEncoded) {
  auto transport = Make("http://127.0.0.1:1");
  for (const std::string path : {"", "x", "/a b", "/a\r\nX: y", "/ü", "/a#b"}) {
    EXPECT_EQ(ErrorOf(transport->Send({"GET", path, ""})).code, ErrorCode::kInvalid) << path;
  }
}

TEST_F(TransportTest, RetriesReadsOfABrokenServerAndNeverWrites) {
  RawServer server([](int, int) {});  // closes without a word
  auto transport = Make(server.Url());
  EXPECT_EQ(ErrorOf(transport->Send({"GET", "/x", ""})).code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.connections(), HttpTransport::kMaxAttempts);
  EXPECT_EQ(slept_.size(), static_cast<std::size_t>(HttpTransport::kMaxAttempts - 1));
  EXPECT_EQ(ErrorOf(transport->Send({"POST", "/x", "{}"})).code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.connections(), HttpTransport::kMaxAttempts + 1);
  HttpRequest query{"POST", "/x", "{}"};
  query.only_reads = true;
  EXPECT_EQ(ErrorOf(transport->Send(query)).code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.connections(), 2 * HttpTransport::kMaxAttempts + 1);
}

// The connection may have taken its time.
TEST_F(TransportTest, AWriteThatMayNotLeaveAnyMoreKeepsItsBody) {
  PlainServer server;
  std::atomic<int> served{0};
  const auto count = [&](const httplib::Request& request, httplib::Response& response) {
    ++served;
    response.set_content(request.body, "application/json");
  };
  server.Post("/thing", count);
  server.Start();
  auto transport = Make(Options(server.Url()));
  int asked = 0;
  const WorkScope scope({{}, [&]() -> Result<void> {
                           if (++asked == 2) return MakeError(ErrorCode::kLeaseLost, "too late");
                           return Ok();
                         }});
  EXPECT_EQ(transport->Send({"POST", "/thing", R"({"a":1})", false})->body, R"({"a":1})");
  const auto refused = transport->Send({"POST", "/thing", R"({"a":2})", false});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(transport->Send({"POST", "/thing", R"({"a":3})", false})->body, R"({"a":3})");
  EXPECT_EQ(served, 2);
  HttpRequest query{"POST", "/thing", R"({"query":1})", false};
  query.only_reads = true;
  EXPECT_TRUE(transport->Send(query).ok());
  EXPECT_EQ(asked, 3);
}

TEST_F(TransportTest, ARetriedReadSucceeds) {
  PlainServer server;
  int calls = 0;
  server.Get("/x", [&](const httplib::Request&, httplib::Response& res) {
    res.status = ++calls < 3 ? 502 : 200;
  });
  server.Start();
  EXPECT_EQ(Make(server.Url())->Send({"GET", "/x", ""})->status, 200);
  EXPECT_EQ(calls, 3);
}

TEST_F(TransportTest, AnOrderedWaitIsLeftToTheCaller) {
  PlainServer server;
  int calls = 0;
  server.Get("/x", [&](const httplib::Request&, httplib::Response& res) {
    ++calls;
    res.status = 503;
    res.set_header("Retry-After", "7");
  });
  server.Start();
  const Error error = ErrorOf(Make(server.Url())->Send({"GET", "/x", ""}));
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.retry_after, milliseconds(7'000));
  EXPECT_EQ(calls, 1);
}

TEST_F(TransportTest, GivesUpAtItsDeadlineOnASilentServer) {
  std::atomic<bool> over{false};
  RawServer server([&](int fd, int) {
    char bytes[4096];
    while (::recv(fd, bytes, sizeof bytes, 0) > 0) {  // until the client gives up
    }
    over = true;
  });
  TransportOptions options = Options(server.Url());
  options.total_timeout = milliseconds(200);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ErrorOf(Make(options)->Send({"GET", "/x", ""})).code, ErrorCode::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3'000));
}

TEST_F(TransportTest, GivesUpAtItsDeadlineOnATricklingServer) {
  RawServer server([&](int fd, int) {
    Write(fd, "HTTP/1.1 200 OK\r\nX: ");
    // A byte every 20 ms, until the client is gone.
    timeval patience{0, 20'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (char bytes[4096];;) {
      const ssize_t n =
          ::recv(fd, bytes, sizeof bytes, 0);  // the rest of the request may come late
      if (n > 0) continue;
      const bool silent = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      if (!silent || ::send(fd, "a", 1, MSG_NOSIGNAL) < 0) break;
    }
  });
  TransportOptions options = Options(server.Url());
  options.total_timeout = milliseconds(300);
  const auto start = std::chrono::steady_clock::now();
  const Error error = ErrorOf(Make(options)->Send({"POST", "/x", "{}"}));
  EXPECT_EQ(error.code, ErrorCode::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3'000));
}

TEST_F(TransportTest, CutsAHugeResponse) {
  PlainServer server;
  server.Get("/x", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
      static const std::string kBlock(65'536, 'x');
      return sink.write(kBlock.data(), kBlock.size());
    });
  });
  server.Start();
  TransportOptions options = Options(server.Url());
  options.max_response_bytes = 1 << 20;
  EXPECT_EQ(ErrorOf(Make(options)->Send({"GET", "/x", ""})).code, ErrorCode::kTooLarge);
}

TEST_F(TransportTest, SurvivesAnswersThatAreNoHttp) {
  for (const std::string answer : {"SSH-2.0-x\r\n", "\r\n\r\n", "HTTP/9 x\r\n\r\n",
                                   "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"}) {
    RawServer server([&](int fd, int) { Write(fd, answer); });
    EXPECT_EQ(ErrorOf(Make(server.Url())->Send({"POST", "/x", ""})).code, ErrorCode::kUnavailable);
  }
}

TEST_F(TransportTest, Threat_T52_RefusesASelfSignedServerUnlessItsAuthorityIsNamed) {
  SelfSigned identity;
  std::atomic<int> seen{0};
  TlsServer server(identity.certificate.get(), identity.key.get());
  server.Get("/x", [&](const auto&, auto&) { ++seen; });
  server.Start();
  const Error error = ErrorOf(Make(server.Url("https"))->Send({"GET", "/x", ""}));
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_NE(error.message.find("certificate"), std::string::npos) << error.message;
  EXPECT_EQ(seen, 0);

  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("swage-ca-" + std::to_string(::getpid()) + ".pem");
  FILE* out = std::fopen(file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  PEM_write_X509(out, identity.certificate.get());
  std::fclose(out);
  TransportOptions options = Options(server.Url("https"));
  options.ca_file = file;
  auto transport = Make(options);
  EXPECT_TRUE(transport->Send({"GET", "/x", ""}).ok());
  EXPECT_TRUE(transport->Send({"GET", "/x", ""}).ok());
  EXPECT_EQ(seen, 2);
  options.ca_file = file.string() + ".absent";
  EXPECT_EQ(ErrorOf(Make(options)->Send({"GET", "/x", ""})).code, ErrorCode::kInvalid);
  std::filesystem::remove(file);
}

HttpResponse Answer(int status, std::map<std::string, std::string> headers, std::string body = "") {
  return {status, std::move(headers), std::move(body)};
}

TEST(RateLimit, KnowsTheFormsOfARefusal) {
  const WallTime now = FromMicros(1'000'000'000);  // second 1000
  EXPECT_EQ(RateLimited(Answer(429, {{"retry-after", "5"}}), now), milliseconds(5'000));
  EXPECT_EQ(RateLimited(Answer(429, {}), now), milliseconds(0));
  EXPECT_EQ(RateLimited(Answer(429, {{"ratelimit-reset", "1030"}}), now), milliseconds(30'000));
  EXPECT_EQ(RateLimited(
                Answer(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1010"}}), now),
            milliseconds(10'000));
  EXPECT_EQ(
      RateLimited(Answer(403, {{"x-ratelimit-remaining", "4999"}, {"x-ratelimit-reset", "1010"}},
                         R"({"message":"You have exceeded a secondary rate limit"})"),
                  now),
      milliseconds(0));
  EXPECT_EQ(RateLimited(Answer(403, {{"x-ratelimit-remaining", "4999"}}, "Forbidden"), now),
            std::nullopt);
  EXPECT_EQ(RateLimited(Answer(200, {{"x-ratelimit-remaining", "0"}}), now), std::nullopt);
}

TEST(RateLimit, BoundsWhatAServerOrders) {
  const WallTime now = FromMicros(1'000'000'000);
  for (const char* wait : {"99999999999", "9223372036854775807"}) {
    EXPECT_EQ(RateLimited(Answer(429, {{"retry-after", wait}}), now), kMaxRetryAfter);
  }
  for (const char* wait : {"-5", "x", "", "99999999999999999999999"}) {
    EXPECT_EQ(RateLimited(Answer(429, {{"retry-after", wait}}), now), milliseconds(0)) << wait;
  }
  EXPECT_EQ(RateLimited(Answer(429, {{"x-ratelimit-reset", "1"}}), now), milliseconds(1'000));
}

TEST(RateLimit, TellsWhatIsLeftByTheForgesOwnClock) {
  const std::map<std::string, std::string> told = {{"x-ratelimit-limit", "5000"},
                                                   {"x-ratelimit-remaining", "4321"},
                                                   {"x-ratelimit-reset", "784111837"},
                                                   {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  const auto quota = QuotaIn(Answer(200, told));
  ASSERT_TRUE(quota.has_value());
  EXPECT_EQ(quota->limit, 5'000);
  EXPECT_EQ(quota->remaining, 4'321);
  EXPECT_EQ(quota->until_reset, std::chrono::minutes(1));
  const auto with = [&](const char* name, const char* value) {
    auto headers = told;
    headers[name] = value;
    return QuotaIn(Answer(200, std::move(headers)));
  };
  EXPECT_TRUE(with("x-ratelimit-resource", "core").has_value());
  EXPECT_FALSE(with("x-ratelimit-resource", "graphql").has_value());
  EXPECT_FALSE(with("date", "yesterday").has_value());
  EXPECT_FALSE(with("x-ratelimit-limit", "0").has_value());
  EXPECT_FALSE(with("x-ratelimit-remaining", "-1").has_value());
  EXPECT_EQ(with("x-ratelimit-reset", "99999999999")->until_reset, kMaxRetryAfter);
  EXPECT_FALSE(QuotaIn(Answer(200, {})).has_value());
  EXPECT_TRUE(QuotaIn(Answer(200, {{"ratelimit-limit", "2000"},
                                   {"ratelimit-remaining", "1999"},
                                   {"ratelimit-reset", "784111837"},
                                   {"date", told.at("date")}}))
                  .has_value());
}

TEST(Origin, ComparesWhatACredentialIsFor) {
  EXPECT_EQ(ParseRequestUrl("HTTPS://API.example.com/x")->origin,
            ParseRequestUrl("https://api.example.com:443")->origin);
  EXPECT_NE(ParseRequestUrl("https://a.example")->origin,
            ParseRequestUrl("http://a.example:443")->origin);
  EXPECT_EQ(ParseRequestUrl("https://[::1]:8/x?y")->target, "/x?y");
  EXPECT_EQ(ParseRequestUrl("http://[::1]")->origin.Str(), "http://[::1]:80");
  for (const char* bad : {"https://a@b", "https://a\\@b", "https://[::1", "https://[::1]x",
                          "https:/a", "//a", "https://a%2eb", "https://a:1:2", "https://a#b"}) {
    EXPECT_FALSE(ParseRequestUrl(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace swage
