// The parts of the sandbox forge below HTTP: routes, diffs, webhooks that fail, many clients at
// once.
#include <fmt/format.h>
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "forge/sandbox/diff.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/http.h"
#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

std::string Matched(const Router& router, const std::string& method, const std::string& path) {
  const Router::Match match = router.Find(method, path);
  std::string out = match.handler != nullptr ? "yes" : match.path_known ? "other method" : "no";
  for (const auto& [name, value] : match.params) out += " " + name + "=" + value;
  return out;
}

TEST(SandboxRouter, DecodesSegmentBySegment) {
  Router router;
  const Handler none = [](const Call&) { return Reply::Empty(204); };
  router.Add("GET", "/projects/{id}/issues", none);
  router.Add("GET", "/repos/{repo}/contents/{path*}", none);
  EXPECT_EQ(Matched(router, "GET", "/projects/group%2Fname/issues"), "yes id=group/name");
  EXPECT_EQ(Matched(router, "GET", "/projects/group/name/issues"), "no");
  EXPECT_EQ(Matched(router, "POST", "/projects/1/issues"), "other method");
  EXPECT_EQ(Matched(router, "GET", "/projects//issues"), "no");
  EXPECT_EQ(Matched(router, "GET", "/repos/r/contents/a/b%20c"), "yes path=a/b c repo=r");
  EXPECT_EQ(Matched(router, "GET", "/repos/r/contents/"), "no");
  EXPECT_EQ(Matched(router, "GET", "/projects/%zz/issues"), "no");
  EXPECT_EQ(Matched(router, "GET", ""), "no");
}

TEST(SandboxRouter, FirstRouteWins) {
  Router router;
  router.Add("GET", "/a/special", [](const Call&) { return Reply::Empty(201); });
  router.Add("GET", "/a/{name}", [](const Call&) { return Reply::Empty(202); });
  EXPECT_EQ(Matched(router, "GET", "/a/special"), "yes");
  EXPECT_EQ(Matched(router, "GET", "/a/other"), "yes name=other");
}

TEST(SandboxForm, DecodesPlusAndPercent) {
  const auto form = ParseForm("a=1+2&b=%2B&c&d=%zz&&e==");
  ASSERT_EQ(form.size(), 5U);
  EXPECT_EQ(form[0].second, "1 2");
  EXPECT_EQ(form[1].second, "+");
  EXPECT_EQ(form[2].second, "");
  EXPECT_EQ(form[3].second, "%zz");
  EXPECT_EQ(form[4].second, "=");
}

class SandboxDiff : public ::testing::Test {
 protected:
  SandboxDiff() {
    SWAGE_CHECK(InitBare(repo_, "main").ok());
    SWAGE_CHECK(CommitFiles(repo_, "main",
                            {{"gone.txt", "a\nb\n"},
                             {"same.txt", "s\n"},
                             {"move.txt", "1\n2\n3\n4\n5\n6\n"},
                             {"edge.txt", "x\ny"}},
                            "One", person_)
                    .ok());
    base_ = *ResolveCommit(repo_, "main");
  }
  std::map<std::string, FileDiff> Diff(const std::string& head) {
    std::map<std::string, FileDiff> by_path;
    for (FileDiff& file : *DiffOf(repo_, base_, head)) by_path[file.path] = file;
    return by_path;
  }

  TempDir dir_{"sandbox-diff-"};
  const std::filesystem::path repo_ = dir_.path() / "r.git";
  const Person person_{"Dev", "dev@example.com", WallTime(std::chrono::seconds(1'700'000'000))};
  std::string base_;
};

TEST_F(SandboxDiff, KnowsWhichLinesAreShown) {
  ASSERT_TRUE(
      CommitFiles(repo_, "main", {{"edge.txt", "x\ny\nz\n"}, {"new.txt", "n\n"}}, "Two", person_)
          .ok());
  ASSERT_TRUE(RemoveFile(repo_, "main", "gone.txt", "Three", person_).ok());
  auto files = Diff("main");
  EXPECT_EQ(files.size(), 3U);
  EXPECT_EQ(files.at("new.txt").status, "added");
  EXPECT_EQ(files.at("new.txt").right_lines, std::set<int>{1});
  EXPECT_EQ(files.at("gone.txt").status, "removed");
  EXPECT_EQ(files.at("gone.txt").left_lines, (std::set<int>{1, 2}));
  EXPECT_TRUE(files.at("gone.txt").right_lines.empty());
  const FileDiff& edge = files.at("edge.txt");
  EXPECT_EQ(edge.added_lines, (std::set<int>{2, 3}));
  EXPECT_EQ(edge.unchanged, (std::map<int, int>{{1, 1}}));
  EXPECT_NE(edge.patch.find("\\ No newline at end of file"), std::string::npos);
  EXPECT_EQ(edge.HunkAbove(true, 2), "@@ -1,2 +1,3 @@\n x\n-y\n\\ No newline at end of file\n+y");
  EXPECT_EQ(edge.HunkAbove(true, 9), "");
}

TEST_F(SandboxDiff, FollowsRenamesAndSkipsBinaries) {
  ASSERT_TRUE(RemoveFile(repo_, "main", "move.txt", "Two", person_).ok());
  ASSERT_TRUE(
      CommitFiles(repo_, "main",
                  {{"moved.txt", "1\n2\n3\n4\n5\n6\n7\n"}, {"b.bin", std::string("\0\1", 2)}},
                  "Three", person_)
          .ok());
  auto files = Diff("main");
  EXPECT_EQ(files.at("moved.txt").status, "renamed");
  EXPECT_EQ(files.at("moved.txt").old_path, "move.txt");
  EXPECT_TRUE(files.at("b.bin").binary);
  EXPECT_TRUE(files.at("b.bin").right_lines.empty());
  EXPECT_FALSE(DiffOf(repo_, base_, std::string(40, 'f')).ok());
}

TEST_F(SandboxDiff, MergesForReal) {
  ASSERT_TRUE(WriteRef(repo_, "refs/heads/side", base_, false).ok());
  ASSERT_TRUE(CommitFiles(repo_, "side", {{"side.txt", "s\n"}}, "Side", person_).ok());
  ASSERT_TRUE(CommitFiles(repo_, "main", {{"main.txt", "m\n"}}, "Main", person_).ok());
  EXPECT_TRUE(*MergesCleanly(repo_, "main", "side"));
  const Result<std::string> merged = MergeInto(repo_, "main", "side", "Merge", person_, false);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(ReadCommit(repo_, *merged)->parents.size(), 2U);
  EXPECT_TRUE(ReadBlobAt(repo_, "main", "side.txt").ok());
  ASSERT_TRUE(CommitFiles(repo_, "side", {{"main.txt", "other\n"}}, "Clash", person_).ok());
  EXPECT_FALSE(*MergesCleanly(repo_, "main", "side"));
  EXPECT_EQ(MergeInto(repo_, "main", "side", "Merge", person_, false).error().code,
            ErrorCode::kConflict);
}

using SandboxCore = SandboxTest;

TEST_F(SandboxCore, ManyClientsAtOnceLoseNothing) {
  constexpr int kClients = 8;
  constexpr int kEach = 25;
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([this, c] {
      for (int i = 0; i < kEach; ++i) {
        Call("POST", "/repos/acme/widget/issues/1/comments", bot_,
             {{"body", fmt::format("{} {}", c, i)}});
        Commit(fmt::format("branch-{}", c), {{"f.txt", fmt::format("{}", i)}});
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->notes.size(), static_cast<std::size_t>(kClients * kEach));
  EXPECT_EQ(forge_->Branches(repo_).size(), static_cast<std::size_t>(kClients + 1));
}

TEST_F(SandboxCore, TwoForgesNeverShareAPort) {
  SandboxOptions options;
  options.data_dir = dir_.path() / "second";
  options.port = forge_->Port();
  EXPECT_EQ(SandboxForge::Start(options).error().code, ErrorCode::kUnavailable);
}

TEST_F(SandboxCore, UnreachableReceiverIsRecorded) {
  forge_->AddWebhook(repo_, "http://127.0.0.1:1/hook", "s");
  forge_->AddWebhook(repo_, "not a url", "s");
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  ASSERT_TRUE(forge_->WaitForWebhooks());
  const std::vector<Delivery> deliveries = forge_->Deliveries();
  ASSERT_EQ(deliveries.size(), 4U);
  for (const Delivery& delivery : deliveries) {
    EXPECT_TRUE(delivery.done);
    EXPECT_EQ(delivery.status, 0);
  }
}

TEST_F(SandboxCore, WaitUntilWakesOnAChangeFromTheOtherSide) {
  std::thread client([this] {
    Call("POST", "/repos/acme/widget/issues", bot_, {{"title", "Bug"}});
  });
  EXPECT_TRUE(
      forge_->WaitUntil([this](World& world) { return !world.FindRepo(repo_)->issues.empty(); }));
  client.join();
  EXPECT_FALSE(forge_->WaitUntil([](World&) { return false; }, std::chrono::milliseconds(1)));
}

class SandboxHookPause : public SandboxTest {
 protected:
  SandboxHookPause() : SandboxTest(Dialect::kGitLab) {}
};

TEST_F(SandboxHookPause, FailingHookIsPausedAfterFourFailures) {
  forge_->AddWebhook(repo_, "http://127.0.0.1:1/hook", "s");
  for (int i = 0; i < 6; ++i) {
    forge_->CreateIssue(repo_, "acme", "Bug", "");
    ASSERT_TRUE(forge_->WaitForWebhooks());
  }
  EXPECT_EQ(forge_->Deliveries().size(), 4U);
  forge_->With([this](World& world) {
    const Hook& hook = world.FindRepo(repo_)->hooks[0];
    EXPECT_TRUE(hook.active);
    EXPECT_GT(*hook.disabled_until, world.Now());
  });
}

}  // namespace
}  // namespace swage::sandbox
