#include "bot/dashboard/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "bot/dashboard/live_events.h"
#include "bot/dashboard/log_tail.h"
#include "config/base/files.h"
#include "config/base/redact.h"
#include "config/base/text.h"
#include "tests/harness/canned_store.h"
#include "tests/harness/raw_http.h"

namespace swage {
namespace {

using testing::HasSubstr;

constexpr const char* kEvil = "<img src=x onerror=alert(1)>\"'{{title}}&";

class DashboardTest : public testing::Test {
 protected:
  DashboardTest() {
    settings_.dashboard = "127.0.0.1:0";
    settings_.data_dir = dir_.path();
    std::filesystem::create_directories(dir_.path() / "logs/7");
    Task task;
    task.id = TaskId{7};
    task.repo = {"hub", "1", "acme/lib"};
    task.issue_number = 12;
    task.issue_url = "https://hub.example/acme/lib/issues/12";
    task.text = {"Parser loses the last line", "It does.", "0123456789abcdef"};
    task.requester.login = "dev";
    task.state = TaskState::kRunning;
    task.stage = Stage::kGates;
    task.cycle = 2;
    task.created = task.updated = clock_.Now();
    task_ = task;
  }

  void Serve() {
    dashboard_ =
        std::make_unique<Dashboard>(settings_, "one", store_, clock_, log_, [this] { ++stored_; });
    const Result<void> started = dashboard_->Start();
    ASSERT_TRUE(started.ok());
  }
  std::string Get(const std::string& path, const std::string& host = "localhost") {
    if (!dashboard_) Serve();
    return Exchange(dashboard_->Port(), "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }
  Step AddStep(std::int64_t id, StepKind kind, int cycle, const std::string& name,
               const std::string& outcome) {
    Step step;
    step.id = id;
    step.task = task_.id;
    step.cycle = cycle;
    step.kind = kind;
    step.name = name;
    step.outcome = outcome;
    step.log_path = LogPath(id, kind);
    step.started = clock_.Now();
    store_.AddStep(step);
    return step;
  }
  static std::string LogPath(std::int64_t id, StepKind kind) {
    return "logs/7/" + std::to_string(id) + (kind == StepKind::kAgent ? "-agent.log" : ".log");
  }
  void WriteLog(const std::string& relative, const std::string& text) {
    std::ofstream(dir_.path() / relative, std::ios::app | std::ios::binary) << text;
  }

  SystemClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  TempDir dir_;
  CannedStore store_;
  Settings settings_;
  Task task_;
  std::atomic<int> stored_{0};
  std::unique_ptr<Dashboard> dashboard_;
};

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(DashboardTest, ListsTasksWithWhatNeedsAHumanFirst) {
  store_.AddTask(task_);
  Task review = task_;
  review.id = TaskId{8};
  review.state = TaskState::kInReview;
  review.text.title = "Add a flag";
  review.pr_number = 41;
  review.pr_url = "https://hub.example/acme/lib/pull/41";
  store_.AddTask(review);
  AddStep(1, StepKind::kGate, 1, "old", "failed");
  AddStep(2, StepKind::kGate, 2, "tests", "passed");
  const std::string page = Get("/");
  EXPECT_EQ(StatusOf(page), 200);
  EXPECT_LT(page.find("Add a flag"), page.find("Parser loses")) << page;
  EXPECT_TRUE(Has(page, "gates, cycle 2"));
  EXPECT_TRUE(Has(page, "✓ tests"));
  EXPECT_FALSE(Has(page, "old</span>")) << "gates of an older cycle";
  EXPECT_TRUE(Has(page, "https:&#x2F;&#x2F;hub.example") || Has(page, "https://hub.example"));
  EXPECT_TRUE(Has(page, "PR #41"));
}

TEST_F(DashboardTest, AForgeThatIsLeftAloneIsTheFirstThingToSee) {
  PaceView pace;
  pace.pace.scope = "hub";
  pace.pace.breaker = Breaker::kOpen;
  pace.pace.cause = PauseCause::kRefused;
  pace.pace.reason = std::string("401 ") + kEvil;
  pace.left = std::chrono::seconds(40);
  store_.AddPace(pace);
  const std::string page = Get("/");
  EXPECT_NE(page.find("hub is left alone"), std::string::npos) << page;
  EXPECT_NE(page.find("40.0 s"), std::string::npos);
  EXPECT_NE(page.find("credential"), std::string::npos) << "what to do about it";
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_LT(page.find("alarm"), page.find("Needs a human"));
}

TEST_F(DashboardTest, WhatWasGivenUpIsShownWithItsReason) {
  ParkedDelivery delivery;
  delivery.id = {17};
  delivery.forge = "hub";
  delivery.event = "issues";
  delivery.outcome = "cannot be decided: <b>no JSON</b>";
  store_.parked.push_back(delivery);
  FailedEffect effect;
  effect.kind = EffectKind::kReview;
  effect.repo_path = "acme/lib";
  effect.task = {3};
  effect.error = "the forge said 422";
  store_.failed_effects.push_back(effect);
  const std::string page = Get("/");
  EXPECT_THAT(page, HasSubstr("delivery 17 of hub (issues)"));
  EXPECT_THAT(page, HasSubstr("cannot be decided: &lt;b&gt;no JSON"));
  EXPECT_THAT(page, HasSubstr("<a class=\"title\" href=\"/tasks/3\">review for acme/lib</a>"));
  EXPECT_THAT(page, HasSubstr("the forge said 422"));
}

TEST_F(DashboardTest, AnEmptyStoreIsAFriendlyPage) {
  const std::string page = Get("/");
  EXPECT_EQ(StatusOf(page), 200);
  EXPECT_TRUE(Has(page, "Nothing waits for you."));
}

TEST_F(DashboardTest, ShowsTheNodesAndWhichOfThemIsSilent) {
  NodeInfo one;
  one.name = "one";
  one.host = kEvil;
  one.roles = "web, publisher";
  one.url = "javascript:alert(1)";
  NodeInfo two;
  two.name = "two";
  two.url = "https://two.example.com";
  two.silent_for = std::chrono::minutes(3);
  two.running = 5;
  store_.nodes = {one, two};
  const std::string page = Get("/nodes");
  EXPECT_EQ(StatusOf(page), 200);
  EXPECT_TRUE(Has(page, "this one"));
  EXPECT_TRUE(Has(page, "web, publisher"));
  EXPECT_TRUE(Has(page, "✗ silent"));
  EXPECT_TRUE(Has(page, "3 min 0 s ago")) << page;
  EXPECT_TRUE(Has(page, "two.example.com"));
  EXPECT_FALSE(Has(page, "javascript:"));
  EXPECT_FALSE(Has(page, "<img src=x"));
}

TEST_F(DashboardTest, ShowsWhatANodeCanGiveAndWhyNotTheRest) {
  NodeInfo one;
  one.name = "one";
  one.levels = {IsolationLevel::kShared, IsolationLevel::kWorktree};
  one.lacks = "sandbox: bwrap is not installed; apt install bubblewrap\ncontainer: <b>no podman";
  NodeInfo web;
  web.name = "web";
  store_.nodes = {one, web};
  const std::string page = Get("/nodes");
  EXPECT_TRUE(Has(page, "✓ worktree"));
  EXPECT_TRUE(Has(page, "– sandbox"));
  EXPECT_TRUE(Has(page, "apt install bubblewrap"));
  EXPECT_FALSE(Has(page, "<b>no podman"));
  EXPECT_TRUE(Has(page, "runs no tasks"));
}

TEST_F(DashboardTest, ATasksPageTellsItsLevelAndWhy) {
  task_.level = IsolationLevel::kSandbox;
  store_.AddTask(task_);
  LevelStep chosen;
  chosen.reasons = {"nothing asks for more"};
  LevelStep raised;
  raised.level = IsolationLevel::kSandbox;
  raised.reasons = {"the change touches a lock file", kEvil};
  raised.cycle = 2;
  store_.levels[task_.id] = {chosen, raised};
  store_.blocked[task_.id] = {{"registry.example.com:443", 3}};
  const std::string page = Get("/tasks/7");
  EXPECT_TRUE(Has(page, "nothing asks for more"));
  EXPECT_TRUE(Has(page, "the change touches a lock file"));
  EXPECT_TRUE(Has(page, ">cycle 2</td>"));
  EXPECT_TRUE(Has(page, ">the start</td>"));
  EXPECT_TRUE(Has(page, "kept from 1 host<"));
  EXPECT_TRUE(Has(page, "registry.example.com:443"));
  EXPECT_FALSE(Has(page, "<img src=x"));
}

TEST_F(DashboardTest, ALogOnAnotherNodeIsLinkedThereOrNamed) {
  settings_.public_url = "https://one.example.com";
  store_.AddTask(task_);
  NodeInfo two;
  two.name = "two";
  two.url = "https://two.example.com";
  NodeInfo three;
  three.name = "three";
  store_.nodes = {two, three};
  std::int64_t id = 0;
  for (const char* node : {"one", "two", "three", "gone"}) {
    Step step;
    step.id = ++id;
    step.task = task_.id;
    step.kind = StepKind::kGate;
    step.name = "tests";
    step.outcome = "passed";
    step.log_path = LogPath(id, StepKind::kGate);
    step.node = node;
    store_.AddStep(step);
  }
  const std::string page = Get("/tasks/7");
  EXPECT_EQ(StatusOf(page), 200);
  const auto linked = [&](const std::string& url) {
    return Has(page, "href=\"" + url + "\"") ||
           Has(page, "href=\"" + ReplaceAll(url, "/", "&#x2F;") + "\"");
  };
  EXPECT_TRUE(linked("/tasks/7/logs/1")) << page;
  EXPECT_TRUE(linked("https://two.example.com/tasks/7/logs/2"));
  EXPECT_TRUE(Has(page, "on node three"));
  EXPECT_FALSE(linked("/tasks/7/logs/3"));
  EXPECT_TRUE(Has(page, "on node gone"));
}

TEST_F(DashboardTest, Threat_T55_NothingThatStrangersWroteIsMarkup) {
  task_.text.title = task_.text.body = task_.reason = task_.requester.login = kEvil;
  task_.branch = task_.repo.path = task_.profile = kEvil;
  task_.pr_number = 1;
  task_.pr_url = "javascript:alert(1)";
  task_.issue_url = "https://x/\"onmouseover=alert(1)";
  store_.AddTask(task_);
  Step step = AddStep(1, StepKind::kGate, 1, kEvil, kEvil);
  store_.AddFinding(task_.id, {{kEvil, Severity::kError, kEvil, kEvil, 3, kEvil, "f"}, {}, {}, {}});
  store_.AddEntry(task_.id, clock_.Now(), kEvil, kEvil);
  for (const std::string path : {"/", "/tasks/7"}) {
    const std::string page = Get(path);
    EXPECT_EQ(StatusOf(page), 200);
    EXPECT_FALSE(Has(page, "<img src=x")) << page;
    EXPECT_FALSE(Has(page, "javascript:")) << page;
    EXPECT_FALSE(Has(page, "\"onmouseover")) << page;
    EXPECT_TRUE(Has(page, "{{title}}")) << "a value was taken for a template";
    EXPECT_TRUE(Has(page, "Content-Security-Policy: default-src 'self';"));
    EXPECT_FALSE(Has(page, "<style")) << "inline style";
    EXPECT_FALSE(Has(page, "<script>")) << "inline script";
    EXPECT_TRUE(Has(page, "X-Content-Type-Options: nosniff"));
  }
}

TEST_F(DashboardTest, Threat_T53_OtherHostNamesAreRefused) {
  settings_.public_url = "https://swage.example.com/x";
  EXPECT_EQ(StatusOf(Get("/", "evil.example")), 421);
  EXPECT_EQ(StatusOf(Get("/", "localhost.evil.example:8421")), 421);
  EXPECT_EQ(StatusOf(Get("/events", "evil.example")), 421);
  EXPECT_EQ(StatusOf(Get("/", "[::2]:80")), 421);
  for (const char* host :
       {"localhost", "LOCALHOST:8421", "127.0.0.1:1", "[::1]", "[::1]:8421", "swage.example.com"}) {
    EXPECT_EQ(StatusOf(Get("/", host)), 200) << host;
  }
}

TEST_F(DashboardTest, Threat_T56_RefusesToBeReachableFromOutside) {
  settings_.dashboard = "0.0.0.0:0";
  Dashboard dashboard(settings_, "one", store_, clock_, log_, [this] { ++stored_; });
  const Result<void> started = dashboard.Start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kInvalid);
}

TEST_F(DashboardTest, Threat_T57_ViewersAreCappedAndPagesGoOn) {
  store_.AddTask(task_);
  Serve();
  std::vector<std::unique_ptr<RawHttp>> viewers;
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    viewers.push_back(std::make_unique<RawHttp>(dashboard_->Port()));
    viewers.back()->Send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    refused += StatusOf(viewers.back()->ReadUntil("\r\n\r\n")) == 503;
  }
  EXPECT_GE(refused, 60 - 32);
  EXPECT_EQ(StatusOf(Get("/tasks/7")), 200);
}

TEST_F(DashboardTest, AHooksLogIsLinkedAsAGatesIs) {
  store_.AddTask(task_);
  AddStep(1, StepKind::kProvision, 1, "hook before_agent", "failed");
  const std::string page = Get("/tasks/7");
  EXPECT_TRUE(Has(page, "hook before_agent"));
  EXPECT_TRUE(Has(page, "/tasks/7/logs/1\""));
}

TEST_F(DashboardTest, TaskPageShowsCyclesFindingsAndHandOff) {
  task_.text.body = "The last line is lost.";
  store_.AddTask(task_);
  AddStep(1, StepKind::kAgent, 1, "codex", "ok");
  AddStep(2, StepKind::kGate, 1, "build", "passed");
  AddStep(3, StepKind::kGate, 1, "tests", "failed");
  AddStep(4, StepKind::kAgent, 2, "codex", "running");
  WriteLog("logs/7/1-prompt.log", "Fix it, please");
  WriteLog("logs/7/1-agent.log", "agent says hello\n");
  store_.AddFinding(task_.id,
                    {{"tests", Severity::kError, "r", "src/a.cc", 3, "boom", "f"}, true, "", {}});
  store_.AddEntry(task_.id, clock_.Now(), "cycle", "cycle 1: 1 gate failed");
  const std::string page = Get("/tasks/7");
  EXPECT_EQ(StatusOf(page), 200);
  EXPECT_LT(page.find("Cycle 2"), page.find("Cycle 1"));
  EXPECT_TRUE(Has(page, "✗ failed"));
  EXPECT_TRUE(Has(page, "1 failed"));
  EXPECT_TRUE(Has(page, "boom"));
  EXPECT_TRUE(Has(page, "The last line is lost."));
  EXPECT_TRUE(Has(page, "cycle 1: 1 gate failed"));
  EXPECT_TRUE(Has(Get("/tasks/7/handoff/1/prompt"), "Fix it, please"));
  EXPECT_TRUE(Has(Get("/tasks/7/logs/1"), "agent says hello"));
  EXPECT_EQ(StatusOf(Get("/tasks/7/handoff/3/prompt")), 404) << "no agent step";
  EXPECT_EQ(StatusOf(Get("/tasks/7/handoff/1/agent")), 404) << "only the two files";
}

TEST_F(DashboardTest, UnknownAddressesAre404) {
  store_.AddTask(task_);
  for (const char* path : {"/x", "/tasks", "/tasks/", "/tasks/9", "/tasks/-7", "/tasks/7x",
                           "/tasks/7/", "/tasks/7/logs", "/tasks/7/logs/1", "/tasks/9/events",
                           "/assets/", "/assets/../dashboard.h", "/assets/task.mustache", "//"}) {
    EXPECT_EQ(StatusOf(Get(path)), 404) << path;
  }
  EXPECT_EQ(StatusOf(Get("/assets/style.css")), 200);
  EXPECT_TRUE(Has(Get("/assets/live.js"), "Content-Type: text/javascript"));
}

TEST_F(DashboardTest, LogsAreInertTextBeneathTheDataDirectory) {
  store_.AddTask(task_);
  AddStep(1, StepKind::kGate, 1, "tests", "failed");
  WriteLog("logs/7/1.log", "red \x1b[31mtext\x1b]8;;http://evil\x07 <b>\xFF\n");
  const std::string log = Get("/tasks/7/logs/1");
  EXPECT_TRUE(Has(log, "Content-Type: text/plain; charset=utf-8"));
  EXPECT_FALSE(Has(log, "\x1b"));
  EXPECT_TRUE(Has(log, "red text"));
  std::filesystem::create_symlink("/etc/passwd", dir_.path() / "logs/7/2.log");
  AddStep(2, StepKind::kGate, 1, "tests", "failed");
  EXPECT_FALSE(Has(Get("/tasks/7/logs/2"), "root:"));
}

TEST_F(DashboardTest, StreamsTimelineEntriesAndLogOutput) {
  store_.AddTask(task_);
  AddStep(1, StepKind::kAgent, 1, "codex", "running");
  WriteLog("logs/7/1-agent.log", "first\n");
  store_.AddEntry(task_.id, clock_.Now(), "claimed", "before");
  Serve();
  RawHttp viewer(dashboard_->Port());
  viewer.Send("GET /tasks/7/events?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(Has(viewer.ReadUntil("first"), "event: log"));
  store_.AddEntry(task_.id, clock_.Now(), "stage", "agent");
  WriteLog("logs/7/1-agent.log", "second\nthird");
  const std::string second = viewer.ReadUntil("second");
  EXPECT_TRUE(Has(viewer.ReadUntil("event: timeline"), "id: 2\nevent: timeline\n"));
  EXPECT_FALSE(Has(second, "third")) << "half a line";
  EXPECT_FALSE(Has(second, "before")) << "older than asked for";
  store_.FinishStep(1, "ok", clock_.Now());
  EXPECT_TRUE(Has(viewer.ReadUntil("third"), "third")) << "the rest of an ended log";
  EXPECT_TRUE(Has(viewer.ReadUntil("event: changed"), "event: changed"));
}

TEST(NewestTimelineId, IsFoundWhateverTheNumber) {
  CannedStore store;
  for (std::int64_t n = 0; n < 40; ++n) {
    const Result<std::int64_t> newest = NewestTimelineId(store, TaskId{0});
    ASSERT_TRUE(newest.ok());
    EXPECT_EQ(*newest, n);
    store.AddEntry(TaskId{1 + n % 2}, WallTime{}, "k", "d");
  }
  EXPECT_EQ(*NewestTimelineId(store, TaskId{1}), 39);
  EXPECT_EQ(*NewestTimelineId(store, TaskId{5}), 0);
}

TEST(LogTail, StartsAtALineAndSaysWhatIsMissing) {
  TempDir dir;
  std::ofstream(dir.path() / "a.log") << "0123456789\nabc\ndef\n";
  EXPECT_EQ(*ReadLogTail(dir.path(), "a.log", 100), "0123456789\nabc\ndef\n");
  EXPECT_EQ(*ReadLogTail(dir.path(), "a.log", 9),
            "[11 bytes before this are left out]\nabc\ndef\n");
  EXPECT_FALSE(ReadLogTail(dir.path(), "../a.log", 9).ok());
  EXPECT_FALSE(ReadLogTail(dir.path(), "/etc/passwd", 9).ok());
}

TEST(LogTail, FollowsALongLineInPieces) {
  TempDir dir;
  std::ofstream(dir.path() / "a.log") << std::string(150 << 10, 'x');
  LogFollower follower(dir.path(), "a.log", 1 << 20);
  EXPECT_EQ(follower.Next(false).size(), LogFollower::kMaxPiece);
  EXPECT_EQ(follower.Next(false).size(), LogFollower::kMaxPiece);
  EXPECT_EQ(follower.Next(false), "");
  EXPECT_EQ(follower.Next(true).size(), (150u << 10) - 2 * LogFollower::kMaxPiece);
}

}  // namespace
}  // namespace swage
