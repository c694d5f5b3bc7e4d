// What a stranger, or one who holds too little, may send to the webhook port (T1 to T14).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>

#include "config/base/text.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/paths.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view kNoAgent = "exit 1\n";

class WebhookThreats : public DialectTest {
 protected:
  BoxOptions Quiet() const { return Options(AnswerRepo(), std::string(kNoAgent)); }
  static std::string Stored(Box& box, const std::string& key) {
    return box.Query("SELECT count(*) FROM deliveries WHERE key = '" + key + "'");
  }
};

// What needs no dialect of its own.
class WebhookPort : public testing::Test {
 protected:
  static BoxOptions Quiet() {
    BoxOptions options;
    options.files = AnswerRepo();
    options.agent = kNoAgent;
    return options;
  }
  static int PostLines(const Box& box, std::string_view lines, std::string_view body) {
    return StatusOf(Exchange(box.hooks_port(), PostRequest("/hooks/box", lines, body)));
  }
  /// kB of a line of /proc/PID/status.
  static std::int64_t Memory(const Box& box, std::string_view name) {
    std::ifstream in("/proc/" + std::to_string(box.server_pid()) + "/status");
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(name)) return std::stoll(line.substr(line.find(':') + 1));
    }
    return -1;
  }
  static void ExpectAlive(const Box& box) {
    static int id = 0;
    EXPECT_EQ(Post(box, MakeWebhook(box, "alive-" + std::to_string(++id), "{}")), 202);
  }
};

TEST_F(WebhookPort, Threat_T1_OnlyTheRightSignatureOverTheRawBytesIsStored) {
  BoxOptions options = Quiet();
  options.webhook_secret = "It's a Secret to Everybody";
  Box box(std::move(options));
  const std::string body = "Hello, World!";
  const std::string hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const std::string rest = "X-GitHub-Event: issues\r\nX-GitHub-Delivery: t1\r\n";
  const std::string good = "X-Hub-Signature-256: sha256=" + hex + "\r\n";
  for (std::size_t digit = 0; digit < hex.size(); digit += 9) {
    std::string flipped = hex;
    flipped[digit] = flipped[digit] == '0' ? '1' : '0';
    EXPECT_EQ(PostLines(box, rest + "X-Hub-Signature-256: sha256=" + flipped + "\r\n", body), 401);
  }
  EXPECT_EQ(PostLines(box, rest, body), 401) << "absent";
  EXPECT_EQ(PostLines(box, rest + "X-Hub-Signature: sha1=" + std::string(40, 'a') + "\r\n", body),
            401);
  EXPECT_EQ(PostLines(box, rest + good + good, body), 401) << "doubled";
  EXPECT_EQ(PostLines(box, rest + "X-Hub-Signature-256: " + hex + "\r\n", body), 401);
  for (const std::string_view other : {"Hello, World?", "Hello, World!\n", "", "hello, World!"}) {
    EXPECT_EQ(PostLines(box, rest + good, other), 401) << other;
  }
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = 't1'"), "0");
  EXPECT_EQ(PostLines(box, rest + good, body), 202);
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = 't1'"), "1");
}

TEST_P(WebhookThreats, Threat_T1_AServerWithoutASecretDoesNotStart) {
  BoxOptions options = Quiet();
  options.start = false;
  Box box(std::move(options));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "secret", "").ok());
  EXPECT_GT(box.ServeToExit(), 0);
  EXPECT_THAT(box.ServerLog(), HasSubstr("webhook_secret"));
}

TEST_P(WebhookThreats, Threat_T1_AWrongSecretStoresNothing) {
  Box box(Quiet());
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.Settle());
  const Webhook genuine = WithId(SentWebhook(box, "The answer is wrong"), "t1");
  const std::string& secret = box.webhook_secret();
  for (const std::string& wrong :
       {std::string(), secret + "x", secret.substr(1), "H" + secret.substr(1)}) {
    EXPECT_EQ(Post(box, SignedWith(genuine, wrong)), 401);
  }
  EXPECT_EQ(Stored(box, "t1"), "0");
  EXPECT_EQ(Post(box, genuine), 202);
}

// A comparison that stops at the first difference takes longer the later that is.
TEST_P(WebhookThreats, Threat_T2_TheTimeOfARefusalTellsNothing) {
  Box box(Quiet());
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.Settle());
  const Webhook genuine = SentWebhook(box, "The answer is wrong");
  Webhook early = genuine, late = genuine;
  for (auto& [name, value] : early.headers) {
    if (ToLower(name) == "x-hub-signature-256") value[7] = value[7] == '0' ? '1' : '0';
    if (ToLower(name) == "x-gitea-signature") value[0] = value[0] == '0' ? '1' : '0';
    if (ToLower(name) == "x-gitlab-token") value.front() = '#';
  }
  for (auto& [name, value] : late.headers) {
    if (ToLower(name) == "x-hub-signature-256") value.back() = value.back() == '0' ? '1' : '0';
    if (ToLower(name) == "x-gitea-signature") value.back() = value.back() == '0' ? '1' : '0';
    if (ToLower(name) == "x-gitlab-token") value.back() = '#';
  }
  RawHttp connection(box.hooks_port());
  std::vector<std::chrono::nanoseconds> times[2];
  for (int i = 0; i < 2'000; ++i) {
    const auto began = std::chrono::steady_clock::now();
    ASSERT_EQ(Post(connection, i % 2 == 0 ? early : late), 401);
    times[i % 2].push_back(std::chrono::steady_clock::now() - began);
  }
  for (auto& each : times) std::nth_element(each.begin(), each.begin() + 500, each.end());
  const double ratio = static_cast<double>(times[0][500].count()) / times[1][500].count();
  EXPECT_GT(ratio, 0.7);
  EXPECT_LT(ratio, 1.4);
  // The medians cannot show a difference of nanoseconds; the code can.
  const auto source = ReadFile(SourcePath("config/base/crypto.cc"));
  ASSERT_TRUE(source.ok());
  EXPECT_THAT(*source, HasSubstr("CRYPTO_memcmp"));
}

TEST_P(WebhookThreats, Threat_T3_AThousandRepeatsOverARestartAreOneTask) {
  Box box(Quiet());
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.Settle());
  const Webhook genuine = SentWebhook(box, "\"swage\"");
  for (int half = 0; half < 2; ++half) {
    RawHttp connection(box.hooks_port());
    for (int i = 0; i < 500; ++i) ASSERT_EQ(Post(connection, genuine), 200);
    if (half > 0) break;
    box.KillServer();
    box.StartServer();
  }
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
}

TEST_P(WebhookThreats, Threat_T4_AHundredIdsForOneBodyAreOneTask) {
  Box box(Quiet());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed"));
  const Webhook genuine = SentWebhook(box, "\"swage\"");
  RawHttp connection(box.hooks_port());
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(Post(connection, WithId(genuine, "t4-" + std::to_string(i))), 202);
  }
  ASSERT_TRUE(box.Settle());
  // A failed task may be started again by a label, but not by this one: it has been obeyed.
  EXPECT_EQ(box.Query("SELECT count(*), max(generation), max(run) FROM tasks"), "1|1|1");
  EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1));
}

TEST_P(WebhookThreats, Threat_T6_TheNarrowestSecretIsTheOnlyOne) {
  BoxOptions options = Quiet();
  options.start = false;
  options.forge_config = "    repo_webhook_secrets: {acme/lib: \"file:lib-secret\"}\n";
  Box box(std::move(options));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "lib-secret", "only-for-acme-lib").ok());
  box.StartServer();
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  const Webhook genuine = WithId(SentWebhook(box, "The answer is wrong"), "t6");
  EXPECT_EQ(Post(box, SignedWith(genuine, box.webhook_secret())), 401) << "no fallback";
  // Another repository's payload under this one's secret.
  Webhook other = genuine;
  other.body = ReplaceAll(other.body, "acme/lib", "acme/oak");
  EXPECT_EQ(Post(box, SignedWith(other, "only-for-acme-lib")), 401);
  // The name hidden in another spelling.
  Webhook spelled = genuine;
  spelled.body = ReplaceAll(spelled.body, "acme/lib", "ACME/Lib");
  EXPECT_EQ(Post(box, SignedWith(spelled, box.webhook_secret())), 401);
  spelled.body = ReplaceAll(genuine.body, "acme/lib", "acme\\/l\\u0069b");
  EXPECT_EQ(Post(box, SignedWith(spelled, box.webhook_secret())), 401);
  EXPECT_EQ(Stored(box, "t6"), "0");
  EXPECT_EQ(Post(box, SignedWith(genuine, "only-for-acme-lib")), 202);
}

TEST_P(WebhookThreats, Threat_T7_AnUnlistedRepositoryIsNeverTouched) {
  Box box(Quiet());
  ASSERT_TRUE(box.forge().CreateRepoFromFiles("evil/lib", AnswerRepo()).ok());
  for (const char* login : {"ada", "swage-bot"}) {
    box.forge().SetMember("evil/lib", login, Role::kMaintain);
  }
  box.forge().AddWebhook("evil/lib", box.HooksUrl(), box.webhook_secret());
  ASSERT_TRUE(box.Settle());
  box.forge().ClearRequests();
  const std::int64_t issue = box.forge().CreateIssue("evil/lib", "ada", "Work here", "Please.");
  box.forge().AddLabel("evil/lib", "ada", issue, "swage");
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "0");
  EXPECT_THAT(box.Query("SELECT outcome FROM deliveries ORDER BY id DESC LIMIT 1"),
              HasSubstr("evil/lib is not on the allow-list"));
  for (const auto& request : box.forge().Requests()) {
    EXPECT_THAT(request.target, testing::Not(HasSubstr("evil"))) << request.method;
  }
  EXPECT_THAT(box.forge().Deliveries().back().status,
              testing::AllOf(testing::Ge(200), testing::Lt(300)));
}

TEST_F(WebhookPort, Threat_T10_LargeEncodedAndEndlessBodiesAreCutInLittleMemory) {
  Box box(Quiet());
  ExpectAlive(box);
  [[maybe_unused]] const std::int64_t before = Memory(box, "VmRSS");
  EXPECT_EQ(Post(box, MakeWebhook(box, "big", std::string(26 << 20, ' '))), 413);
  Webhook encoded = MakeWebhook(box, "gzip", "{}");
  encoded.headers["Content-Encoding"] = "gzip";
  EXPECT_EQ(Post(box, encoded), 415);

  RawHttp endless(box.hooks_port());
  endless.Send("POST /hooks/box HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  int sent = 0;
  while (sent < 200 && endless.Send(chunk)) ++sent;
  EXPECT_LT(sent, 200) << "an endless body is read for ever";
  ExpectAlive(box);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps for a while what was freed
  EXPECT_LT(Memory(box, "VmHWM") - before, 50 << 10);
#endif
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key IN ('big', 'gzip')"), "0");
}

TEST_F(WebhookPort, Threat_T11_DeepJsonIsRefusedAlthoughSigned) {
  Box box(Quiet());
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(Post(box, MakeWebhook(box, "t11", std::string(100'000, '['))), 400);
  EXPECT_EQ(Post(box, MakeWebhook(box, "t11", objects)), 400);
  EXPECT_EQ(Post(box, MakeWebhook(box, "t11", "{\"x\": \"\\\\\"," + objects)), 400);
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = 't11'"), "0");
  ExpectAlive(box);
}

TEST_F(WebhookPort, Threat_T12_SlowClientsDoNotDelayASignedHook) {
  Box box(Quiet());
  const std::string whole = PostRequest("/hooks/box", "X: y\r\n", std::string(1'000, 'x'));
  std::vector<std::unique_ptr<RawHttp>> slow;
  for (std::size_t i = 0; i < 128; ++i) {
    slow.push_back(std::make_unique<RawHttp>(box.hooks_port()));
    slow.back()->Send(whole.substr(0, 1 + i * 2));  // some stop in the head, some in the body
  }
  for (std::size_t byte = 0; byte < 10; ++byte) {
    for (std::size_t i = 0; i < slow.size(); ++i) slow[i]->Send(whole.substr(1 + i * 2 + byte, 1));
    const auto began = std::chrono::steady_clock::now();
    ExpectAlive(box);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
  }
}

TEST_F(WebhookPort, Threat_T13_AbusiveHeadsAreRefusedAndTheServerLives) {
  Box box(Quiet());
  EXPECT_EQ(PostLines(box, "X: " + std::string(1 << 20, 'a') + "\r\n", "{}"), 431);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(PostLines(box, many, "{}"), 431);
  EXPECT_EQ(PostLines(box, "X-Forwarded-For: ,\r\n", "{}"), 401);
  const auto status = [&](std::string_view request) {
    return StatusOf(Exchange(box.hooks_port(), request));
  };
  EXPECT_EQ(status(PostRequest("/hooks/box%0D%0AX-Injected:%201", "", "{}")), 400);
  EXPECT_EQ(status("GET /" + std::string(1 << 20, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), 431);
  for (const std::string& line :
       {std::string("X: a\x00z\r\n", 8), std::string("X : a\r\n"), std::string("X: a\r\n b\r\n"),
        std::string("\x01: a\r\n"), std::string("no colon\r\n"), std::string("X: a\nY: b\r\n")}) {
    EXPECT_EQ(PostLines(box, line, "{}"), 400) << line;
  }
  ExpectAlive(box);
}

TEST_F(WebhookPort, Threat_T14_SmugglingIsRefusedAndTheConnectionClosed) {
  Box box(Quiet());
  const std::string inner = RequestFor(MakeWebhook(box, "smuggled", "{}"));
  for (const std::string_view header :
       {"Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: \tchunked\r\n"}) {
    RawHttp client(box.hooks_port());
    client.Send(PostRequest("/hooks/box", header, "0\r\n\r\n") + inner);
    bool closed = false;
    const std::string answer = client.ReadToEnd(closed);
    EXPECT_EQ(StatusOf(answer), 400) << header;
    EXPECT_EQ(answer.rfind("HTTP/1.1"), 0u) << "more than one answer: " << answer;
    EXPECT_TRUE(closed);
  }
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = 'smuggled'"), "0");
  ExpectAlive(box);
}

SWAGE_EVERY_DIALECT(WebhookThreats);

}  // namespace
}  // namespace swage::test
