#include "bot/webhook/webhook_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bot/webhook/json_depth.h"
#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/redact.h"
#include "config/base/text.h"
#include "forge/github/webhook.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

constexpr const char* kSecret = "It's a Secret to Everybody";

// Signs as GitHub does; small, so that these tests are about the server alone.
class SignedDialect final : public WebhookDialect {
 public:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view raw_body,
                              std::string_view secret, WallTime) const override {
    const auto at = [&](const char* name) {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string() : found->second;
    };
    const std::string expected = "sha256=" + HexEncode(HmacSha256(secret, raw_body));
    if (!ConstantTimeEqual(at("x-signature"), expected)) {
      return MakeError(ErrorCode::kUnauthenticated, "the signature does not match");
    }
    if (at("x-delivery").empty()) return MakeError(ErrorCode::kInvalid, "no delivery id");
    return DeliveryInfo{at("x-delivery"), "issues"};
  }
  Result<Event> Parse(std::string_view, std::string_view, std::string_view) const override {
    return Event(Ignored{"not parsed here"});
  }
  std::string PeekRepoPath(std::string_view raw_body) const override {
    const std::size_t at = raw_body.find("repo=");
    return at == raw_body.npos ? "" : std::string(raw_body.substr(at + 5));
  }
};

// Remembers what was stored, and fails on command.
class InboxStore final : public StubStore {
 public:
  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    if (broken) return MakeError(ErrorCode::kUnavailable, "disk full");
    const std::lock_guard lock(mutex_);
    std::vector<bool> fresh;
    for (const NewDelivery& delivery : deliveries) {
      fresh.push_back(keys_.insert(delivery.forge + " " + delivery.key).second);
      if (fresh.back()) deliveries_.push_back(delivery);
    }
    return fresh;
  }
  Result<StoreCounts> Counts() override {
    ++counted;
    if (broken) return MakeError(ErrorCode::kUnavailable, "disk full");
    return StoreCounts{};
  }
  std::vector<NewDelivery> Deliveries() {
    const std::lock_guard lock(mutex_);
    return deliveries_;
  }

  std::atomic<bool> broken{false};
  std::atomic<int> counted{0};

 private:
  std::mutex mutex_;
  std::set<std::string> keys_;
  std::vector<NewDelivery> deliveries_;
};

std::string Signature(std::string_view secret, std::string_view body) {
  return "X-Signature: sha256=" + HexEncode(HmacSha256(secret, body)) + "\r\n";
}
std::string SignedHeaders(std::string_view secret, std::string_view body, std::string_view id) {
  return Signature(secret, body) + "X-Delivery: " + std::string(id) + "\r\n";
}

class WebhookServerTest : public testing::Test {
 protected:
  WebhookServerTest() {
    settings_.listen = "127.0.0.1:0";
    ForgeSettings forge;
    forge.name = "hub";
    forge.webhook_secret.value = kSecret;
    forge.repo_webhook_secrets["Acme/B"].value = "only for b";
    settings_.forges.push_back(forge);
  }

  int Serve() {
    server_ = std::make_unique<WebhookServer>(
        settings_, std::map<std::string, const WebhookDialect*>{{"hub", &dialect_}}, store_,
        health_, clock_, log_, [this] {
          ++stored_;
          stored_.notify_all();
        });
    const Result<void> started = server_->Start();
    EXPECT_TRUE(started.ok());
    return server_->Port();
  }

  int Post(std::string_view headers, std::string_view body, std::string_view path = "/hooks/hub") {
    if (!server_) Serve();
    return StatusOf(Exchange(server_->Port(), PostRequest(path, headers, body)));
  }
  int PostSigned(std::string_view body, std::string_view id, std::string_view secret = kSecret) {
    return Post(SignedHeaders(secret, body, id), body);
  }

  SystemClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  SignedDialect dialect_;
  InboxStore store_;
  Health health_{store_, clock_};
  Settings settings_;
  std::atomic<int> stored_{0};
  std::unique_ptr<WebhookServer> server_;
};

TEST_F(WebhookServerTest, StoresTheRawBytesThenAnswers202) {
  const std::string body("{\"a\": \"\xFF\x00\"}\r\n", 14);
  EXPECT_EQ(PostSigned(body, "id-1"), 202);
  ASSERT_EQ(store_.Deliveries().size(), 1u);
  EXPECT_EQ(store_.Deliveries()[0].forge, "hub");
  EXPECT_EQ(store_.Deliveries()[0].key, "id-1");
  EXPECT_EQ(store_.Deliveries()[0].body, body);
  stored_.wait(0);  // the answer may come first
  EXPECT_EQ(stored_, 1);
}

TEST_F(WebhookServerTest, Threat_T1_OnlyTheRightSignatureIsStored) {
  const std::string body = "Hello, World!";
  const std::string good =
      "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const std::string id = "X-Delivery: 1\r\n";
  const std::string line = "X-Signature: " + good + "\r\n";
  std::string flipped = line;
  flipped[flipped.size() - 3] = '6';
  EXPECT_EQ(Post(id + flipped, body), 401);
  EXPECT_EQ(Post(id, body), 401);
  EXPECT_EQ(Post(id + "X-Signature: sha1=" + std::string(40, 'a') + "\r\n", body), 401);
  EXPECT_EQ(Post(id + line + line, body), 401);
  EXPECT_EQ(Post(id + line, "Hello, World?"), 401);
  EXPECT_TRUE(store_.Deliveries().empty());
  EXPECT_EQ(Post(id + line, body), 202);
}

TEST_F(WebhookServerTest, Threat_T1_GitHubsOwnExampleIsAccepted) {
  const std::unique_ptr<WebhookDialect> github = MakeGitHubDialect();
  WebhookServer server(settings_, {{"hub", github.get()}}, store_, health_, clock_, log_, nullptr);
  ASSERT_TRUE(server.Start().ok());
  const std::string id = "X-GitHub-Delivery: 1\r\nX-GitHub-Event: issues\r\n";
  const std::string line =
      "X-Hub-Signature-256: "
      "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n";
  const auto post = [&](const std::string& headers) {
    return StatusOf(Exchange(server.Port(), PostRequest("/hooks/hub", headers, "Hello, World!")));
  };
  EXPECT_EQ(post(id), 401);
  EXPECT_EQ(post(id + line + line), 401);
  EXPECT_EQ(post(id + line), 202);
  EXPECT_EQ(post(id + line), 200);
}

TEST_F(WebhookServerTest, Threat_T3_ARepeatedDeliveryIsAnsweredButNotStored) {
  EXPECT_EQ(PostSigned("{}", "same"), 202);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(PostSigned("{}", "same"), 200);
  EXPECT_EQ(store_.Deliveries().size(), 1u);
  stored_.wait(0);  // the answer may come first
  EXPECT_EQ(stored_, 1);
}

TEST_F(WebhookServerTest, Threat_T6_TheMostSpecificSecretWinsWithoutFallback) {
  EXPECT_EQ(PostSigned("repo=acme/b", "1", kSecret), 401);
  EXPECT_EQ(PostSigned("repo=ACME/B", "2", kSecret), 401);
  EXPECT_EQ(PostSigned("repo=acme/b", "3", "only for b"), 202);
  EXPECT_EQ(PostSigned("repo=acme/a", "4", "only for b"), 401);
  EXPECT_EQ(PostSigned("repo=acme/a", "5", kSecret), 202);
}

TEST_F(WebhookServerTest, WithoutASecretNothingIsAccepted) {
  settings_.forges[0].webhook_secret.value.clear();
  EXPECT_EQ(PostSigned("{}", "1", ""), 401);
}

TEST_F(WebhookServerTest, AFailingStoreIsA503ThatAsksForAnotherTry) {
  store_.broken = true;
  const std::string response =
      Exchange(Serve(), PostRequest("/hooks/hub", SignedHeaders(kSecret, "{}", "1"), "{}"));
  EXPECT_EQ(StatusOf(response), 503);
  EXPECT_NE(response.find("Retry-After: "), std::string::npos);
  EXPECT_EQ(stored_, 0);
  store_.broken = false;
  EXPECT_EQ(PostSigned("{}", "1"), 202);
}

TEST_F(WebhookServerTest, MissingDeliveryIdIsA400) {
  EXPECT_EQ(Post(Signature(kSecret, "{}"), "{}"), 400);
}

TEST_F(WebhookServerTest, UnknownDoorsAndMethodsAreRefused) {
  const int port = Serve();
  EXPECT_EQ(Post("", "{}", "/hooks/other"), 404);
  EXPECT_EQ(Post("", "{}", "/hooks/"), 404);
  EXPECT_EQ(Post("", "{}", "/hooks/hub/x"), 404);
  EXPECT_EQ(Post("", "{}", "/"), 404);
  EXPECT_EQ(StatusOf(Exchange(port, "GET /hooks/hub HTTP/1.1\r\nHost: h\r\n\r\n")), 405);
}

TEST_F(WebhookServerTest, Threat_T10_LargeEncodedAndEndlessBodiesAreCut) {
  const int port = Serve();
  EXPECT_EQ(PostSigned(std::string(26 << 20, ' '), "big"), 413);
  EXPECT_EQ(PostSigned(std::string(24 << 20, ' '), "just fits"), 202);
  const std::string gzip = SignedHeaders(kSecret, "{}", "z") + "Content-Encoding: gzip\r\n";
  EXPECT_EQ(Post(gzip, "{}"), 415);

  RawHttp endless(port);
  endless.Send("POST /hooks/hub HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  int sent = 0;
  while (sent < 200 && endless.Send(chunk)) ++sent;
  EXPECT_LT(sent, 200) << "an endless body is read for ever";
  EXPECT_EQ(PostSigned("{}", "after"), 202);
}

TEST_F(WebhookServerTest, Threat_T11_DeepJsonIsRefusedAlthoughSigned) {
  EXPECT_EQ(PostSigned(std::string(100'000, '['), "deep"), 400);
  EXPECT_EQ(PostSigned("{\"a\": \"" + std::string(100'000, '[') + "\"}", "in a string"), 202);
}

TEST_F(WebhookServerTest, Threat_T12_SlowClientsDoNotDelayASignedHook) {
  const int port = Serve();
  const std::string whole = PostRequest("/hooks/hub", "", std::string(1'000, 'x'));
  std::vector<std::unique_ptr<RawHttp>> slow;
  for (std::size_t i = 0; i < 128; ++i) {
    slow.push_back(std::make_unique<RawHttp>(port));
    slow.back()->Send(whole.substr(0, 1 + i * 2));  // some stop in the head, some in the body
  }
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(PostSigned("{}", "quick"), 202);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
}

TEST_F(WebhookServerTest, Threat_T13_AbusiveHeadsAreRefusedAndTheServerLives) {
  const int port = Serve();
  EXPECT_EQ(Post("X: " + std::string(1 << 20, 'a') + "\r\n", "{}"), 431);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(Post(many, "{}"), 431);
  EXPECT_EQ(Post("", "{}", "/hooks/hub%0D%0AX-Injected:%201"), 400);
  EXPECT_EQ(Post("X-Forwarded-For: ,\r\n", "{}"), 401);
  EXPECT_EQ(StatusOf(Exchange(port, std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 29))), 400);
  EXPECT_EQ(PostSigned("{}", "alive"), 202);
}

TEST_F(WebhookServerTest, Threat_T14_SmugglingIsRefusedAndTheConnectionClosed) {
  const int port = Serve();
  const std::string inner = PostRequest("/hooks/hub", SignedHeaders(kSecret, "{}", "in"), "{}");
  for (const std::string header : {"Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawHttp client(port);
    client.Send(PostRequest("/hooks/hub", header, "0\r\n\r\n") + inner);
    bool closed = false;
    const std::string answer = client.ReadToEnd(closed);
    EXPECT_EQ(StatusOf(answer), 400) << header;
    EXPECT_EQ(answer.rfind("HTTP/1.1"), 0u) << "more than one answer: " << answer;
    EXPECT_TRUE(closed);
  }
  EXPECT_TRUE(store_.Deliveries().empty());
}

TEST_F(WebhookServerTest, HealthAsksTheStoreAtMostOnceASecond) {
  const int port = Serve();
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  for (int i = 0; i < 10; ++i) {
    const std::string response = Exchange(port, get);
    EXPECT_EQ(StatusOf(response), 200);
    EXPECT_TRUE(response.ends_with("\r\n\r\nok\n"));
  }
  EXPECT_LE(store_.counted, 2);
  EXPECT_EQ(StatusOf(Exchange(port, "POST /healthz HTTP/1.1\r\nHost: h\r\n\r\n")), 405);
}

TEST_F(WebhookServerTest, HealthIs503WhileTheStoreFails) {
  store_.broken = true;
  EXPECT_EQ(StatusOf(Exchange(Serve(), "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")), 503);
}

TEST_F(WebhookServerTest, ReadinessSaysWhichRoleIsUnwell) {
  std::atomic<bool> well{true};
  health_.AddRole("web", [] { return Ok(); });
  health_.AddRole("worker", [&well]() -> Result<void> {
    if (well) return Ok();
    return MakeError(ErrorCode::kUnavailable, "cannot claim tasks");
  });
  const int port = Serve();
  const std::string get = "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_TRUE(Exchange(port, get).ends_with("\r\n\r\nstore: ok\nweb: ok\nworker: ok\n"));
  well = false;
  const std::string unwell = Exchange(port, get);
  EXPECT_EQ(StatusOf(unwell), 503);
  EXPECT_NE(unwell.find("web: ok\nworker: cannot claim tasks\n"), unwell.npos) << unwell;
  well = true;
  EXPECT_EQ(StatusOf(Exchange(port, get)), 200);
}

TEST_F(WebhookServerTest, ReadinessGoesRedFirstAndDeliveriesAreStoredAllTheSame) {
  const int port = Serve();
  const std::string get = "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_EQ(StatusOf(Exchange(port, get)), 200);
  health_.SetStopping();
  EXPECT_EQ(StatusOf(Exchange(port, get)), 503);
  EXPECT_EQ(StatusOf(Exchange(port, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")), 200);
  const std::string hook = PostRequest("/hooks/hub", SignedHeaders(kSecret, "{}", "late"), "{}");
  EXPECT_EQ(StatusOf(Exchange(port, hook)), 202);
}

TEST_F(WebhookServerTest, ANodeWithoutDialectsTakesNoDeliveries) {
  server_ =
      std::make_unique<WebhookServer>(settings_, std::map<std::string, const WebhookDialect*>{},
                                      store_, health_, clock_, log_, nullptr);
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(PostSigned("{}", "1"), 404);
  EXPECT_EQ(StatusOf(Exchange(server_->Port(), "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")), 200);
}

TEST_F(WebhookServerTest, ManyClientsAtOnceStoreEachDeliveryOnce) {
  const int port = Serve();
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 16; ++c) {
      clients.emplace_back([&, c] {
        RawHttp client(port);
        for (int i = 0; i < 50; ++i) {
          // Every id is sent by two clients.
          const std::string id = std::to_string(c / 2) + "-" + std::to_string(i);
          client.Send(PostRequest("/hooks/hub", SignedHeaders(kSecret, "{}", id), "{}"));
          const int status = StatusOf(client.ReadResponse());
          EXPECT_TRUE(status == 200 || status == 202) << status;
        }
      });
    }
  }
  EXPECT_EQ(store_.Deliveries().size(), 8u * 50u);
  EXPECT_GE(stored_, 1);
  EXPECT_LE(stored_, 8 * 50);
}

TEST(JsonDepth, CountsBracketsOutsideStrings) {
  EXPECT_FALSE(NestsDeeperThan("", 1));
  EXPECT_FALSE(NestsDeeperThan("[[]]", 2));
  EXPECT_TRUE(NestsDeeperThan("[[[]]]", 2));
  EXPECT_TRUE(NestsDeeperThan("[{\"a\":[", 2));
  EXPECT_FALSE(NestsDeeperThan("[[],[],[],[]]", 2));
  EXPECT_FALSE(NestsDeeperThan("[\"[[[[\"]", 2));
  EXPECT_FALSE(NestsDeeperThan("[\"\\\"[[[[\"]", 2));
  EXPECT_TRUE(NestsDeeperThan("[\"\\\\\"[[[[", 2)) << "an escaped backslash ends no string";
  EXPECT_FALSE(NestsDeeperThan("\"[[[[", 2)) << "an open string";
  EXPECT_FALSE(NestsDeeperThan("]]]][", 1));
}

}  // namespace
}  // namespace swage
