// The hand page: what it shows, what its forms do, and what it refuses.
#include <fmt/format.h>

#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

class SandboxPage : public SandboxTest {
 protected:
  explicit SandboxPage(Dialect dialect = Dialect::kGitHub) : SandboxTest(dialect) {}

  HttpAnswer Get(const std::string& path) { return Call("GET", path, ""); }
  /// Submits a form of an issue or pull request as `login`.
  HttpAnswer Act(const std::string& login, const std::string& what, json fields,
                 std::map<std::string, std::string> headers = {}) {
    headers.emplace("Cookie", "sandbox_as=" + login);
    fields["repo"] = repo_;
    fields["do"] = what;
    return Call("POST", "/_page/act", "", fields, headers);
  }
  static bool Has(const HttpAnswer& answer, std::string_view text) {
    return answer.text.find(text) != std::string::npos;
  }
};

class SandboxPageGitLab : public SandboxPage {
 protected:
  SandboxPageGitLab() : SandboxPage(Dialect::kGitLab) {}
};

TEST_F(SandboxPage, ListsRepositoriesIssuesAndPulls) {
  forge_->CreateIssue(repo_, "acme", "A bug", "", {"swage"});
  Commit("fix", {{"README.md", "# new\n"}});
  OpenPull("fix");
  EXPECT_TRUE(Has(Get("/"), "acme/widget"));
  EXPECT_TRUE(Has(Get("/acme/widget"), "A bug"));
  EXPECT_TRUE(Has(Get("/acme/widget/issues"), "swage"));
  EXPECT_TRUE(Has(Get("/acme/widget/pulls"), "Change fix"));
  EXPECT_EQ(Get("/acme/widget/issues/2").headers.at("location"), "/acme/widget/pull/2");
}

TEST_F(SandboxPage, UnknownPlacesAreNotFound) {
  for (const char* path : {"/acme/none", "/acme/widget/issues/7", "/acme/widget/pull/1",
                           "/acme/widget/wiki", "/acme/widget/issues/x", "/_page/none.css",
                           "/_page/..%2Fpage.cc", "/_page/head.mustache"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(SandboxPage, TextOfStrangersStaysText) {
  const std::string evil = "<img src=x onerror=alert(1)>\"'{{title}}";
  forge_->CreateIssue(repo_, "acme", evil, evil + "\n\n[x](javascript:alert(1))", {evil});
  Commit("fix", {{"src/<b>.txt", evil + "\n"}});
  const std::int64_t pull = OpenPull("fix");
  forge_->CommentOnPull(repo_, "acme", pull, evil);
  for (const std::string& path : {std::string("/acme/widget"), std::string("/acme/widget/issues/1"),
                                  "/acme/widget/pull/" + std::to_string(pull)}) {
    const HttpAnswer page = Get(path);
    EXPECT_EQ(page.status, 200);
    EXPECT_FALSE(Has(page, "<img src=x")) << path;
    EXPECT_FALSE(Has(page, "javascript:")) << path;
    EXPECT_FALSE(Has(page, "<b>.txt")) << path;
  }
}

TEST_F(SandboxPage, PolicyForbidsEverythingButItsOwnStyleAndForms) {
  const std::string policy = Get("/").headers.at("content-security-policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(policy.find("script-src"), std::string::npos);
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(Get("/_page/style.css").headers.at("content-type"), "text/css; charset=utf-8");
}

TEST_F(SandboxPage, CommentIsWrittenAsTheChosenUser) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const HttpAnswer done =
      Act("rita", "comment", {{"kind", "issue"}, {"number", "1"}, {"body", "**hello**"}});
  EXPECT_EQ(done.status, 303);
  EXPECT_EQ(done.headers.at("location"), "/acme/widget/issues/1");
  const Note note = forge_->GetIssue(repo_, 1)->notes.at(0);
  EXPECT_EQ(forge_->LoginOf(note.author), "rita");
  EXPECT_TRUE(Has(Get("/acme/widget/issues/1"), "<strong>hello</strong>"));
}

TEST_F(SandboxPage, ButtonsKeepToTheRightsOfTheUser) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  Commit("fix", {{"README.md", "# new\n"}});
  OpenPull("fix");
  const json issue = {{"kind", "issue"}, {"number", "1"}, {"value", "swage"}};
  const json pull = {{"kind", "pull"}, {"number", "2"}};
  EXPECT_EQ(Act("rita", "label", issue).status, 403);
  EXPECT_EQ(Act("rita", "close", issue).status, 403);
  EXPECT_EQ(Act("rita", "merge", pull).status, 403);
  EXPECT_EQ(Act("swage-bot", "approve", pull).status, 403) << "its own work";
  EXPECT_EQ(Act("acme", "merge", issue).status, 400) << "an issue";
  EXPECT_EQ(Act("acme", "nonsense", pull).status, 400);
  EXPECT_EQ(Act("acme", "comment", {{"kind", "issue"}, {"number", "99"}, {"body", "x"}}).status,
            404);
  EXPECT_TRUE(forge_->GetIssue(repo_, 1)->labels.empty());
  EXPECT_EQ(Act("acme", "label", issue).status, 303);
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->labels, std::vector<std::string>{"swage"});
  EXPECT_EQ(Act("acme", "unlabel", issue).status, 303);
  EXPECT_EQ(Act("acme", "close", issue).status, 303);
  EXPECT_EQ(Act("acme", "merge", pull).status, 303);
  EXPECT_TRUE(forge_->GetPull(repo_, 2)->merged);
  EXPECT_EQ(Act("acme", "merge", pull).status, 409);
}

TEST_F(SandboxPage, FormsOfOtherSitesAreRefused) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  const json form = {{"kind", "issue"}, {"number", "1"}, {"body", "x"}};
  for (const char* origin : {"http://evil.example", "null", "https://127.0.0.1"}) {
    EXPECT_EQ(Act("acme", "comment", form, {{"Origin", origin}}).status, 403) << origin;
  }
  EXPECT_EQ(
      Act("acme", "comment", form, {{"Host", "evil.example"}, {"Origin", "http://evil.example"}})
          .status,
      421);
  EXPECT_EQ(Call("GET", "/", "", nullptr, {{"Host", "evil.example"}}).status, 421);
  EXPECT_TRUE(forge_->GetIssue(repo_, 1)->notes.empty());
  EXPECT_EQ(Act("acme", "comment", form, {{"Origin", forge_->Url()}}).status, 303);
}

TEST_F(SandboxPage, SwitchingTheUserLeadsBackWithinThisSiteOnly) {
  const auto back = [&](const char* to) {
    return Call("POST", "/_page/as", "", {{"login", "rita"}, {"return", to}}).headers["location"];
  };
  EXPECT_EQ(back("/acme/widget"), "/acme/widget");
  for (const char* evil :
       {"//evil.example", "http://evil.example", "/\\evil.example", "", "/a\r\nX: y"}) {
    EXPECT_EQ(back(evil), "/") << evil;
  }
  const HttpAnswer done = Call("POST", "/_page/as", "", {{"login", "rita"}, {"return", "/"}});
  EXPECT_EQ(done.headers.at("set-cookie"), "sandbox_as=rita; Path=/; HttpOnly; SameSite=Strict");
  EXPECT_EQ(Call("POST", "/_page/as", "", {{"login", "nobody"}}).status, 404);
}

TEST_F(SandboxPage, PullShowsChecksReviewAndThreadsAtTheirLines) {
  std::string text;
  for (int i = 1; i <= 40; ++i) text += i == 20 ? "changed\n" : fmt::format("line {}\n", i);
  const std::string head = Commit("fix", {{"src/a.txt", text}});
  const std::string pull = "/repos/acme/widget/pulls/" + std::to_string(OpenPull("fix"));
  ASSERT_EQ(
      Call(
          "POST", "/repos/acme/widget/statuses/" + head, bot_,
          {{"state", "failure"}, {"context", "swage/tests"}, {"target_url", "javascript:alert(1)"}})
          .status,
      201);
  ASSERT_EQ(
      Call("POST", pull + "/reviews", bot_,
           {{"event", "COMMENT"},
            {"body", "Gate results"},
            {"commit_id", head},
            {"comments",
             {{{"path", "src/a.txt"}, {"line", 20}, {"side", "RIGHT"}, {"body", "why this?"}}}}})
          .status,
      200);
  const HttpAnswer page = Get("/acme/widget/pull/1");
  EXPECT_TRUE(Has(page, "1 of 1 checks failed"));
  EXPECT_TRUE(Has(page, "1 comment on the diff"));
  EXPECT_FALSE(Has(page, "javascript:"));
  const std::size_t line = page.text.find("<td class=\"code\">changed</td>");
  const std::size_t thread = page.text.find("why this?");
  const std::size_t next = page.text.find("<td class=\"code\">line 21</td>");
  ASSERT_NE(line, std::string::npos);
  EXPECT_LT(line, thread);
  EXPECT_LT(thread, next);
}

TEST_F(SandboxPage, ThreadsAreAnsweredAndResolved) {
  const std::string head = Commit("fix", {{"README.md", "# new\n"}});
  OpenPull("fix");
  ASSERT_EQ(Call("POST", "/repos/acme/widget/pulls/1/comments", bot_,
                 {{"commit_id", head},
                  {"path", "README.md"},
                  {"line", 1},
                  {"side", "RIGHT"},
                  {"body", "hm"}})
                .status,
            201);
  const std::string id = forge_->GetPull(repo_, 1)->discussions.at(0).id;
  const json form = {{"kind", "pull"}, {"number", "1"}, {"value", id}, {"body", "fixed"}};
  EXPECT_EQ(Act("acme", "reply", form).status, 303);
  EXPECT_EQ(Act("acme", "resolve", form).status, 303);
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->discussions.at(0).resolved);
  EXPECT_EQ(forge_->GetPull(repo_, 1)->discussions.at(0).notes.size(), 2U);
  EXPECT_TRUE(Has(Get("/acme/widget/pull/1"), "Resolved by"));
}

TEST_F(SandboxPage, DeliveriesAreShown) {
  forge_->AddWebhook(repo_, "http://127.0.0.1:1/hook", "s3cret-token");
  ASSERT_TRUE(forge_->WaitForWebhooks());
  const HttpAnswer page = Get("/acme/widget/deliveries");
  EXPECT_TRUE(Has(page, "ping"));
  EXPECT_TRUE(Has(page, "no answer"));
  EXPECT_FALSE(Has(page, "s3cret-token"));
}

TEST_F(SandboxPage, NewIssueNeedsATitle) {
  EXPECT_EQ(Act("rita", "new_issue", {{"title", " "}}).status, 400);
  EXPECT_EQ(Act("rita", "new_issue", {{"title", "A bug"}, {"body", "b"}}).headers.at("location"),
            "/acme/widget/issues/1");
}

TEST_F(SandboxPage, PrivateRepositoriesAreClosedToNonMembers) {
  forge_->SetPrivate(repo_, true);
  EXPECT_EQ(Act("sam", "new_issue", {{"title", "x"}}).status, 403);
}

TEST_F(SandboxPageGitLab, SpeaksGitLabsAddressesAndRunsItsCommands) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(Get("/acme/widget/-/issues/1").status, 200);
  const HttpAnswer done =
      Act("acme", "comment", {{"kind", "issue"}, {"number", "1"}, {"body", "no\n/close"}});
  EXPECT_EQ(done.headers.at("location"), "/acme/widget/-/issues/1");
  EXPECT_FALSE(forge_->GetIssue(repo_, 1)->open);
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->notes.at(0).body, "no");
}

}  // namespace
}  // namespace swage::sandbox
