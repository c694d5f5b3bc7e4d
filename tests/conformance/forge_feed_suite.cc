// What forge/feed.h promises, for every forge: changes, comments and acts as a poll finds them.
#include <algorithm>

#include "tests/conformance/forge_suite.h"

namespace swage {
namespace {

using Kind = ThreadAct::Kind;

const ThreadChange* ChangeOf(const ChangePage& page, ThreadKind kind, std::int64_t number) {
  for (const ThreadChange& change : page.changes) {
    if (change.thread.kind == kind && change.thread.number == number) return &change;
  }
  return nullptr;
}

std::vector<std::string> Told(const std::vector<ThreadAct>& acts) {
  std::vector<std::string> told;
  for (const ThreadAct& act : acts) {
    switch (act.kind) {
      case Kind::kLabeled:
        told.push_back("+" + act.label);
        break;
      case Kind::kUnlabeled:
        told.push_back("-" + act.label);
        break;
      case Kind::kAssigned:
        told.push_back("to " + act.whom.login);
        break;
      case Kind::kUnassigned:
        told.push_back("not to " + act.whom.login);
        break;
      case Kind::kClosed:
        told.push_back("closed");
        break;
      case Kind::kReopened:
        told.push_back("reopened");
        break;
      case Kind::kMerged:
        told.push_back("merged");
        break;
      case Kind::kTextEdited:
        told.push_back("edited");
        break;
    }
  }
  return told;
}

}  // namespace

void ForgeSuite::Age(std::int64_t number) {
  constexpr std::chrono::minutes kAgo{5};
  server_->With([&](sandbox::World& world) {
    sandbox::Issue& issue = *world.FindIssue(*world.FindRepo(kRepo), number);
    issue.created_at -= kAgo;
    issue.updated_at -= kAgo;
    for (sandbox::Act& act : issue.acts) act.at -= kAgo;
  });
}

TEST_P(ForgeSuite, ListsTheRepositoriesOfTheAccount) {
  ASSERT_TRUE(server_->CreateRepoFromFiles("acme/foreign", {{"a", "b"}}).ok());
  const auto repos = forge_->Feed()->ListRepos();
  ASSERT_TRUE(repos.ok()) << repos.error().message;
  ASSERT_EQ(repos->size(), 1U);
  EXPECT_EQ(repos->front().ref, repo_);
}

TEST_P(ForgeSuite, ListsOpenIssuesByTheirLabel) {
  const std::int64_t wanted = OpenIssue("Wanted");
  const std::int64_t closed = OpenIssue("Closed");
  server_->CloseIssue(kRepo, "ann", closed);
  server_->CreateIssue(kRepo, "ann", "Other", "", {"swage:docs"});
  const auto issues = forge_->Feed()->ListLabelled(repo_, "swage");
  ASSERT_TRUE(issues.ok()) << issues.error().message;
  ASSERT_EQ(issues->size(), 1U);
  EXPECT_EQ(issues->front().number, wanted);
  EXPECT_EQ(issues->front().body, "The body");
  EXPECT_EQ(issues->front().author.id, ActorOf("ann").id);
  const auto labels = forge_->Feed()->ListLabels(repo_);
  ASSERT_TRUE(labels.ok());
  EXPECT_NE(std::find(labels->begin(), labels->end(), "swage:docs"), labels->end());
}

TEST_P(ForgeSuite, TellsItsTime) {
  const auto time = forge_->Feed()->GetTime(repo_);
  ASSERT_TRUE(time.ok()) << time.error().message;
  EXPECT_LE(*time, clock_.Now());
  EXPECT_GT(*time, clock_.Now() - std::chrono::minutes(1));
}

TEST_P(ForgeSuite, TellsWhatChangedSinceAnInstant) {
  const WallTime start = clock_.Now() - std::chrono::seconds(5);
  const std::int64_t issue = OpenIssue();
  const PullRequest pull = OpenPull();
  server_->CloseIssue(kRepo, "ann", issue);
  const auto page = forge_->Feed()->ListChanges(repo_, start, "");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_FALSE(page->unchanged);
  EXPECT_FALSE(page->more);
  const ThreadChange* changed = ChangeOf(*page, ThreadKind::kIssue, issue);
  ASSERT_NE(changed, nullptr);
  ASSERT_TRUE(changed->issue.has_value());
  EXPECT_FALSE(changed->issue->open);
  EXPECT_EQ(changed->issue->labels, std::vector<std::string>{"swage"});
  const ThreadChange* opened = ChangeOf(*page, ThreadKind::kPullRequest, pull.number);
  ASSERT_NE(opened, nullptr);
  EXPECT_FALSE(opened->issue.has_value());
  ASSERT_TRUE(page->up_to.has_value());
  EXPECT_GE(*page->up_to, start);
  const auto later = forge_->Feed()->ListChanges(repo_, clock_.Now() + std::chrono::hours(1), "");
  ASSERT_TRUE(later.ok());
  EXPECT_TRUE(later->changes.empty());
}

TEST_P(ForgeSuite, IsToldInAWordThatNothingChanged) {
  const WallTime start = clock_.Now() - std::chrono::seconds(5);
  const std::int64_t issue = OpenIssue();
  const auto first = forge_->Feed()->ListChanges(repo_, start, "");
  ASSERT_TRUE(first.ok()) << first.error().message;
  if (!GetParam().can.etags) {
    EXPECT_EQ(first->etag, "");
    return;
  }
  ASSERT_NE(first->etag, "");
  server_->ClearRequests();
  const auto again = forge_->Feed()->ListChanges(repo_, start, first->etag);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->etag, first->etag);
  for (const auto& request : server_->Requests()) EXPECT_EQ(request.status, 304) << request.target;
  server_->Comment(kRepo, "ann", issue, "news");
  const auto news = forge_->Feed()->ListChanges(repo_, start, first->etag);
  ASSERT_TRUE(news.ok());
  EXPECT_FALSE(news->unchanged);
  EXPECT_NE(ChangeOf(*news, ThreadKind::kIssue, issue), nullptr);
}

TEST_P(ForgeSuite, FindsCommentsOfIssuesPullRequestsAndLines) {
  const std::int64_t issue = OpenIssue();
  const PullRequest pull = OpenPull();
  const WallTime start = clock_.Now() - std::chrono::seconds(5);
  const auto old = server_->Comment(kRepo, "ann", issue, "too old");
  const auto note = server_->Comment(kRepo, "ann", issue, "/swage run");
  server_->CommentOnPull(kRepo, "ann", pull.number, "/swage fix it");
  server_->With([&](sandbox::World& world) {
    sandbox::Repo& repo = *world.FindRepo(kRepo);
    const sandbox::User& ann = *world.FindUser("ann");
    sandbox::Pull& on = *world.FindPull(repo, pull.number);
    sandbox::Position line;
    line.path = line.old_path = "src/new.txt";
    line.line = line.new_line = 1;
    line.head_sha = on.head_sha;
    const auto review = world.AddReview(repo, ann, on, "COMMENTED", "", on.head_sha).id;
    world.StartDiscussion(repo, ann, on, line, "/swage gates", review, on.head_sha);
    const sandbox::Id edited =
        world.AddNote(repo, ann, *world.FindIssue(repo, issue), "first words").id;
    sandbox::Note& changed = *world.FindNote(repo, edited).note;
    world.EditNote(repo, ann, *world.FindIssue(repo, issue), changed, "/swage stop");
    changed.updated_at = changed.created_at + std::chrono::seconds(2);
    sandbox::Note& aged = *world.FindNote(repo, old).note;
    aged.created_at = aged.updated_at = start - std::chrono::hours(1);
  });
  const auto changes = forge_->Feed()->ListChanges(repo_, start, "");
  ASSERT_TRUE(changes.ok()) << changes.error().message;
  const auto page = forge_->Feed()->ListComments(repo_, start, changes->changes);
  ASSERT_TRUE(page.ok()) << page.error().message;
  std::map<std::string, const FoundComment*> by_body;
  for (const FoundComment& found : page->comments) by_body[found.comment.body] = &found;
  EXPECT_FALSE(by_body.contains("too old"));
  ASSERT_TRUE(by_body.contains("/swage run"));
  EXPECT_EQ(by_body["/swage run"]->thread.kind, ThreadKind::kIssue);
  EXPECT_EQ(by_body["/swage run"]->thread.number, issue);
  EXPECT_EQ(by_body["/swage run"]->comment.id, std::to_string(note));
  EXPECT_EQ(by_body["/swage run"]->comment.author.id, ActorOf("ann").id);
  EXPECT_FALSE(by_body["/swage run"]->edited);
  for (const char* body : {"/swage fix it", "/swage gates"}) {
    ASSERT_TRUE(by_body.contains(body)) << body;
    EXPECT_EQ(by_body[body]->thread.kind, ThreadKind::kPullRequest);
    EXPECT_EQ(by_body[body]->thread.number, pull.number);
  }
  ASSERT_TRUE(by_body.contains("/swage stop"));
  EXPECT_TRUE(by_body["/swage stop"]->edited);
}

TEST_P(ForgeSuite, TellsWhoDidWhatToAnIssue) {
  const std::int64_t issue = server_->CreateIssue(kRepo, "reader", "Broken", "Body");
  server_->AddLabel(kRepo, "ann", issue, "swage");
  server_->RemoveLabel(kRepo, "acme", issue, "swage");
  server_->AddLabel(kRepo, "acme", issue, "swage:docs");
  server_->CloseIssue(kRepo, "ann", issue);
  const auto acts = forge_->Feed()->ListActs(repo_, {ThreadKind::kIssue, issue});
  ASSERT_TRUE(acts.ok()) << acts.error().message;
  EXPECT_EQ(Told(*acts), (std::vector<std::string>{"+swage", "-swage", "+swage:docs", "closed"}));
  EXPECT_EQ((*acts)[0].actor.id, ActorOf("ann").id);
  EXPECT_EQ((*acts)[1].actor.id, ActorOf("acme").id);
  EXPECT_NE((*acts)[0].id, (*acts)[2].id);
  EXPECT_NE((*acts)[0].at, WallTime{});
}

TEST_P(ForgeSuite, TellsWhoAssignedWhom) {
  const std::int64_t issue = server_->CreateIssue(kRepo, "reader", "Broken", "Body");
  server_->Assign(kRepo, "ann", issue, {"reader", "acme"});
  server_->Assign(kRepo, "acme", issue, {"acme"});
  const auto acts = forge_->Feed()->ListActs(repo_, {ThreadKind::kIssue, issue});
  ASSERT_TRUE(acts.ok()) << acts.error().message;
  EXPECT_EQ(Told(*acts), (std::vector<std::string>{"to reader", "to acme", "not to reader"}));
  EXPECT_EQ((*acts)[0].actor.id, ActorOf("ann").id);
  EXPECT_EQ((*acts)[2].actor.id, ActorOf("acme").id);
  EXPECT_EQ(forge_->GetIssue(repo_, issue)->assignees,
            std::vector<std::string>{ActorOf("acme").id});
}

TEST_P(ForgeSuite, Threat_T18_TellsThatTheTextWasEdited) {
  for (const bool title : {true, false}) {
    const std::int64_t issue = OpenIssue();
    sandbox::IssueChange change;
    (title ? change.title : change.body) = "Something else";
    // Where only the time of the last change tells, it must differ.
    if (!GetParam().can.edits) Age(issue);
    server_->EditIssue(kRepo, "ann", issue, change);
    const auto acts = forge_->Feed()->ListActs(repo_, {ThreadKind::kIssue, issue});
    ASSERT_TRUE(acts.ok()) << acts.error().message;
    EXPECT_EQ(Told(*acts), (std::vector<std::string>{"+swage", "edited"})) << title;
  }
}

TEST_P(ForgeSuite, TellsWhoClosedAndMergedAPullRequest) {
  const PullRequest pull = OpenPull();
  ASSERT_TRUE(server_->MergePull(kRepo, "ann", pull.number).ok());
  const auto acts = forge_->Feed()->ListActs(repo_, {ThreadKind::kPullRequest, pull.number});
  ASSERT_TRUE(acts.ok()) << acts.error().message;
  ASSERT_EQ(Told(*acts), std::vector<std::string>{"merged"});
  EXPECT_EQ(acts->front().actor.id, ActorOf("ann").id);
}

TEST_P(ForgeSuite, ReadsTheDeliveriesOfAWebhookWhereTheForgeKeepsThem) {
  ForgeFeed& feed = *forge_->Feed();
  if (GetParam().as_app) return;  // one hook for all; see github_app_test.cc
  // Nobody listens there: the deliveries fail, and are listed all the same.
  const auto hook = server_->AddWebhook(kRepo, "http://127.0.0.1:1/hooks/x", "secret");
  if (!feed.KeepsDeliveries()) {
    EXPECT_EQ(feed.ListDeliveries(repo_, hook, 0).error().code, ErrorCode::kInvalid);
    return;
  }
  const std::int64_t issue = OpenIssue();
  ASSERT_TRUE(server_->WaitForWebhooks());
  EXPECT_EQ(feed.ListHooks(repo_).error().code, ErrorCode::kDenied);  // maintainers may not
  server_->SetMember(kRepo, bot_, Role::kAdmin);
  const auto hooks = feed.ListHooks(repo_);
  ASSERT_TRUE(hooks.ok()) << hooks.error().message;
  ASSERT_EQ(hooks->size(), 1U);
  EXPECT_EQ(hooks->front().id, hook);
  EXPECT_EQ(hooks->front().url, "http://127.0.0.1:1/hooks/x");
  const auto all = feed.ListDeliveries(repo_, hook, 0);
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_GE(all->size(), 3U);  // ping, opened, labeled
  EXPECT_GT(all->front().id, all->back().id);
  EXPECT_EQ(all->front().event, "issues");
  EXPECT_FALSE(all->front().key.empty());
  EXPECT_FALSE(all->front().status >= 200 && all->front().status < 300);
  const auto body = feed.GetDeliveryBody(repo_, hook, all->front().id);
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_NE(body->find("\"number\":" + std::to_string(issue)), std::string::npos);
  EXPECT_TRUE(feed.ListDeliveries(repo_, hook, all->front().id)->empty());
  EXPECT_EQ(feed.ListDeliveries(repo_, hook, all->back().id)->size(), all->size() - 1);
}

TEST_P(ForgeSuite, ReadsManyDeliveriesPageByPage) {
  ForgeFeed& feed = *forge_->Feed();
  if (!feed.KeepsDeliveries() || GetParam().as_app) return;
  server_->SetMember(kRepo, bot_, Role::kAdmin);
  const auto hook = server_->AddWebhook(kRepo, "http://127.0.0.1:1/hooks/x", "secret");
  const std::int64_t issue = OpenIssue();
  for (int i = 0; i < 120; ++i) server_->Comment(kRepo, "ann", issue, "more");
  ASSERT_TRUE(server_->WaitForWebhooks(std::chrono::seconds(60)));
  const auto all = feed.ListDeliveries(repo_, hook, 0);
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_EQ(all->size(), server_->Deliveries().size());
}

TEST_P(ForgeSuite, Fault_X23_FollowsARenamedRepositoryByItsId) {
  const std::int64_t issue = OpenIssue();
  server_->With([&](sandbox::World& world) {
    ASSERT_TRUE(world.RenameRepo(*world.FindRepo(kRepo), "acme/gadget").ok());
  });
  const auto repo = forge_->GetRepo(kRepo);
  ASSERT_TRUE(repo.ok()) << repo.error().message;
  EXPECT_EQ(repo->ref.id, repo_.id);
  EXPECT_EQ(repo->ref.path, "acme/gadget");
  // By the reference of before, reads still find their way.
  EXPECT_TRUE(forge_->GetIssue(repo_, issue).ok());
  const auto acts = forge_->Feed()->ListActs(repo_, {ThreadKind::kIssue, issue});
  EXPECT_TRUE(acts.ok()) << acts.error().message;
}

TEST_P(ForgeSuite, ADeletedIssueIsNotFound) {
  const std::int64_t issue = OpenIssue();
  server_->With([&](sandbox::World& world) {
    world.DeleteIssue(*world.FindRepo(kRepo), *world.FindUser("acme"), issue);
  });
  EXPECT_EQ(forge_->GetIssue(repo_, issue).error().code, ErrorCode::kNotFound);
  EXPECT_NE(OpenIssue(), issue);
}

}  // namespace swage
