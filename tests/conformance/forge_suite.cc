#include "tests/conformance/forge_suite.h"

#include <algorithm>

#include "config/base/text.h"
#include "forge/body.h"
#include "forge/markdown.h"
#include "tests/harness/requests.h"

namespace swage {

void ForgeSuite::SetUp() {
  sandbox::SandboxOptions options;
  options.dialect = GetParam().dialect;
  options.data_dir = dir_.path();
  options.threads = 4;
  auto server = sandbox::SandboxForge::Start(options);
  ASSERT_TRUE(server.ok()) << server.error().message;
  server_ = std::move(*server);
  std::string lines;
  for (int i = 1; i <= 20; ++i) lines += "line " + std::to_string(i) + "\n";
  const auto made = server_->CreateRepoFromFiles(
      kRepo, {{"src/a.txt", lines}, {"src/untouched.txt", "x\n"}, {"README.md", "# widget\n"}});
  ASSERT_TRUE(made.ok()) << made.error().message;
  sandbox::SandboxForge::AppIdentity app;
  if (GetParam().as_app) {
    app = server_->CreateApp(bot_);
    server_->InstallApp("acme", {kRepo});
    bot_ = app.bot;
    settings_.app = {app.id, {"", app.private_key}, ""};
  } else {
    bot_token_ = server_->CreateUser(bot_, true);
  }
  server_->CreateUser("ann");
  server_->CreateUser("reader");
  server_->CreateUser("stranger");
  server_->SetMember(kRepo, bot_, Role::kMaintain);
  server_->SetMember(kRepo, "ann", Role::kWrite);
  server_->SetMember(kRepo, "reader", Role::kRead);
  repo_ = {GetParam().name, std::to_string(server_->RepoId(kRepo)), kRepo};
  forge_ = Connect(bot_token_);
}

void ForgeSuite::TearDown() {
  if (server_ != nullptr) test::RecordForContract(*server_);
}

std::unique_ptr<Forge> ForgeSuite::Connect(const std::string& token) {
  ForgeSettings settings = settings_;
  settings.name = GetParam().name;
  settings.kind = GetParam().name;
  settings.api_url = server_->ApiUrl() + GetParam().below;
  settings.git_url = server_->Url();
  settings.token.value = token;
  auto transport = MakeHttpTransport(GetParam().transport_options(settings), clock_);
  EXPECT_TRUE(transport.ok()) << transport.error().message;
  return GetParam().make(settings, std::move(*transport));
}

CommitSha ForgeSuite::PushBranch(const std::string& branch) {
  std::string lines;
  for (int i = 1; i <= 20; ++i) {
    lines += i == 3 ? "line three\nline three and a half\n" : "line " + std::to_string(i) + "\n";
  }
  const auto sha = server_->CommitToBranch(
      kRepo, bot_, branch, {{"src/a.txt", lines}, {"src/new.txt", "one\ntwo\n"}}, "Change lines");
  EXPECT_TRUE(sha.ok()) << sha.error().message;
  return {sha.ok() ? *sha : ""};
}

PullRequestDraft ForgeSuite::Draft() const {
  return {kBranch, "main", "Fix the lines", "<!-- swage:pr x -->\nBecause.", false};
}

PullRequest ForgeSuite::OpenPull() {
  PushBranch();
  const auto pull = forge_->EnsurePullRequest(repo_, Draft());
  EXPECT_TRUE(pull.ok()) << pull.error().message;
  return pull.ok() ? *pull : PullRequest{};
}

std::int64_t ForgeSuite::OpenIssue(const std::string& title) {
  return server_->CreateIssue(kRepo, "ann", title, "The body", {"swage"});
}

Actor ForgeSuite::ActorOf(const std::string& login) {
  Actor actor{"", login, false};
  server_->With([&](sandbox::World& world) {
    if (const auto* user = world.FindUser(login)) actor.id = std::to_string(user->id);
  });
  return actor;
}

void ForgeSuite::LoseReply(const std::string& method, const std::string& path) {
  sandbox::FaultRule rule;
  rule.action = sandbox::FaultAction::kResetAfter;
  rule.method = method;
  rule.path = path;
  ASSERT_TRUE(server_->faults().Add(rule).ok());
}

sandbox::Pull ForgeSuite::PullState(std::int64_t number) {
  const auto pull = server_->GetPull(kRepo, number);
  EXPECT_TRUE(pull.has_value());
  return pull.value_or(sandbox::Pull{});
}

int ForgeSuite::CountOnPull(std::int64_t number, const std::string& text) {
  const sandbox::Pull pull = PullState(number);
  int count = 0;
  const auto look = [&](const std::string& body) {
    count += body.find(text) != std::string::npos ? 1 : 0;
  };
  for (const auto& note : pull.notes) look(note.body);
  for (const auto& review : pull.reviews) look(review.body);
  for (const auto& discussion : pull.discussions) {
    for (const auto& note : discussion.notes) look(note.body);
  }
  return count;
}

int ForgeSuite::CountOnIssue(std::int64_t number, const std::string& text) {
  const auto issue = server_->GetIssue(kRepo, number);
  if (!issue) return 0;
  return static_cast<int>(
      std::count_if(issue->notes.begin(), issue->notes.end(),
                    [&](const auto& note) { return note.body.find(text) != std::string::npos; }));
}

int ForgeSuite::Writes() {
  const auto requests = server_->Requests();
  return static_cast<int>(std::count_if(requests.begin(), requests.end(), test::Mutates));
}

// --- reads ---

TEST_P(ForgeSuite, KnowsItself) {
  const auto self = forge_->GetSelf();
  ASSERT_TRUE(self.ok()) << self.error().message;
  EXPECT_EQ(self->login, bot_);
  EXPECT_EQ(self->id, ActorOf(bot_).id);
}

TEST_P(ForgeSuite, FindsNothingWantingWhereNothingIs) {
  const auto gaps = forge_->FindMissingRights();
  ASSERT_TRUE(gaps.ok()) << gaps.error().message;
  EXPECT_EQ(Join(*gaps, "|"), "");
}

TEST_P(ForgeSuite, ReadsARepositoryByItsPath) {
  const auto repo = forge_->GetRepo(kRepo);
  ASSERT_TRUE(repo.ok()) << repo.error().message;
  EXPECT_EQ(repo->ref, repo_);
  EXPECT_EQ(repo->default_branch, "main");
  EXPECT_FALSE(repo->archived);
  // An App is not told apart what is not there and what it was not installed for.
  EXPECT_EQ(forge_->GetRepo("acme/none").error().code,
            GetParam().as_app ? ErrorCode::kDenied : ErrorCode::kNotFound);
}

TEST_P(ForgeSuite, ReadsAnIssue) {
  const std::int64_t number =
      server_->CreateIssue(kRepo, "ann", "Größe <b>", "Line\n\nTwo 日本", {"swage"});
  const auto issue = forge_->GetIssue(repo_, number);
  ASSERT_TRUE(issue.ok()) << issue.error().message;
  EXPECT_EQ(issue->number, number);
  EXPECT_EQ(issue->title, "Größe <b>");
  EXPECT_EQ(issue->body, "Line\n\nTwo 日本");
  EXPECT_EQ(issue->author.id, ActorOf("ann").id);
  EXPECT_EQ(issue->labels, std::vector<std::string>{"swage"});
  EXPECT_TRUE(issue->open);
  EXPECT_FALSE(issue->id.empty());
  EXPECT_FALSE(issue->updated_at.empty());
  server_->CloseIssue(kRepo, "ann", number);
  EXPECT_FALSE(forge_->GetIssue(repo_, number)->open);
  EXPECT_EQ(forge_->GetIssue(repo_, 4711).error().code, ErrorCode::kNotFound);
}

TEST_P(ForgeSuite, Threat_T15_TellsWhatSomebodyMayDo) {
  EXPECT_EQ(*forge_->GetRole(repo_, ActorOf("ann")), Role::kWrite);
  const Role maintainer = GetParam().can.maintainers ? Role::kMaintain : Role::kWrite;
  EXPECT_EQ(*forge_->GetRole(repo_, ActorOf(bot_)), maintainer);
  EXPECT_GE(*forge_->GetRole(repo_, ActorOf("acme")), Role::kAdmin);
  EXPECT_LT(*forge_->GetRole(repo_, ActorOf("reader")), Role::kWrite);
  EXPECT_LT(*forge_->GetRole(repo_, ActorOf("stranger")), Role::kWrite);
  const auto nobody = forge_->GetRole(repo_, {"999999", "nobody-at-all", false});
  ASSERT_TRUE(nobody.ok()) << nobody.error().message;
  EXPECT_EQ(*nobody, Role::kNone);
  EXPECT_EQ(*forge_->GetRole(repo_, {"", "", false}), Role::kNone);
  EXPECT_LT(*forge_->GetRole(repo_, {"1", "../../user", false}), Role::kWrite);
}

TEST_P(ForgeSuite, FindsAnAccountByItsName) {
  const auto ann = forge_->FindAccount("ann");
  ASSERT_TRUE(ann.ok()) << ann.error().message;
  EXPECT_EQ(ann->id, ActorOf("ann").id);
  EXPECT_EQ(ann->login, "ann");
  EXPECT_FALSE(ann->is_bot);
  EXPECT_EQ(forge_->FindAccount("ANN")->id, ann->id);
  server_->CreateUser("some-helper", true);
  EXPECT_EQ(forge_->FindAccount("some-helper")->is_bot, GetParam().can.bots);
  for (const char* name : {"nobody-at-all", "an", "", "../user", "ann?page=2", "."}) {
    const auto found = forge_->FindAccount(name);
    ASSERT_FALSE(found.ok()) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kNotFound) << name << ": " << found.error().message;
  }
}

TEST_P(ForgeSuite, NamesItsGitRemoteWithoutTheCredential) {
  const auto remote = forge_->Remote(repo_, GitAccess::kWrite);
  ASSERT_TRUE(remote.ok()) << remote.error().message;
  EXPECT_EQ(remote->url, server_->Url() + "/" + kRepo + ".git");
  if (GetParam().as_app) {
    EXPECT_TRUE(remote->password.starts_with("ghs_"));
  } else {
    EXPECT_EQ(remote->password, bot_token_);
  }
  EXPECT_FALSE(remote->username.empty());
}

// --- comments and reactions ---

TEST_P(ForgeSuite, ReactsOnce) {
  const std::int64_t number = OpenIssue();
  const auto note = server_->Comment(kRepo, "ann", number, "/swage run");
  const Thread thread{ThreadKind::kIssue, number};
  for (int i = 0; i < 2; ++i) {
    for (const Reaction reaction : {Reaction::kEyes, Reaction::kRocket, Reaction::kThumbsUp,
                                    Reaction::kThumbsDown, Reaction::kConfused}) {
      const auto on_issue = forge_->EnsureReaction(repo_, thread, "", reaction);
      EXPECT_TRUE(on_issue.ok()) << on_issue.error().message;
      const auto on_note = forge_->EnsureReaction(repo_, thread, std::to_string(note), reaction);
      EXPECT_TRUE(on_note.ok()) << on_note.error().message;
    }
  }
  const auto issue = server_->GetIssue(kRepo, number);
  EXPECT_EQ(issue->awards.size(), 5U);
  EXPECT_EQ(issue->notes.back().awards.size(), 5U);
}

TEST_P(ForgeSuite, KeepsOneCommentPerMarkerAndEditsItInPlace) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  const std::string marker = "<!-- swage:sticky 1 -->";
  const auto first = forge_->EnsureComment(repo_, thread, marker, marker + "\nqueued", "");
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_FALSE(first->id.empty());
  EXPECT_NE(first->web_url, "");
  const auto second = forge_->EnsureComment(repo_, thread, marker, marker + "\nrunning", first->id);
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(second->id, first->id);
  const auto third = forge_->EnsureComment(repo_, thread, marker, marker + "\ndone", "");
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->id, first->id);
  for (const char* wrong : {"999999", "x/../y", "-1"}) {
    EXPECT_EQ(forge_->EnsureComment(repo_, thread, marker, marker + "\nagain", wrong)->id,
              first->id);
  }
  EXPECT_EQ(CountOnIssue(thread.number, marker), 1);
  EXPECT_EQ(CountOnIssue(thread.number, "again"), 1);
}

TEST_P(ForgeSuite, WritesNothingWhenTheCommentIsAsItShouldBe) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  const auto first = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "same\n", "");
  ASSERT_TRUE(first.ok());
  server_->ClearRequests();
  EXPECT_TRUE(forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "same\n", "").ok());
  EXPECT_TRUE(forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "same\n", first->id).ok());
  EXPECT_EQ(Writes(), 0);
}

TEST_P(ForgeSuite, DoesNotAdoptACommentThatSomebodyElseWrote) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  const std::string marker = "<!-- swage:sticky 1 -->";
  const auto foreign = server_->Comment(kRepo, "ann", thread.number, marker + " mine");
  const auto ours = forge_->EnsureComment(repo_, thread, marker, "text", std::to_string(foreign));
  ASSERT_TRUE(ours.ok()) << ours.error().message;
  EXPECT_NE(ours->id, std::to_string(foreign));
  EXPECT_EQ(CountOnIssue(thread.number, " mine"), 1);
}

TEST_P(ForgeSuite, FindsItsCommentOnALaterPage) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  for (int i = 0; i < 230; ++i) server_->Comment(kRepo, "ann", thread.number, "chatter");
  const auto first = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "one", "");
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "two", "");
  EXPECT_EQ(second->id, first->id);
}

TEST_P(ForgeSuite, Threat_T46_CutsAnOverlongCommentWithAMark) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  const std::string marker = "<!-- swage:log 1 -->";
  const std::string huge = "intro\n```\n" + std::string(10'000'000, 'x') + "\n```\n";
  const auto comment = forge_->EnsureComment(repo_, thread, marker, huge, "");
  ASSERT_TRUE(comment.ok()) << comment.error().message;
  EXPECT_LE(comment->body.size(), forge_->Limits().comment_bytes);
  EXPECT_NE(comment->body.find("cut"), std::string::npos);
  EXPECT_EQ(forge_->EnsureComment(repo_, thread, marker, huge, "")->id, comment->id);
}

TEST_P(ForgeSuite, CommentsOnAPullRequest) {
  const PullRequest pull = OpenPull();
  const Thread thread{ThreadKind::kPullRequest, pull.number};
  const auto comment = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "hello", "");
  ASSERT_TRUE(comment.ok()) << comment.error().message;
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, comment->id, Reaction::kEyes).ok());
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "", Reaction::kEyes).ok());
  EXPECT_EQ(CountOnPull(pull.number, "hello"), 1);
}

TEST_P(ForgeSuite, Fault_X9_ALostReplyMakesNoSecondComment) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  LoseReply("POST", "/(comments|notes)");
  const auto lost = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "text", "");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->", "text", "").ok());
  EXPECT_EQ(CountOnIssue(thread.number, "swage:a b"), 1);
}

TEST_P(ForgeSuite, ALostReplyMakesNoSecondReaction) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  LoseReply("POST", "/(reactions|award_emoji)");
  EXPECT_FALSE(forge_->EnsureReaction(repo_, thread, "", Reaction::kEyes).ok());
  EXPECT_TRUE(forge_->EnsureReaction(repo_, thread, "", Reaction::kEyes).ok());
  EXPECT_EQ(server_->GetIssue(kRepo, thread.number)->awards.size(), 1U);
}

// --- text of strangers under the bot's name ---

constexpr const char* kHostile =
    "@ann @all @acme/team &#64;ann\n/close\n/label ~evil\n  /assign @ann\nFixes #1, closes "
    "acme/widget#1";

std::size_t Notifications(sandbox::SandboxForge& server, const std::string& repo) {
  std::size_t count = 0;
  server.With([&](sandbox::World& world) { count = world.FindRepo(repo)->notifications.size(); });
  return count;
}

TEST_P(ForgeSuite, Threat_T41_InertTextNotifiesNobodyAndRawTextDoes) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  const auto inert = forge_->EnsureComment(repo_, thread, "<!-- swage:a b -->",
                                           "Said:\n\n" + InertProse(kHostile, 10'000), "");
  ASSERT_TRUE(inert.ok()) << inert.error().message;
  EXPECT_EQ(Notifications(*server_, kRepo), 0U);
  ASSERT_TRUE(forge_->EnsureComment(repo_, thread, "<!-- swage:raw 1 -->", "cc @ann", "").ok());
  EXPECT_GT(Notifications(*server_, kRepo), 0U);
}

TEST_P(ForgeSuite, Threat_T43_InertTextRunsNoQuickAction) {
  const Thread thread{ThreadKind::kIssue, OpenIssue()};
  for (const std::string& body : {InertProse(kHostile, 10'000), Fence(kHostile, "", 10'000),
                                  Fence("````\n/close\n", "text", 10'000)}) {
    const auto posted = forge_->EnsureComment(
        repo_, thread, "<!-- swage:m " + std::to_string(body.size()) + " -->", body, "");
    ASSERT_TRUE(posted.ok()) << posted.error().message;
  }
  const auto issue = server_->GetIssue(kRepo, thread.number);
  EXPECT_TRUE(issue->open);
  EXPECT_EQ(issue->labels, std::vector<std::string>{"swage"});
}

TEST_P(ForgeSuite, Threat_T42_InertTextClosesNothingWhenItIsMerged) {
  for (const bool inert : {true, false}) {
    const std::int64_t issue = OpenIssue();
    PullRequestDraft draft = Draft();
    draft.head_branch = inert ? "swage/inert" : "swage/raw";
    ASSERT_TRUE(server_
                    ->CommitToBranch(kRepo, bot_, draft.head_branch, {{draft.head_branch, "x\n"}},
                                     "Add a file")
                    .ok());
    const std::string text = "Fixes #" + std::to_string(issue);
    draft.title = inert ? InertLine(text, 200) : "A title";
    draft.body = inert ? InertProse(text + ", closes acme/widget#1", 1'000) : text;
    const auto pull = forge_->EnsurePullRequest(repo_, draft);
    ASSERT_TRUE(pull.ok()) << pull.error().message;
    ASSERT_TRUE(server_->MergePull(kRepo, "ann", pull->number).ok());
    EXPECT_EQ(server_->GetIssue(kRepo, issue)->open, inert);
  }
}

// --- pull requests ---

TEST_P(ForgeSuite, OpensOnePullRequestAndKeepsItUpToDate) {
  const CommitSha head = PushBranch();
  EXPECT_FALSE(forge_->FindPullRequest(repo_, kBranch)->has_value());
  PullRequestDraft draft = Draft();
  const auto opened = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->head_branch, kBranch);
  EXPECT_EQ(opened->base_branch, "main");
  EXPECT_EQ(opened->head_sha, head);
  EXPECT_EQ(opened->state, PullRequestState::kOpen);
  EXPECT_FALSE(opened->from_fork);
  EXPECT_FALSE(opened->draft);
  EXPECT_NE(opened->web_url, "");
  EXPECT_EQ(opened->author_id, ActorOf(bot_).id);

  draft.body = OwnBlock("x", "Because of this.\n");
  const auto updated = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  EXPECT_EQ(updated->number, opened->number);
  EXPECT_EQ(PullState(opened->number).body, draft.body);
  EXPECT_EQ(server_->Pulls(kRepo).size(), 1U);

  server_->ClearRequests();
  EXPECT_TRUE(forge_->EnsurePullRequest(repo_, draft).ok());
  EXPECT_EQ(Writes(), 0);
  EXPECT_EQ(forge_->GetPullRequest(repo_, opened->number)->head_sha, head);
  EXPECT_EQ((*forge_->FindPullRequest(repo_, kBranch))->number, opened->number);
}

TEST_P(ForgeSuite, ClosesAPullRequestOnceAndLeavesAMergedOne) {
  PushBranch();
  const auto opened = forge_->EnsurePullRequest(repo_, Draft());
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const auto closed = forge_->ClosePullRequest(repo_, opened->number);
  ASSERT_TRUE(closed.ok()) << closed.error().message;
  EXPECT_EQ(forge_->GetPullRequest(repo_, opened->number)->state, PullRequestState::kClosed);
  server_->ClearRequests();
  EXPECT_TRUE(forge_->ClosePullRequest(repo_, opened->number).ok());
  EXPECT_EQ(Writes(), 0);
  EXPECT_EQ(forge_->ClosePullRequest(repo_, 4711).error().code, ErrorCode::kNotFound);

  ASSERT_TRUE(server_->CommitToBranch(kRepo, bot_, "swage/two", {{"2", "2"}}, "Two").ok());
  PullRequestDraft second = Draft();
  second.head_branch = "swage/two";
  const std::int64_t number = forge_->EnsurePullRequest(repo_, second)->number;
  ASSERT_TRUE(server_->MergePull(kRepo, "ann", number).ok());
  EXPECT_TRUE(forge_->ClosePullRequest(repo_, number).ok());
  EXPECT_EQ(forge_->GetPullRequest(repo_, number)->state, PullRequestState::kMerged);
}

TEST_P(ForgeSuite, LeavesWhatAPersonWroteIntoThePullRequest) {
  PushBranch();
  ASSERT_TRUE(server_->CommitToBranch(kRepo, "ann", "next", {{"n.txt", "n"}}, "next").ok());
  PullRequestDraft draft = Draft();
  draft.body = OwnBlock("x", "First words.\n");
  draft.draft = true;
  const std::int64_t number = forge_->EnsurePullRequest(repo_, draft)->number;
  server_->With([&](sandbox::World& world) {
    sandbox::Repo& repo = *world.FindRepo(kRepo);
    sandbox::IssueChange change;
    change.title = "Ann's better title";
    change.body = "Ann: look at the tests.\r\n\r\n" + draft.body + "\r\n\r\nAnn: thanks!";
    change.base_ref = "next";
    world.Update(repo, *world.FindUser("ann"), *world.FindPull(repo, number), change);
  });
  draft.title = "The issue has a new title";
  draft.body = OwnBlock("x", "Second words.\n");
  draft.draft = false;
  const auto updated = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  const sandbox::Pull pull = PullState(number);
  EXPECT_FALSE(pull.draft);
  EXPECT_NE(pull.title.find("Ann's better title"), std::string::npos) << pull.title;
  EXPECT_EQ(pull.body, "Ann: look at the tests.\r\n\r\n" + draft.body + "\r\n\r\nAnn: thanks!");
  EXPECT_EQ(pull.base_ref, "next");

  server_->With([&](sandbox::World& world) {
    sandbox::Repo& repo = *world.FindRepo(kRepo);
    sandbox::IssueChange change;
    change.body = "Ann threw it all away.";
    world.Update(repo, *world.FindUser("ann"), *world.FindPull(repo, number), change);
  });
  ASSERT_TRUE(forge_->EnsurePullRequest(repo_, draft).ok());
  EXPECT_EQ(PullState(number).body, "Ann threw it all away.");
}

TEST_P(ForgeSuite, TurnsADraftIntoAPullRequestAndBack) {
  PushBranch();
  PullRequestDraft draft = Draft();
  draft.draft = true;
  const auto opened = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_TRUE(opened->draft);
  EXPECT_TRUE(PullState(opened->number).draft);
  draft.draft = false;
  const auto ready = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(ready.ok()) << ready.error().message;
  EXPECT_FALSE(PullState(opened->number).draft);
  draft.draft = true;
  const auto back = forge_->EnsurePullRequest(repo_, draft);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(PullState(opened->number).draft);
  EXPECT_TRUE(forge_->GetPullRequest(repo_, opened->number)->draft);
}

TEST_P(ForgeSuite, AClosedPullRequestIsFinal) {
  const PullRequest pull = OpenPull();
  server_->ClosePull(kRepo, "ann", pull.number);
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, Draft()).error().code, ErrorCode::kConflict);
  EXPECT_EQ((*forge_->FindPullRequest(repo_, kBranch))->state, PullRequestState::kClosed);
  EXPECT_EQ(server_->Pulls(kRepo).size(), 1U);
}

TEST_P(ForgeSuite, AMergedPullRequestIsFinal) {
  const PullRequest pull = OpenPull();
  const auto merged = server_->MergePull(kRepo, "ann", pull.number);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, Draft()).error().code, ErrorCode::kConflict);
  EXPECT_EQ((*forge_->FindPullRequest(repo_, kBranch))->state, PullRequestState::kMerged);
}

TEST_P(ForgeSuite, LeavesWhatAPersonWroteAboutTheBranch) {
  PushBranch();
  const auto theirs = server_->CreatePull(
      kRepo, "ann", {kBranch, "main", "Ann's title", "Ann's body", false, false});
  ASSERT_TRUE(theirs.ok()) << theirs.error().message;
  const auto adopted = forge_->EnsurePullRequest(repo_, Draft());
  ASSERT_TRUE(adopted.ok()) << adopted.error().message;
  EXPECT_EQ(adopted->number, *theirs);
  EXPECT_EQ(PullState(*theirs).title, "Ann's title");
}

TEST_P(ForgeSuite, Fault_X8_ALostReplyMakesNoSecondPullRequest) {
  PushBranch();
  LoseReply("POST", "/(pulls|merge_requests)$");
  EXPECT_EQ(forge_->EnsurePullRequest(repo_, Draft()).error().code, ErrorCode::kUnavailable);
  const auto found = forge_->EnsurePullRequest(repo_, Draft());
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(server_->Pulls(kRepo).size(), 1U);
}

TEST_P(ForgeSuite, SaysWhyABranchCannotBecomeAPullRequest) {
  PullRequestDraft draft = Draft();
  draft.head_branch = "absent";
  EXPECT_FALSE(forge_->EnsurePullRequest(repo_, draft).ok());
  EXPECT_TRUE(server_->Pulls(kRepo).empty());
}

// --- reviews ---

ReviewDraft MakeReview(const CommitSha& head, std::vector<LineComment> comments,
                       const std::string& key = "r1") {
  const std::string marker = "<!-- swage:review " + key + " -->";
  return {head, marker, marker + "\nGate results", std::move(comments)};
}

std::map<std::string, PostedComment> ByFingerprint(const PostedReview& posted) {
  std::map<std::string, PostedComment> by;
  for (const PostedComment& comment : posted.comments) by[comment.fingerprint] = comment;
  return by;
}

TEST_P(ForgeSuite, PutsRemarksWhereTheDiffHasRoom) {
  const PullRequest pull = OpenPull();
  const ReviewDraft review =
      MakeReview(pull.head_sha, {{"added", "src/a.txt", 4, "on an added line"},
                                 {"context", "src/a.txt", 2, "on an unchanged line"},
                                 {"newfile", "src/new.txt", 2, "in a new file"},
                                 {"faraway", "src/a.txt", 18, "outside the hunks"},
                                 {"whole", "src/a.txt", 0, "about the file"},
                                 {"elsewhere", "README.md", 1, "not in the diff"}});
  const auto posted = forge_->EnsureReview(repo_, pull.number, review);
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  const auto by = ByFingerprint(*posted);
  ASSERT_EQ(by.size(), 6U);
  for (const char* line : {"added", "context", "newfile"}) {
    EXPECT_EQ(by.at(line).place, CommentPlace::kLine) << line;
    EXPECT_NE(by.at(line).thread_id, "") << line;
  }
  const bool on_files = GetParam().can.file_comments;
  for (const char* file : {"faraway", "whole"}) {
    EXPECT_EQ(by.at(file).place, on_files ? CommentPlace::kFile : CommentPlace::kBody) << file;
    EXPECT_EQ(by.at(file).thread_id != "", on_files) << file;
  }
  EXPECT_EQ(by.at("elsewhere").place, CommentPlace::kBody);
  EXPECT_EQ(by.at("elsewhere").thread_id, "");
  for (const LineComment& comment : review.comments) {
    EXPECT_EQ(CountOnPull(pull.number, comment.body), 1) << comment.body;
  }
  EXPECT_EQ(CountOnPull(pull.number, review.marker), 1);
  EXPECT_NE(posted->id, "");
  EXPECT_NE(posted->web_url, "");
}

TEST_P(ForgeSuite, PostsAReviewOnce) {
  const PullRequest pull = OpenPull();
  const ReviewDraft review = MakeReview(
      pull.head_sha, {{"f1", "src/a.txt", 4, "remark"}, {"f2", "README.md", 1, "other"}});
  const auto first = forge_->EnsureReview(repo_, pull.number, review);
  ASSERT_TRUE(first.ok()) << first.error().message;
  server_->ClearRequests();
  const auto second = forge_->EnsureReview(repo_, pull.number, review);
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(ByFingerprint(*second).at("f1").thread_id, ByFingerprint(*first).at("f1").thread_id);
  EXPECT_EQ(Writes(), 0);
  EXPECT_EQ(CountOnPull(pull.number, review.marker), 1);
}

TEST_P(ForgeSuite, SaysNothingTwiceOverTwoReviews) {
  const PullRequest pull = OpenPull();
  const LineComment remark{"f1", "src/a.txt", 4, "the remark"};
  const LineComment unplaced{"f2", "README.md", 1, "the other"};
  const auto first =
      forge_->EnsureReview(repo_, pull.number, MakeReview(pull.head_sha, {remark, unplaced}));
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second =
      forge_->EnsureReview(repo_, pull.number, MakeReview(pull.head_sha, {remark, unplaced}, "r2"));
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_NE(second->id, first->id);
  for (const auto& [fingerprint, comment] : ByFingerprint(*second)) {
    EXPECT_EQ(comment.place, CommentPlace::kAlreadyThere) << fingerprint;
  }
  EXPECT_EQ(CountOnPull(pull.number, "the remark"), 1);
  EXPECT_EQ(CountOnPull(pull.number, "the other"), 1);
}

TEST_P(ForgeSuite, ResolvesAThreadAndSpeaksAgainWhenTheFindingIsBack) {
  const PullRequest pull = OpenPull();
  const LineComment remark{"f1", "src/a.txt", 4, "the remark"};
  const auto first = forge_->EnsureReview(repo_, pull.number, MakeReview(pull.head_sha, {remark}));
  ASSERT_TRUE(first.ok()) << first.error().message;
  const std::string thread = first->comments.at(0).thread_id;
  for (int i = 0; i < 2; ++i) {
    const auto resolved = forge_->ResolveThread(repo_, pull.number, thread, "Gone.");
    EXPECT_TRUE(resolved.ok()) << resolved.error().message;
  }
  const sandbox::Pull state = PullState(pull.number);
  const bool resolves = forge_->Limits().can_resolve_threads;
  EXPECT_EQ(std::count_if(state.discussions.begin(), state.discussions.end(),
                          [](const auto& d) { return d.resolved; }),
            resolves ? 1 : 0);
  EXPECT_EQ(CountOnPull(pull.number, "Gone."), resolves ? 0 : 1);
  const auto again =
      forge_->EnsureReview(repo_, pull.number, MakeReview(pull.head_sha, {remark}, "r2"));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->comments.at(0).place, CommentPlace::kLine);
  EXPECT_NE(again->comments.at(0).thread_id, thread);
  EXPECT_EQ(CountOnPull(pull.number, "the remark"), 2);
}

TEST_P(ForgeSuite, AReviewWithoutRemarksIsItsText) {
  const PullRequest pull = OpenPull();
  const auto posted = forge_->EnsureReview(repo_, pull.number, MakeReview(pull.head_sha, {}));
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(CountOnPull(pull.number, "Gate results"), 1);
}

TEST_P(ForgeSuite, DoesNotTakeSomebodyElsesReviewForItsOwn) {
  const PullRequest pull = OpenPull();
  const ReviewDraft review = MakeReview(pull.head_sha, {{"f1", "src/a.txt", 4, "remark"}});
  server_->CommentOnPull(kRepo, "ann", pull.number, review.body + "<!-- swage:finding f1 -->");
  const auto posted = forge_->EnsureReview(repo_, pull.number, review);
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(posted->comments.at(0).place, CommentPlace::kLine);
}

// Whichever of its writes loses the reply, the review is complete in the end and nothing is there
// twice.
TEST_P(ForgeSuite, ALostReplyRepeatsNoPartOfAReview) {
  const std::vector<std::string> remarks = {"on a line", "on a file", "in the body"};
  for (int lost = 1; lost <= 3; ++lost) {
    SCOPED_TRACE(lost);
    const std::string branch = "swage/lost-" + std::to_string(lost);
    const CommitSha head = PushBranch(branch);
    PullRequestDraft draft = Draft();
    draft.head_branch = branch;
    const auto pull = forge_->EnsurePullRequest(repo_, draft);
    ASSERT_TRUE(pull.ok()) << pull.error().message;
    const ReviewDraft review = MakeReview(head, {{"f1", "src/a.txt", 4, remarks[0]},
                                                 {"f2", "src/a.txt", 18, remarks[1]},
                                                 {"f3", "README.md", 1, remarks[2]}});
    // The n-th write of the review: the first n-1 pass through a rule that does nothing.
    sandbox::FaultRule pass;
    pass.action = sandbox::FaultAction::kDelay;
    pass.method = "POST";
    pass.path = "/(comments|reviews|discussions|notes)$";
    pass.times = lost - 1;
    if (lost > 1) {
      ASSERT_TRUE(server_->faults().Add(pass).ok());
    }
    LoseReply("POST", pass.path);
    int calls = 0;
    auto posted = forge_->EnsureReview(repo_, pull->number, review);
    while (!posted.ok() && ++calls < 5) posted = forge_->EnsureReview(repo_, pull->number, review);
    ASSERT_TRUE(posted.ok()) << posted.error().message;
    for (const std::string& remark : remarks)
      EXPECT_EQ(CountOnPull(pull->number, remark), 1) << remark;
    EXPECT_EQ(CountOnPull(pull->number, review.marker), 1);
    server_->faults().Clear();
  }
}

// --- statuses ---

TEST_P(ForgeSuite, PostsAStatusPerContextAndOnlyWhenItChanges) {
  if (GetParam().as_app) return;  // says checks; see github_app_test.cc
  const PullRequest pull = OpenPull();
  CommitStatus status{pull.head_sha, "swage/tests", StatusState::kPending, "running", ""};
  for (int i = 0; i < 2; ++i) {
    const auto posted = forge_->EnsureStatus(repo_, status);
    ASSERT_TRUE(posted.ok()) << posted.error().message;
  }
  EXPECT_EQ(server_->Statuses(kRepo, pull.head_sha.value).size(), 1U);
  status.state = StatusState::kFailure;
  status.description = std::string(5'000, 'x');
  for (int i = 0; i < 2; ++i) {
    const auto posted = forge_->EnsureStatus(repo_, status);
    ASSERT_TRUE(posted.ok()) << posted.error().message;
  }
  const auto statuses = server_->Statuses(kRepo, pull.head_sha.value);
  EXPECT_EQ(statuses.back().context, "swage/tests");
  EXPECT_TRUE(statuses.back().state == "failure" || statuses.back().state == "failed");
  EXPECT_LE(statuses.back().description.size(), forge_->Limits().status_description_bytes);
  EXPECT_LE(statuses.size(), 2U);
  status.context = "swage/lint";
  status.state = StatusState::kNeutral;
  EXPECT_TRUE(forge_->EnsureStatus(repo_, status).ok());
  EXPECT_EQ(server_->Statuses(kRepo, pull.head_sha.value).back().state, "success");
}

TEST_P(ForgeSuite, ALostReplyMakesNoSecondStatus) {
  if (GetParam().as_app) return;
  const PullRequest pull = OpenPull();
  const CommitStatus status{pull.head_sha, "swage/tests", StatusState::kSuccess, "passed", ""};
  LoseReply("POST", "/statuses/");
  EXPECT_FALSE(forge_->EnsureStatus(repo_, status).ok());
  EXPECT_TRUE(forge_->EnsureStatus(repo_, status).ok());
  EXPECT_EQ(server_->Statuses(kRepo, pull.head_sha.value).size(), 1U);
}

// --- refusals ---

TEST_P(ForgeSuite, WordsRefusalsForTheCaller) {
  const auto fault = [&](sandbox::FaultAction action, int status = 500) {
    sandbox::FaultRule rule;
    rule.action = action;
    rule.status = status;
    rule.retry_after_s = 3;
    rule.times = -1;
    EXPECT_TRUE(server_->faults().Add(rule).ok());
    auto error = forge_->GetRepo(kRepo).error();
    server_->faults().Clear();
    EXPECT_TRUE(bot_token_.empty() || error.message.find(bot_token_) == std::string::npos);
    return error;
  };
  EXPECT_EQ(fault(sandbox::FaultAction::kStatus, 503).code, ErrorCode::kUnavailable);
  EXPECT_EQ(fault(sandbox::FaultAction::kResetBefore).code, ErrorCode::kUnavailable);
  for (const auto limit :
       {sandbox::FaultAction::kRateLimit, sandbox::FaultAction::kSecondaryLimit}) {
    const Error error = fault(limit);
    EXPECT_EQ(error.code, ErrorCode::kRateLimited);
    EXPECT_EQ(error.retry_after, std::chrono::seconds(3));
  }
  if (GetParam().as_app) return;
  EXPECT_EQ(Connect("no-such-token")->GetSelf().error().code, ErrorCode::kUnauthenticated);
}

TEST_P(ForgeSuite, AReadersTokenMayNotWrite) {
  if (GetParam().as_app) return;
  const PullRequest pull = OpenPull();
  auto reader = Connect(server_->CreateUser("reader"));
  const auto status =
      reader->EnsureStatus(repo_, {pull.head_sha, "swage/tests", StatusState::kSuccess, "ok", ""});
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(status.error().code == ErrorCode::kDenied ||
              status.error().code == ErrorCode::kNotFound)
      << status.error().message;
}

}  // namespace swage
