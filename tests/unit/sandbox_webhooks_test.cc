// Webhooks as they leave, and the faults that the forge commits on request.
#include <httplib.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

/// Somebody who takes webhooks and keeps them in order of arrival.
class Receiver {
 public:
  struct Got {
    std::map<std::string, std::string> headers;
    std::string body;
    json Json() const { return *ParseJson(body); }
  };

  Receiver() {
    server_.Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
      Got got;
      for (const auto& [name, value] : request.headers) got.headers[ToLower(name)] = value;
      got.body = request.body;
      const std::lock_guard lock(mutex_);
      got_.push_back(std::move(got));
      response.status = status_;
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Receiver() {
    server_.stop();
    thread_.join();
  }

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  void AnswerWith(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  std::vector<Got> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(got_, {});
  }

 private:
  httplib::Server server_;
  std::mutex mutex_;
  std::vector<Got> got_;
  int status_ = 202;
  int port_ = 0;
  std::thread thread_;
};

class SandboxWebhooks : public SandboxTest {
 protected:
  void SetUp() override {
    hook_ = forge_->AddWebhook(repo_, receiver_.Url(), "hush");
    const auto ping = Got();
    ASSERT_EQ(ping.size(), 1U);
    EXPECT_EQ(ping[0].headers.at("x-github-event"), "ping");
  }
  std::vector<Receiver::Got> Got() {
    EXPECT_TRUE(forge_->WaitForWebhooks());
    return receiver_.Take();
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const Receiver::Got& got : Got()) {
      const std::string action = JsonString(got.Json(), "action");
      names.push_back(got.headers.at("x-github-event") + (action.empty() ? "" : "." + action));
    }
    return names;
  }
  using Strings = std::vector<std::string>;

  Receiver receiver_;
  Id hook_ = 0;
};

TEST_F(SandboxWebhooks, AreSignedOverTheirBytes) {
  forge_->CreateIssue(repo_, "acme", "Bug", "Body");
  const auto got = Got();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].headers.at("x-hub-signature-256"),
            "sha256=" + HexEncode(HmacSha256("hush", got[0].body)));
  EXPECT_EQ(got[0].headers.at("content-type"), "application/json");
  EXPECT_TRUE(got[0].headers.at("user-agent").starts_with("GitHub-Hookshot/"));
  EXPECT_EQ(got[0].headers.at("x-github-delivery").size(), 36U);
  const json payload = got[0].Json();
  EXPECT_EQ(payload["action"], "opened");
  EXPECT_EQ(payload["issue"]["title"], "Bug");
  EXPECT_EQ(payload["repository"]["full_name"], "acme/widget");
  EXPECT_EQ(payload["sender"]["login"], "acme");
}

TEST_F(SandboxWebhooks, TellEachLabelOnItsOwn) {
  forge_->CreateIssue(repo_, "acme", "Bug", "", {"a", "b"});
  EXPECT_EQ(Names(), (Strings{"issues.opened", "issues.labeled", "issues.labeled"}));
  forge_->RemoveLabel(repo_, "acme", 1, "a");
  const auto got = Got();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].Json()["action"], "unlabeled");
  EXPECT_EQ(got[0].Json()["label"]["name"], "a");
  forge_->AddLabel(repo_, "acme", 1, "b");  // has it already
  EXPECT_EQ(Names(), Strings{});
}

TEST_F(SandboxWebhooks, FollowAPullRequest) {
  Commit("fix", {{"a.txt", "1\n"}});
  EXPECT_EQ(Names(), Strings{"push"});
  const std::int64_t number = OpenPull("fix");
  EXPECT_EQ(Names(), Strings{"pull_request.opened"});
  Commit("fix", {{"a.txt", "2\n"}});
  EXPECT_EQ(Names(), (Strings{"push", "pull_request.synchronize"}));
  forge_->CommentOnPull(repo_, "acme", number, "/swage fix it");
  const auto comment = Got();
  ASSERT_EQ(comment.size(), 1U);
  EXPECT_EQ(comment[0].headers.at("x-github-event"), "issue_comment");
  EXPECT_TRUE(comment[0].Json()["issue"].contains("pull_request"));
  ASSERT_TRUE(forge_->MergePull(repo_, "acme", number).ok());
  const auto merged = Got();
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].Json()["pull_request"]["merged"], true);
  EXPECT_EQ(merged[1].Json()["ref"], "refs/heads/main");
}

TEST_F(SandboxWebhooks, SubscriptionsAreHonoured) {
  Receiver other;
  const HttpAnswer made =
      Call("POST", "/repos/acme/widget/hooks", admin_,
           {{"config", {{"url", other.Url()}, {"secret", "s"}}}, {"events", {"issue_comment"}}});
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.body["config"]["secret"], "********");
  EXPECT_EQ(Call("GET", "/repos/acme/widget/hooks", bot_).status, 403);
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  forge_->Comment(repo_, "acme", 1, "hello");
  Got();
  const auto got = other.Take();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].headers.at("x-github-event"), "ping");
  EXPECT_EQ(got[1].headers.at("x-github-event"), "issue_comment");
}

TEST_F(SandboxWebhooks, RedeliveryKeepsItsId) {
  receiver_.AnswerWith(503);
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const auto first = Got();
  ASSERT_EQ(first.size(), 1U);
  const std::string list = "/repos/acme/widget/hooks/" + std::to_string(hook_) + "/deliveries";
  const HttpAnswer deliveries = Call("GET", list, admin_);
  ASSERT_EQ(deliveries.body.size(), 2U);  // newest first, the ping behind it
  EXPECT_EQ(deliveries.body[0]["status_code"], 503);
  receiver_.AnswerWith(202);
  const std::string id = std::to_string(deliveries.body[0]["id"].get<Id>());
  EXPECT_EQ(Call("POST", list + "/" + id + "/attempts", admin_).status, 202);
  const auto again = Got();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].headers.at("x-github-delivery"), first[0].headers.at("x-github-delivery"));
  EXPECT_EQ(again[0].body, first[0].body);
  EXPECT_EQ(Call("GET", list + "?per_page=1", admin_).body[0]["redelivery"], true);
  EXPECT_NE(Call("GET", list + "?per_page=1", admin_).headers.at("link").find("cursor="),
            std::string::npos);
}

TEST_F(SandboxWebhooks, AreDroppedDuplicatedAndReorderedOnRequest) {
  ASSERT_TRUE(forge_->faults()
                  .AddJson(R"([{"action": "webhook_drop", "event": "issues"},
                               {"action": "webhook_duplicate", "event": "issue_comment", "copies": 2},
                               {"action": "webhook_reorder", "event": "issues"}])")
                  .ok());
  forge_->CreateIssue(repo_, "acme", "Dropped", "");
  EXPECT_EQ(Names(), Strings{});
  forge_->Comment(repo_, "acme", 1, "thrice");
  const auto copies = Got();
  ASSERT_EQ(copies.size(), 3U);
  EXPECT_EQ(copies[0].headers.at("x-github-delivery"), copies[2].headers.at("x-github-delivery"));
  forge_->AddLabel(repo_, "acme", 1, "a");
  forge_->RemoveLabel(repo_, "acme", 1, "a");
  EXPECT_EQ(Names(), (Strings{"issues.unlabeled", "issues.labeled"}));
}

// --- faults of the API ---

class SandboxFaults : public SandboxTest {
 protected:
  void Tell(const std::string& rules) {
    const HttpAnswer told = Call("POST", "/_sandbox/faults", "", *ParseJson(rules));
    ASSERT_EQ(told.status, 204) << told.text;
  }
  HttpAnswer NewIssue() {
    return Call("POST", "/repos/acme/widget/issues", bot_, {{"title", "Bug"}});
  }
};

TEST_F(SandboxFaults, ResetBeforeTheWriteLeavesNothing) {
  Tell(R"([{"action": "reset_before", "method": "POST", "path": "/issues$"}])");
  EXPECT_EQ(NewIssue().status, 0);
  EXPECT_TRUE(forge_->Issues(repo_).empty());
  EXPECT_EQ(NewIssue().status, 201);
}

TEST_F(SandboxFaults, ResetAfterTheWriteLosesTheReplyOnly) {
  Tell(R"([{"action": "reset_after", "method": "POST", "path": "/issues$"}])");
  EXPECT_EQ(NewIssue().status, 0);
  EXPECT_EQ(forge_->Issues(repo_).size(), 1U);
}

TEST_F(SandboxFaults, ErrorsAndLimitsAreAnsweredSoManyTimes) {
  Tell(R"([{"action": "status", "status": 503, "times": 2},
           {"action": "rate_limit", "retry_after": 7},
           {"action": "secondary_limit", "retry_after": 9},
           {"action": "primary_limit", "retry_after": 60}])");
  EXPECT_EQ(NewIssue().status, 503);
  EXPECT_EQ(NewIssue().status, 503);
  const HttpAnswer limited = NewIssue();
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.headers.at("retry-after"), "7");
  const HttpAnswer secondary = NewIssue();
  EXPECT_EQ(secondary.status, 403);
  EXPECT_EQ(secondary.headers.at("retry-after"), "9");
  EXPECT_NE(secondary.text.find("secondary rate limit"), std::string::npos);
  const HttpAnswer primary = NewIssue();
  EXPECT_EQ(primary.status, 403);
  EXPECT_EQ(primary.headers.at("x-ratelimit-remaining"), "0");
  EXPECT_FALSE(primary.headers.contains("retry-after"));
  EXPECT_EQ(NewIssue().status, 201);
  EXPECT_EQ(Call("GET", "/_sandbox/faults", "").body.size(), 0U);
}

TEST_F(SandboxFaults, OnlyTheMatchingRequestsSuffer) {
  Tell(R"([{"action": "status", "method": "DELETE", "times": -1},
           {"action": "status", "path": "^/repos/other/", "times": -1}])");
  EXPECT_EQ(NewIssue().status, 201);
  EXPECT_EQ(Call("DELETE", "/_sandbox/faults", "").status, 204);  // control is never hit
  EXPECT_EQ(Call("GET", "/_sandbox/faults", "").body.size(), 0U);
}

TEST(SandboxFaultRules, AChanceStrikesThatShareAndPassesTheRestOn) {
  constexpr int kThrows = 4'000;
  Faults faults;
  faults.Seed(7);
  ASSERT_TRUE(faults
                  .AddJson(R"([{"action": "status", "times": -1, "chance": 0.1},
                               {"action": "reset_after", "times": -1, "chance": 0.5}])")
                  .ok());
  std::map<FaultAction, int> seen;
  int spared = 0;
  for (int i = 0; i < kThrows; ++i) {
    const auto fault = faults.TakeForRequest("GET", "/x");
    if (fault) {
      ++seen[fault->action];
    } else {
      ++spared;
    }
  }
  EXPECT_NEAR(seen[FaultAction::kStatus], kThrows / 10, kThrows / 50);
  EXPECT_NEAR(seen[FaultAction::kResetAfter], spared, kThrows / 20);
  EXPECT_EQ(faults.Taken(),
            (std::map<std::string, std::int64_t>{{"reset_after", seen[FaultAction::kResetAfter]},
                                                 {"status", seen[FaultAction::kStatus]}}));
}

TEST(SandboxFaultRules, TheSameSeedThrowsTheSame) {
  const auto throws = [](std::uint64_t seed) {
    Faults faults;
    faults.Seed(seed);
    FaultRule rule;
    rule.times = -1;
    rule.chance = 0.5;
    EXPECT_TRUE(faults.Add(rule).ok());
    std::string seen;
    for (int i = 0; i < 64; ++i) seen += faults.TakeForRequest("GET", "/x") ? 'x' : '.';
    return seen;
  };
  EXPECT_EQ(throws(1), throws(1));
  EXPECT_NE(throws(1), throws(2));
}

TEST_F(SandboxFaults, BadRulesAreRefused) {
  for (const char* rules :
       {R"([{"action": "explode"}])", R"([{"action": "delay", "path": "("}])",
        R"({"action": "delay"})", R"([{"action": "status", "status": 9}])",
        R"([{"action": "delay", "chance": 0}])", R"([{"action": "delay", "chance": 1.5}])",
        R"([{"action": "delay", "chance": "often"}])"}) {
    EXPECT_EQ(Call("POST", "/_sandbox/faults", "", *ParseJson(rules)).status, 422) << rules;
  }
}

TEST_F(SandboxFaults, StoppingDoesNotWaitForADelay) {
  Tell(R"([{"action": "delay", "ms": 60000}])");
  std::thread caller([this] { NewIssue(); });
  forge_->WaitUntil([](World& world) { return world.log().empty(); });
  const auto start = std::chrono::steady_clock::now();
  forge_->Stop();
  caller.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_F(SandboxFaults, LostPushReplyStillMovesTheBranch) {
  const std::string work = (dir_.path() / "work").string();
  ASSERT_EQ(Git({"clone", "-q", CloneUrl(bot_), work}), 0);
  Tell(R"([{"action": "reset_after", "method": "POST", "path": "git-receive-pack"}])");
  EXPECT_NE(Git({"-C", work, "push", "-q", "origin", "main:fix"}), 0);
  EXPECT_TRUE(forge_->Branches(repo_).contains("fix"));
}

}  // namespace
}  // namespace swage::sandbox
