#include "bot/http/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "config/base/redact.h"
#include "tests/harness/raw_http.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

class FunctionHandler final : public HttpHandler {
 public:
  std::optional<WebResponse> Screen(const WebRequest& head) override {
    if (head.path == "/screened") return TextResponse(415, "no");
    return std::nullopt;
  }
  WebResponse Handle(WebRequest& request) override { return handle(request); }

  std::function<WebResponse(WebRequest&)> handle = [](WebRequest& request) {
    return TextResponse(200, request.method + " " + request.path + " " + request.body);
  };
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServer& Serve() {
    server_ = std::make_unique<HttpServer>(options_, handler_, clock_, log_);
    Result<Listener> listener = Listen({"127.0.0.1", 0});
    EXPECT_TRUE(listener.ok());
    EXPECT_TRUE(server_->Start(std::move(*listener)).ok());
    return *server_;
  }

  SystemClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  FunctionHandler handler_;
  HttpServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  RawHttp client(Serve().Port());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.Send(PostRequest("/p", "", std::to_string(i))));
    const std::string response = client.ReadResponse();
    ASSERT_EQ(StatusOf(response), 200);
    ASSERT_TRUE(response.ends_with("\r\n\r\nPOST /p " + std::to_string(i) + "\n")) << response;
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  RawHttp client(Serve().Port());
  client.Send(PostRequest("/1", "", "a") + PostRequest("/2", "", "b") + std::string(kGet));
  EXPECT_NE(client.ReadResponse().find("POST /1 a"), std::string::npos);
  EXPECT_NE(client.ReadResponse().find("POST /2 b"), std::string::npos);
  EXPECT_NE(client.ReadResponse().find("GET /a "), std::string::npos);
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  RawHttp client(Serve().Port());
  client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  bool closed = false;
  EXPECT_EQ(StatusOf(client.ReadToEnd(closed)), 200);
  EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, HeadGetsTheHeadOnly) {
  RawHttp client(Serve().Port());
  client.Send("HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  bool closed = false;
  const std::string response = client.ReadToEnd(closed);
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
  EXPECT_NE(response.find("Content-Length: 8\r\n"), std::string::npos) << response;
}

TEST_F(HttpServerTest, RefusalIsReadableAlthoughTheBodyWasNotRead) {
  options_.limits.body_bytes = 1 << 20;
  Serve();
  const std::string big(26 << 20, 'x');
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), PostRequest("/a", "", big))), 413);
  const std::string allowed(1 << 20, 'x');
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), PostRequest("/screened", "", allowed))), 415);
}

TEST_F(HttpServerTest, RefusedConnectionIsClosed) {
  RawHttp client(Serve().Port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
  client.Send(kGet);
  bool closed = false;
  const std::string response = client.ReadToEnd(closed);
  EXPECT_EQ(StatusOf(response), 400);
  EXPECT_EQ(response.find("200 OK"), std::string::npos) << "the smuggled request was answered";
  EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, InvitesABodyThatWaitsToBeAskedFor) {
  RawHttp client(Serve().Port());
  client.Send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(client.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  client.Send("ok");
  EXPECT_NE(client.ReadUntil("POST /a ok").find("POST /a ok"), std::string::npos);
}

TEST_F(HttpServerTest, AnExceptionIsA500WithoutItsText) {
  handler_.handle = [](WebRequest&) -> WebResponse { throw std::runtime_error("secret detail"); };
  const std::string response = Exchange(Serve().Port(), kGet);
  EXPECT_EQ(StatusOf(response), 500);
  EXPECT_EQ(response.find("secret"), std::string::npos);
}

TEST_F(HttpServerTest, UnfinishedRequestsHoldNoThread) {
  options_.threads = 2;
  Serve();
  std::vector<std::unique_ptr<RawHttp>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<RawHttp>(server_->Port()));
    // Half of them stop in the head, half in the body.
    slow.back()->Send(i % 2 == 0 ? "POST /x HTT" : PostRequest("/x", "", "body").substr(0, 60));
  }
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), kGet)), 200);
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(1'000));
}

TEST_F(HttpServerTest, AnUnfinishedRequestIsEndedAtItsDeadlineHoweverItDribbles) {
  options_.request_deadline = milliseconds(300);
  RawHttp client(Serve().Port());
  client.Send("GET / HTTP/1.1\r\nHost: h\r\n");
  std::jthread dribble([&](std::stop_token stop) {
    while (!stop.stop_requested() && client.Send("X: y\r\n")) {
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  bool closed = false;
  EXPECT_EQ(StatusOf(client.ReadToEnd(closed)), 408);
  EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosedInSilence) {
  options_.idle_timeout = milliseconds(100);
  RawHttp client(Serve().Port());
  client.Send(kGet);
  ASSERT_EQ(StatusOf(client.ReadResponse()), 200);
  bool closed = false;
  EXPECT_EQ(client.ReadToEnd(closed), "");
  EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, ANewConnectionDisplacesTheOneClosestToItsDeadline) {
  options_.max_connections = 8;
  Serve();
  std::vector<std::unique_ptr<RawHttp>> idle;
  for (int i = 0; i < 50; ++i) {
    idle.push_back(std::make_unique<RawHttp>(server_->Port()));
    idle.back()->Send("GET");
  }
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), kGet)), 200);
}

TEST_F(HttpServerTest, StreamsUntilTheProviderIsDone) {
  options_.max_streams = options_.max_streams_per_address = 1;
  options_.stream_tick = milliseconds(1);
  handler_.handle = [](WebRequest&) {
    WebResponse response;
    response.stream = [n = 0](std::string& out) mutable {
      if (++n % 2 == 0) out = "tick " + std::to_string(n) + "\n";
      return n < 6;
    };
    return response;
  };
  RawHttp client(Serve().Port());
  client.Send(kGet);
  bool closed = false;
  const std::string response = client.ReadToEnd(closed);
  EXPECT_TRUE(response.ends_with("\r\n\r\ntick 2\ntick 4\ntick 6\n")) << response;
  EXPECT_TRUE(closed);
}

TEST_F(HttpServerTest, StreamsAreCappedAndStopEndsThemAtOnce) {
  options_.max_streams = 3;
  options_.max_streams_per_address = 2;
  options_.threads = 5;
  options_.stream_tick = std::chrono::hours(1);
  handler_.handle = [](WebRequest& request) {
    if (request.path != "/s") return TextResponse(200, "page");
    WebResponse response;
    response.body = "hello\n";
    response.stream = [](std::string&) { return true; };
    return response;
  };
  Serve();
  const std::string get = "GET /s HTTP/1.1\r\nHost: h\r\n\r\n";
  RawHttp a(server_->Port());
  RawHttp b(server_->Port());
  a.Send(get);
  b.Send(get);
  EXPECT_NE(a.ReadUntil("hello").find("hello"), std::string::npos);
  EXPECT_NE(b.ReadUntil("hello").find("hello"), std::string::npos);
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), get)), 503);
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), kGet)), 200) << "viewers starve the pages";
  const auto began = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(1'000));
}

TEST_F(HttpServerTest, AViewerThatLeavesFreesItsPlace) {
  options_.max_streams = options_.max_streams_per_address = 1;
  options_.stream_tick = std::chrono::hours(1);
  std::atomic<int> ended{0};
  handler_.handle = [&](WebRequest&) {
    WebResponse response;
    response.body = "hello\n";
    auto guard = std::shared_ptr<void>(nullptr, [&](void*) { ++ended; });
    response.stream = [guard](std::string&) { return true; };
    return response;
  };
  Serve();
  {
    RawHttp first(server_->Port());
    first.Send(kGet);
    ASSERT_NE(first.ReadUntil("hello").find("hello"), std::string::npos);
  }
  while (ended == 0) std::this_thread::yield();  // the test's own time limit ends a failure
  RawHttp second(server_->Port());
  second.Send(kGet);
  EXPECT_NE(second.ReadUntil("hello").find("hello"), std::string::npos);
  server_->Stop();  // `ended` must outlive the streams
}

TEST_F(HttpServerTest, AnswersGivenLaterReachTheirClients) {
  options_.threads = 1;
  std::mutex mutex;
  std::vector<WebAnswer> waiting;
  std::condition_variable changed;
  handler_.handle = [&](WebRequest&) {
    WebResponse response;
    response.later = [&](WebAnswer answer) {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(answer));
      changed.notify_all();
    };
    return response;
  };
  Serve();
  RawHttp a(server_->Port());
  RawHttp b(server_->Port());
  a.Send(std::string(kGet) + std::string(kGet));  // pipelined: the second waits for the first
  b.Send(kGet);
  const auto take = [&](std::size_t n) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting.size() >= n; });
    return std::exchange(waiting, {});
  };
  for (WebAnswer& answer : take(2)) answer.Send(TextResponse(202, "later"));
  EXPECT_EQ(StatusOf(a.ReadResponse()), 202);
  EXPECT_EQ(StatusOf(b.ReadResponse()), 202);
  { const std::vector<WebAnswer> dropped = take(1); }
  EXPECT_EQ(StatusOf(a.ReadResponse()), 500) << "an answer that nobody gives";
}

TEST_F(HttpServerTest, StopWaitsForAnswersGivenLater) {
  std::vector<std::jthread> answering;
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  handler_.handle = [&](WebRequest&) {
    WebResponse response;
    response.later = [&](WebAnswer answer) {
      const std::lock_guard lock(mutex);
      asked = true;
      changed.notify_all();
      answering.emplace_back(
          [late = std::move(answer)]() mutable { late.Send(TextResponse(202, "late")); });
    };
    return response;
  };
  RawHttp client(Serve().Port());
  client.Send(kGet);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked; });
  }
  server_->Stop();
  EXPECT_EQ(StatusOf(client.ReadResponse()), 202);
}

TEST_F(HttpServerTest, StopFinishesTheRequestInHand) {
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false;
  bool release = false;
  handler_.handle = [&](WebRequest&) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return release; });
    return TextResponse(200, "late");
  };
  RawHttp client(Serve().Port());
  client.Send(kGet);
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return entered; });
  std::jthread stopper([&] { server_->Stop(); });
  release = true;
  changed.notify_all();
  lock.unlock();
  EXPECT_NE(client.ReadResponse().find("late"), std::string::npos);
}

TEST_F(HttpServerTest, TwoServersCannotShareAPort) {
  Serve();
  const Result<Listener> second = Listen({"127.0.0.1", server_->Port()});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST(Listener, KnowsLoopback) {
  EXPECT_TRUE(Listen({"127.0.0.1", 0})->loopback);
  EXPECT_FALSE(Listen({"0.0.0.0", 0})->loopback);
}

}  // namespace
}  // namespace swage
