// Serves the dashboard over realistic rows, among them hostile ones, until its input ends: for
// looking at it, and for tests in a real browser.
//
//   swage_dashboard_preview [PORT]
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "bot/dashboard/dashboard.h"
#include "config/base/files.h"
#include "config/base/redact.h"
#include "tests/harness/canned_store.h"

namespace swage {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class Scene {
 public:
  Scene(CannedStore& store, const Clock& clock, std::filesystem::path data_dir)
      : store_(store), now_(clock.Now()), data_dir_(std::move(data_dir)) {}

  void Build() {
    Merged();
    InReview();
    Failed();
    Hostile();
    Queued();
    Running();
    Troubles();
    Nodes();
  }

 private:
  Task Begin(std::int64_t issue, const std::string& title, TaskState state, minutes age) {
    Task task;
    task.id = TaskId{++tasks_};
    task.repo = {"github", "77", "acme/textkit"};
    task.issue_number = issue;
    task.issue_url = "https://github.example/acme/textkit/issues/" + std::to_string(issue);
    task.text = {title,
                 "Steps to reproduce:\n\n  printf 'a\\nb' | textkit count\n\nExpected 2, got 1.",
                 "9f86d081884c7d659a2feaa0c55ad015"};
    task.requester.login = "mira";
    task.state = state;
    task.base_branch = "main";
    task.base_sha.value = "3f2a9c1e77b04d58aa10c2d9e6f1b0a4c8d7e6f5";
    task.branch = "swage/" + std::to_string(issue) + "-count-last-line";
    task.checkpoint.value = "b81c0de4f7a92c3d5e6f708192a3b4c5d6e7f809";
    task.created = now_ - age;
    task.updated = now_ - age / 2;
    task.attempt = 1;
    return task;
  }

  void SetPr(Task& task, std::int64_t number) {
    task.pr_number = number;
    task.pr_url = "https://github.example/acme/textkit/pull/" + std::to_string(number);
  }

  std::int64_t Ran(const Task& task, int cycle, StepKind kind, const std::string& name,
                   const std::string& outcome, const std::string& summary, seconds took) {
    Step step;
    step.id = ++steps_;
    step.task = task.id;
    step.cycle = cycle;
    step.kind = kind;
    step.name = name;
    step.outcome = outcome;
    step.summary = summary;
    step.required = name != "lint";
    if (kind != StepKind::kProvision)
      step.commit.value = "b81c0de4f7a92c3d5e6f708192a3b4c5d6e7f809";
    step.started = now_ - took;
    if (outcome != "running") step.finished = now_;
    const std::string base =
        "logs/" + std::to_string(task.id.value) + "/" + std::to_string(step.id);
    step.log_path = base + (kind == StepKind::kAgent ? "-agent.log" : ".log");
    std::filesystem::create_directories((data_dir_ / base).parent_path());
    std::ofstream(data_dir_ / step.log_path)
        << "[1/3] Building CXX object src/count.cc.o\n[2/3] Linking textkit_tests\n"
        << "\x1b[32m[3/3] Running 14 tests\x1b[0m\nCountTest.LastLineWithoutNewline ... FAILED\n"
        << "  expected 2, got 1 at tests/count_test.cc:31\n";
    if (kind == StepKind::kAgent) std::ofstream(data_dir_ / (base + "-prompt.log")) << "# Task\n";
    store_.AddStep(step);
    return step.id;
  }

  void Said(const Task& task, minutes ago, const std::string& kind, const std::string& detail) {
    store_.AddEntry(task.id, now_ - ago, kind, detail);
  }

  void Running() {
    Task task = Begin(128, "count: the last line without a newline is not counted",
                      TaskState::kRunning, minutes(6));
    task.stage = Stage::kAgent;
    task.cycle = 2;
    Said(task, minutes(6), "received", "label \"swage\" by mira");
    Said(task, minutes(6), "queued", "run 1");
    Said(task, minutes(5), "claimed", "by node-1, attempt 1");
    Ran(task, 0, StepKind::kProvision, "provision", "ok", "worktree of main at 3f2a9c1e77",
        seconds(1));
    Ran(task, 1, StepKind::kAgent, "codex", "ok", "Counted lines by their ends.", seconds(94));
    Ran(task, 1, StepKind::kGate, "build", "passed", "", seconds(11));
    Ran(task, 1, StepKind::kGate, "tests", "failed", "2 of 14 tests failed", seconds(3));
    Ran(task, 1, StepKind::kGate, "lint", "failed", "1 warning", seconds(2));
    Said(task, minutes(3), "cycle", "cycle 1: 1 gate failed");
    Ran(task, 2, StepKind::kAgent, "codex", "running", "", seconds(41));
    Said(task, minutes(2), "stage", "agent, cycle 2");
    Said(task, minutes(3), "level", "up to level sandbox: the change touches a lock file");
    task.level = IsolationLevel::kSandbox;
    LevelStep chosen;
    chosen.reasons = {"nothing asks for more"};
    LevelStep raised;
    raised.level = IsolationLevel::kSandbox;
    raised.reasons = {
        "the change touches a lock file, so packages that nobody has reviewed may run",
        "its commands asked for hosts that they may not reach"};
    raised.cycle = 1;
    store_.levels[task.id] = {chosen, raised};
    store_.blocked[task.id] = {{"registry.npmjs.example:443", 12}, {"telemetry.example:443", 1}};
    store_.AddFinding(task.id, {{"tests", Severity::kError, "CountTest.LastLineWithoutNewline",
                                 "tests/count_test.cc", 31, "expected 2, got 1", "a"},
                                true,
                                "1",
                                false});
    store_.AddFinding(task.id,
                      {{"lint", Severity::kWarning, "readability-magic-numbers", "src/count.cc", 18,
                        "10 is a magic number; consider a named constant", "b"},
                       true,
                       "2",
                       true});
    store_.AddTask(task);
  }

  void InReview() {
    Task task = Begin(119, "Document the --json flag", TaskState::kInReview, minutes(52));
    task.cycle = 1;
    task.profile = "docs";
    SetPr(task, 131);
    Ran(task, 1, StepKind::kAgent, "codex", "ok", "Added a section to README.md.", seconds(40));
    Ran(task, 1, StepKind::kGate, "build", "passed", "", seconds(10));
    Ran(task, 1, StepKind::kGate, "tests", "passed", "14 tests passed", seconds(3));
    Said(task, minutes(40), "published", "pull request #131 opened");
    store_.AddTask(task);
  }

  void Failed() {
    Task task = Begin(101, "Make the parser twice as fast", TaskState::kFailed, minutes(300));
    task.cycle = 3;
    task.reason = "the tests gate was red after 3 cycles with the same failure twice";
    SetPr(task, 117);
    Ran(task, 3, StepKind::kAgent, "codex", "ok", "", seconds(300));
    Ran(task, 3, StepKind::kGate, "build", "passed", "", seconds(10));
    Ran(task, 3, StepKind::kGate, "tests", "timed_out", "no end after 10 min", seconds(600));
    store_.AddTask(task);
  }

  void Hostile() {
    const std::string evil =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    Task task = Begin(66, evil, TaskState::kWaiting, minutes(90));
    task.reason = "approval: " + evil;
    task.pr_number = 1;
    task.pr_url = "javascript:document.title='owned'";
    task.text.body = evil;
    Ran(task, 1, StepKind::kGate, evil, evil, evil, seconds(1));
    Said(task, minutes(1), evil, evil);
    store_.AddTask(task);
  }

  void Queued() {
    store_.AddTask(
        Begin(129, "Support CRLF files in `textkit wrap`", TaskState::kQueued, minutes(2)));
  }

  void Merged() {
    for (const int issue : {88, 91, 94}) {
      Task task =
          Begin(issue, "Tidy up module " + std::to_string(issue),
                issue == 91 ? TaskState::kCancelled : TaskState::kMerged, minutes(60 * issue));
      SetPr(task, issue + 5);
      task.cycle = 2;
      if (issue == 91) task.reason = "stopped by mira";
      store_.AddTask(task);
    }
  }

  void Troubles() {
    store_.alarms = {{"alarm:silence:github", "",
                      "No webhook of github has arrived for 42 min although there is news."}};
    Pace limited;
    limited.scope = "github";
    limited.breaker = Breaker::kOpen;
    limited.cause = PauseCause::kLimit;
    limited.since = now_ - minutes(6);
    limited.reason = "POST /repos/acme/textkit/pulls: refused for its rate limit";
    store_.AddPace({limited, seconds(95)});
    Pace refused = limited;
    refused.scope = "gitlab";
    refused.cause = PauseCause::kRefused;
    refused.reason = "GET /user: the forge answered 401";
    store_.AddPace({refused, seconds(3'000)});
    store_.parked = {{DeliveryId{812}, "github", "delivery-812", "issue_comment",
                      now_ - minutes(75), 5,
                      "GET /repos/acme/textkit/issues/9: <b>no such issue</b>"}};
    store_.failed_effects = {{EffectId{31}, EffectKind::kReview, "acme/textkit", TaskId{3}, 12,
                              "POST /repos/acme/textkit/pulls/117/reviews: 403 locked",
                              now_ - minutes(190)}};
  }

  void Nodes() {
    const auto node = [&](const std::string& name, const std::string& roles, seconds silent) {
      NodeInfo info;
      info.name = name;
      info.host = "build-7.example.com";
      info.roles = roles;
      info.version = "0.1.0";
      info.started = now_ - minutes(700);
      info.silent_for = silent;
      info.running = roles == "worker" ? 2 : 0;
      if (roles == "worker") info.levels = {IsolationLevel::kShared, IsolationLevel::kWorktree};
      if (name == "worker-1") {
        info.levels.Add(IsolationLevel::kSandbox);
      } else if (roles == "worker") {
        info.lacks = "sandbox: bwrap is not installed; apt install bubblewrap\n";
      }
      if (roles == "worker") info.lacks += "container: podman is not installed; apt install podman";
      store_.nodes.push_back(std::move(info));
    };
    node("front-1", "web, publisher, housekeeping", seconds(3));
    node("worker-1", "worker", seconds(8));
    node("worker-2", "worker", seconds(190));
  }

  CannedStore& store_;
  const WallTime now_;
  const std::filesystem::path data_dir_;
  std::int64_t tasks_ = 0;
  std::int64_t steps_ = 0;
};

int Preview(const std::string& port) {
  const TempDir data_dir("swage-preview-");
  const SystemClock clock;
  const Redactor redactor;
  Log log(LogLevel::kInfo, "text", redactor);
  CannedStore store;
  Scene(store, clock, data_dir.path()).Build();
  Settings settings;
  settings.data_dir = data_dir.path();
  settings.dashboard = "127.0.0.1:" + port;
  Dashboard dashboard(settings, "preview", store, clock, log, [] {});
  if (const Result<void> started = dashboard.Start(); !started.ok()) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("http://127.0.0.1:%d\n", dashboard.Port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  return swage::Preview(argc > 1 ? argv[1] : "0");
}
