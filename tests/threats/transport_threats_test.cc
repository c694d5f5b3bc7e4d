// Where the token may go, and who may come to the bot's own pages (T49 to T58).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/leaks.h"
#include "tests/harness/self_signed.h"
#include "tests/harness/trap_server.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kAgent = "echo 42 > answer.txt\n";

class TransportThreats : public DialectTest {
 protected:
  BoxOptions Stopped() const {
    BoxOptions options = Options(AnswerRepo(), kAgent);
    options.start = false;
    return options;
  }
  static void Answer(Box& box, int status, const std::string& path) {
    sandbox::FaultRule rule;
    rule.action = sandbox::FaultAction::kStatus;
    rule.status = status;
    rule.path = path;
    rule.times = -1;
    ASSERT_TRUE(box.forge().faults().Add(rule).ok());
  }
  /// For the length of a test: the token is looked for in every command line, and afterwards
  /// everywhere else.
  static void ExpectNowhere(Box& box, ArgvWatch& watch, const std::string& secret) {
    EXPECT_THAT(watch.Stop(), IsEmpty());
    EXPECT_GT(watch.rounds(), 0);
    EXPECT_THAT(LeaksOf(box, FormsOf(secret)), IsEmpty());
  }
  static std::string Page(Box& box, const std::string& path, const std::string& host) {
    return Exchange(box.dashboard_port(),
                    "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }
};

TEST_P(TransportThreats, Threat_T49_TheTokenIsNowhereAfterAWholeJob) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  ArgvWatch watch(FormsOf(box.bot_token()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  ExpectNowhere(box, watch, box.bot_token());
  EXPECT_THAT(LeaksOf(box, {box.webhook_secret()}), IsEmpty());
}

// The log is written in pieces; the first half of a token must wait for the second.
TEST_P(TransportThreats, Threat_T49_NorWhenItIsSaidInTwoHalves) {
  Box box(Options(AnswerRepo(), ""));
  box.SetAgent(
      "echo 42 > answer.txt\nB=$(dirname \"$0\")\nread -r T < \"$B/token\"\n"
      "head -c 65530 /dev/zero | tr '\\0' x\nprintf '%s' \"${T:0:20}\"\n"
      "until [ \"$(cat \"$B\"/../data/logs/1/*agent.log | wc -c)\" -gt 60000 ]; do sleep 0.02; "
      "done\n"
      "echo \"${T:20}\"\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::string half = box.bot_token().substr(0, 20);
  EXPECT_THAT(LeaksOf(box, {half, box.bot_token().substr(20)}), IsEmpty());
}

TEST_P(TransportThreats, Threat_T49_NorAfterATokenThatIsRefused) {
  BoxOptions options = Options(AnswerRepo(), kAgent);
  options.token = "canary-" + RandomHex(16);
  const std::string token = options.token;
  ArgvWatch watch(FormsOf(token));
  Box box(std::move(options));
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForLog("delivery deferred"));
  ExpectNowhere(box, watch, token);
}

TEST_P(TransportThreats, Threat_T49_NorAfterACloneOrAPushThatFails) {
  for (const char* service : {"git-upload-pack", "git-receive-pack"}) {
    for (const int status : {401, 403, 404}) {
      Box box(Options(AnswerRepo(), kAgent));
      ArgvWatch watch(FormsOf(box.bot_token()));
      Answer(box, status, service);
      const std::int64_t issue = box.LabelledIssue("The answer is wrong");
      EXPECT_TRUE(box.WaitFor([&] {
        return box.Sticky(issue).find("failed") != std::string::npos ||
               box.ServerLog().find("effect failed") != std::string::npos ||
               box.ServerLog().find("forge paused") != std::string::npos;
      })) << service
          << status;
      ExpectNowhere(box, watch, box.bot_token());
      EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
    }
  }
}

TEST_P(TransportThreats, Threat_T49_NorWhenTheForgeIsDown) {
  Box box(Options(AnswerRepo(), kAgent));
  ArgvWatch watch(FormsOf(box.bot_token()));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Wrong", "Please.");
  ASSERT_TRUE(box.Settle());
  box.Freeze();
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  Answer(box, 503, "");
  box.Thaw();
  ASSERT_TRUE(box.WaitForLog("delivery deferred"));
  ExpectNowhere(box, watch, box.bot_token());
}

TEST_P(TransportThreats, Threat_T50_ARedirectOfTheApiIsNotFollowed) {
  TrapServer trap;
  TrapServer redirector([&](const httplib::Request& request, httplib::Response& response) {
    response.set_redirect(trap.Url() + request.target, 302);
  });
  Box box(Stopped());
  box.EditConfig(box.forge().Url(), redirector.Url());  // the first is api_url
  box.StartServer();
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitFor([&] { return redirector.Requests() > 0; }));
  ASSERT_TRUE(box.WaitFor([&] {
    return box.Query(
               "SELECT count(*) FROM deliveries WHERE event LIKE '%ssue%' AND (error <> '' "
               "OR outcome LIKE 'cannot be decided%')") != "0";
  }));
  EXPECT_THAT(trap.Seen(), IsEmpty());
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "0");
}

TEST_P(TransportThreats, Threat_T50_ARedirectOfGitIsNotFollowed) {
  TrapServer trap;
  TrapServer redirector([&](const httplib::Request& request, httplib::Response& response) {
    response.set_redirect(trap.Url() + request.target, 302);
  });
  BoxOptions options = Options(AnswerRepo(), kAgent);
  options.git_url = redirector.Url();
  Box box(std::move(options));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed"));
  EXPECT_GT(redirector.Requests(), 0);
  EXPECT_THAT(trap.Seen(), IsEmpty());
}

TEST_P(TransportThreats, Threat_T51_NoUrlOfAPayloadIsEverAsked) {
  TrapServer trap;
  Box box(Options(AnswerRepo(), kAgent));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Wrong", "Please.");
  ASSERT_TRUE(box.Settle());
  // The genuine payload is lost on its way; the one that arrives names the trap in every URL.
  sandbox::FaultRule drop;
  drop.action = sandbox::FaultAction::kWebhookDrop;
  ASSERT_TRUE(box.forge().faults().Add(drop).ok());
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  Webhook evil = SentWebhook(box, "Wrong");
  evil.body = SentWebhook(box, "\"swage\"").body;
  ASSERT_THAT(evil.body, HasSubstr(box.forge().Url()));
  evil.body = ReplaceAll(evil.body, box.forge().Url(), trap.Url());
  EXPECT_EQ(Post(box, SignedWith(WithId(evil, "t51"), box.webhook_secret())), 202);
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(trap.Seen(), IsEmpty());
}

TEST_P(TransportThreats, Threat_T52_ASelfSignedServerGetsNothing) {
  const SelfSigned identity;
  TrapServer trap(
      {}, std::make_unique<httplib::SSLServer>(identity.certificate.get(), identity.key.get()));
  Box box(Stopped());
  box.EditConfig(box.forge().Url(), trap.Url("https"));
  box.StartServer();
  box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForLog("delivery deferred"));
  EXPECT_THAT(box.ServerLog(), HasSubstr("certificate"));
  EXPECT_THAT(trap.Seen(), IsEmpty());

  BoxOptions options = Options(AnswerRepo(), kAgent);
  options.git_url = trap.Url("https");
  Box git(std::move(options));
  git.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(git.WaitFor(
      [&] { return git.Query("SELECT count(*) FROM tasks WHERE attempt > 0") == "1"; }));
  EXPECT_TRUE(git.WaitForLog("certificate"));
  EXPECT_THAT(trap.Seen(), IsEmpty());
}

TEST_P(TransportThreats, Threat_T52_PlainHttpToOtherMachinesIsRefusedAtTheStart) {
  BoxOptions options = Stopped();
  options.api_url = "http://192.0.2.1/api";
  Box box(std::move(options));
  EXPECT_EQ(box.ServeToExit(), 2);
  EXPECT_THAT(box.ServerLog(), HasSubstr("api_url"));
}

TEST_P(TransportThreats, Threat_T53_PagesAnswerToTheirOwnNamesOnly) {
  Box box(Options(AnswerRepo(), kAgent));
  for (const char* path : {"/", "/events", "/tasks/1", "/assets/style.css"}) {
    EXPECT_EQ(StatusOf(Page(box, path, "evil.example")), 421) << path;
    EXPECT_EQ(StatusOf(Page(box, path, "127.0.0.1.evil.example")), 421) << path;
  }
  EXPECT_EQ(StatusOf(Page(box, "/", "localhost")), 200);
}

TEST_P(TransportThreats, Threat_T55_TitlesAreTextOnThePages) {
  Box box(Options(AnswerRepo(), "echo 42 > answer.txt; echo '<script>alert(2)</script>'\n"));
  const std::int64_t issue =
      box.LabelledIssue("<img src=x onerror=alert(1)>", "</textarea><script>alert(3)</script>");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  for (const char* path : {"/", "/tasks/1"}) {
    const std::string page = Page(box, path, "localhost");
    EXPECT_EQ(StatusOf(page), 200);
    EXPECT_THAT(page, HasSubstr("&lt;img src=x onerror"));
    EXPECT_THAT(page, AllOf(Not(HasSubstr("<img src=x")), Not(HasSubstr("<script>alert"))));
    EXPECT_THAT(page, HasSubstr("Content-Security-Policy: default-src 'self'"));
  }
}

TEST_P(TransportThreats, Threat_T56_OpenPagesAreRefusedAtTheStart) {
  for (const char* host : {"0.0.0.0", "[::]", "192.0.2.1"}) {
    BoxOptions options = Stopped();
    options.dashboard_host = host;
    Box box(std::move(options));
    EXPECT_GT(box.ServeToExit(), 0) << host;
    EXPECT_THAT(box.ServerLog(), HasSubstr("dashboard")) << host;
  }
}

TEST_P(TransportThreats, Threat_T58_ReportsBeyondAllBoundsBecomeAFinding) {
  auto files = AnswerRepo();
  files[".swage.yml"] =
      "gates:\n"
      "  - name: huge\n    run: [sh, huge.sh]\n    required: false\n"
      "    report: {format: junit, path: huge.xml}\n"
      "  - name: deep\n    run: [sh, deep.sh]\n    required: false\n"
      "    report: {format: junit, path: deep.xml}\n"
      "  - name: json\n    run: [sh, json.sh]\n    required: false\n"
      "    report: {format: sarif, path: deep.json}\n";
  files["huge.sh"] = "truncate -s 1G huge.xml\n";
  files["deep.sh"] = "{ echo '<testsuites>'; yes '<a>' | head -n 200000; } > deep.xml\n";
  files["json.sh"] = "head -c 200000 /dev/zero | tr '\\0' '[' > deep.json\n";
  Box box(Options(files, kAgent));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const auto reviews = box.ReviewBodies(box.Pulls().front());
  ASSERT_THAT(reviews, SizeIs(1));
  for (const char* name : {"huge.xml", "deep.xml", "deep.json"}) {
    EXPECT_THAT(reviews[0], HasSubstr("the report in " + std::string(name)));
  }
  const std::int64_t again = box.LabelledIssue("Still alive");
  EXPECT_TRUE(box.WaitForSticky(again, "in review"));
}

SWAGE_EVERY_DIALECT(TransportThreats);

}  // namespace
}  // namespace swage::test
