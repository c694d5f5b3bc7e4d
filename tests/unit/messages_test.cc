// Every text that people read on a forge, with a golden file each, and the promise that a
// stranger's words stay inert inside them.
#include "pipeline/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/text.h"
#include "tests/harness/golden.h"

namespace swage {
namespace {

using messages::RunReport;
using test::ExpectGolden;
using testing::HasSubstr;
using testing::Not;

Task SampleTask(TaskState state = TaskState::kRunning) {
  Task task;
  task.id = {7};
  task.repo = {"forge", "77", "acme/lib"};
  task.issue_number = 12;
  task.text.title = "Parser drops the last line";
  task.requester = {"5", "ada", false};
  task.state = state;
  task.cycle = 2;
  task.branch = "swage/12-parser-drops-the-last-line";
  task.checkpoint = {"1111111111222222222233333333334444444444"};
  if (state == TaskState::kInReview) {
    task.pr_number = 20;
    task.pr_url = "https://forge.example/acme/lib/pull/20";
  }
  return task;
}

GateVerdict Verdict(std::string gate, GateOutcome outcome, std::string summary) {
  GateVerdict v;
  v.gate = std::move(gate);
  v.outcome = outcome;
  v.summary = std::move(summary);
  v.duration = std::chrono::milliseconds(1'234);
  if (outcome == GateOutcome::kFailed) v.log_tail = "assert 41 == 42\n";
  return v;
}

LevelStep Chosen(IsolationLevel level, std::vector<std::string> reasons, int cycle = 0) {
  LevelStep step;
  step.level = level;
  step.reasons = std::move(reasons);
  step.cycle = cycle;
  step.run = 1;
  return step;
}

RunReport SampleReport(bool green) {
  RunReport r;
  r.task = SampleTask();
  r.head = {"1111111111222222222233333333334444444444"};
  r.agent = "codex";
  r.summary = "The loop stopped one line early; it now reads to the end.";
  r.verdicts = {Verdict("build", GateOutcome::kPassed, "passed"),
                Verdict("tests", green ? GateOutcome::kPassed : GateOutcome::kFailed,
                        green ? "14 tests passed" : "1 of 14 tests failed")};
  GateVerdict style = Verdict("style", GateOutcome::kFailed, "1 finding");
  style.required = false;
  r.verdicts.push_back(style);
  r.cycles = {{1, {"9999999999222222222233333333334444444444"}, false, "digest"},
              {2, r.head, green, green ? "" : "digest"}};
  r.levels = {Chosen(IsolationLevel::kWorktree, {messages::LeastLevel(IsolationLevel::kWorktree)})};
  r.usage = {12'000, 900, 0.31};
  r.public_url = "https://swage.example";
  r.green = green;
  if (!green) r.stopped_because = messages::CyclesUsedUp(2);
  return r;
}

Finding SampleFinding() {
  Finding f;
  f.gate = "style";
  f.severity = Severity::kWarning;
  f.rule = "line-length";
  f.path = "src/parser.cc";
  f.line = 14;
  f.message = "the line has 120 characters";
  f.fingerprint = "abc";
  return f;
}

std::vector<Step> SampleSteps() {
  const auto step = [](int cycle, StepKind kind, std::string name, std::string outcome,
                       std::string summary) {
    Step s;
    s.cycle = cycle;
    s.kind = kind;
    s.name = std::move(name);
    s.outcome = std::move(outcome);
    s.summary = std::move(summary);
    return s;
  };
  return {step(1, StepKind::kAgent, "codex", "ok", "Wrote a first version"),
          step(1, StepKind::kGate, "tests", "failed", "1 of 14 tests failed"),
          step(2, StepKind::kAgent, "codex", "running", "")};
}

// Forges read neither mentions nor quick actions inside fenced blocks; GitLab's quick actions are
// the exception that Fence itself takes care of.
std::string OutsideFences(const std::string& text) {
  std::string outside;
  std::string fence;
  for (const std::string_view line : SplitLines(text)) {
    const std::size_t ticks = line.find_first_not_of('`');
    const std::string run(line.substr(0, ticks == std::string_view::npos ? line.size() : ticks));
    if (fence.empty() && run.size() >= 3) {
      fence = run;
    } else if (!fence.empty() && line == fence) {
      fence.clear();
    } else if (fence.empty()) {
      outside += std::string(line) + "\n";
    }
  }
  EXPECT_TRUE(fence.empty()) << "a fence is left open";
  return outside;
}

TEST(Messages, StickyOfEachState) {
  ExpectGolden(
      messages::Sticky(SampleTask(), SampleSteps(), {}, "https://swage.example/", "/swage"),
      "sticky_running.md");
  ExpectGolden(messages::Sticky(SampleTask(TaskState::kInReview), SampleSteps(), {}, "", "/swage"),
               "sticky_in_review.md");
  Task failed = SampleTask(TaskState::kFailed);
  failed.reason = messages::NoChange("codex");
  ExpectGolden(messages::Sticky(failed, {}, {}, "", "/bot"), "sticky_failed.md");
}

TEST(Messages, StickyTellsTheLevelAndWhatATaskWaitsFor) {
  Task task = SampleTask(TaskState::kWaiting);
  task.reason = messages::NoNodeGives(
      IsolationLevel::kSandbox, "one: bwrap is not installed; apt install bubblewrap\ntwo: no");
  const std::vector<LevelStep> levels = {
      Chosen(IsolationLevel::kWorktree, {"nothing asks for more"}),
      Chosen(IsolationLevel::kSandbox, {"a lock file", "a <b>hook</b> of @acme/team"}, 1)};
  ExpectGolden(messages::Sticky(task, SampleSteps(), levels, "", "/swage"), "sticky_level.md");
}

TEST(Messages, PullRequestOfATaskThatWentUpALevel) {
  RunReport r = SampleReport(true);
  r.levels = {Chosen(IsolationLevel::kWorktree, {"nothing asks for more"}),
              Chosen(IsolationLevel::kSandbox,
                     {"the change touches a lock file", "its commands asked for hosts"}, 1),
              Chosen(IsolationLevel::kContainer, {"the policy says so"})};
  r.levels.back().run = 2;
  r.blocked = {{"registry.example.com:443", 12}, {"`|@acme/team`:80", 1}};
  r.warnings = {messages::HeldAtCeiling(IsolationLevel::kContainer, IsolationLevel::kSandbox)};
  ExpectGolden(messages::PullRequestBody(r), "pull_request_level.md");
}

TEST(Messages, BlockedHostsAreListedUpToABound) {
  RunReport r = SampleReport(true);
  for (int i = 0; i < 100; ++i) r.blocked.push_back({std::to_string(i) + ".example.com:443", 1});
  const std::string body = messages::PullRequestBody(r);
  EXPECT_THAT(body, HasSubstr("Kept from 100 hosts"));
  EXPECT_THAT(body, HasSubstr("and 80 more"));
  EXPECT_THAT(body, Not(HasSubstr("99.example.com")));
}

TEST(Messages, AnswerOfATaskThatOnlyReads) {
  Task task = SampleTask();
  task.profile = "explain";
  task.base_sha = {"4444444444222222222233333333334444444444"};
  ExpectGolden(messages::ReaderAnswer(
                   "<!-- m -->", task,
                   "It is read in `src/parser.cc:14`.\n\n/merge\n@acme/team Fixes #3\n<img src=x>",
                   "https://swage.example"),
               "reader_answer.md");
  const std::string longest = messages::ReaderAnswer("m", task, std::string(1 << 20, 'x'), "");
  EXPECT_LT(longest.size(), messages::kMaxAnswerBytes + 2'000);
}

TEST(Messages, WhyALevelCannotBeGiven) {
  EXPECT_EQ(messages::NoNodeGives(IsolationLevel::kContainer, ""),
            "no node can give level container: no node that runs tasks is there");
  EXPECT_EQ(messages::AnotherNodeGives(IsolationLevel::kSandbox, "one"),
            "one cannot give level sandbox; another node goes on");
}

// X28: people see what was tried, when, how it ended, where its log is, and what to do next.
TEST(Messages, StickyOfATaskThatWasGivenUp) {
  Task task = SampleTask(TaskState::kFailed);
  task.attempt = 3;
  task.reason = "given up after 3 attempts: each time the worker was lost before it had a result";
  std::vector<Step> steps = SampleSteps();
  for (Step& step : steps) {
    step.started = FromMicros(1'700'000'000'000'000);
    step.log_path = "logs/7/run1-cycle" + std::to_string(step.cycle) + "-" + step.name + ".log";
  }
  steps.back().outcome = "interrupted";
  ExpectGolden(messages::Sticky(task, steps, {}, "https://swage.example/", "/swage"),
               "sticky_given_up.md");
  ExpectGolden(messages::Sticky(task, {}, {}, "", "/swage"), "sticky_given_up_early.md");
}

TEST(Messages, PullRequestBody) {
  ExpectGolden(messages::PullRequestBody(SampleReport(true)), "pull_request_green.md");
  ExpectGolden(messages::PullRequestBody(SampleReport(false)), "pull_request_red.md");
  RunReport later = SampleReport(true);
  later.earlier = {"A first version.", "Renamed the function."};
  ExpectGolden(messages::PullRequestBody(later), "pull_request_later.md");
}

TEST(Messages, Review) {
  ExpectGolden(messages::ReviewBody(SampleReport(true), {}), "review_green.md");
  ExpectGolden(messages::ReviewBody(SampleReport(false), {SampleFinding()}), "review_red.md");
  ExpectGolden(messages::LineCommentBody(SampleFinding()), "line_comment.md");
}

// Green, and yet to be looked at.
TEST(Messages, AFlakyGateIsShownWithWhatItSaidAtFirst) {
  RunReport report = SampleReport(true);
  GateVerdict failed = SampleReport(false).verdicts[1];
  report.verdicts[1] = JoinReruns(failed, report.verdicts[1]);
  ExpectGolden(messages::ReviewBody(report, {}), "review_flaky.md");
  EXPECT_EQ(messages::StatusDescription(report.verdicts[1]),
            "passed when run again; at first: 1 of 14 tests failed");
}

TEST(Messages, RedReport) {
  ExpectGolden(messages::RedReport(messages::ReplyMarker("red-7-r1"), SampleReport(false)),
               "red_report.md");
}

TEST(Messages, ARebaseSaysOntoWhatAndWhatDidNotFit) {
  Task task;
  task.base_branch = "main";
  task.base_sha.value = std::string(40, 'b');
  task.pushed.value = std::string(40, 'c');
  const CommitSha onto{"0123456789abcdef0123456789abcdef01234567"};
  EXPECT_EQ(messages::PutOnto(task, onto, {}),
            "The work was put onto 0123456789, the newest commit of `main`.");
  EXPECT_EQ(messages::PutOnto(task, onto, {"a.c", "b.c"}),
            "The work was put onto 0123456789, the newest commit of `main`. What it changed in "
            "`a.c`, `b.c` did not fit there and was left to the agent to make anew.");
  const std::string asked = messages::MakeAnew(task, onto, std::vector<std::string>(60, "x"));
  EXPECT_NE(asked.find(onto.value), std::string::npos);
  EXPECT_NE(asked.find(" and 10 more"), std::string::npos);
  EXPECT_NE(asked.find("git diff " + task.base_sha.value + " " + task.pushed.value),
            std::string::npos);
}

TEST(Messages, Answers) {
  const std::string marker = messages::ReplyMarker("501");
  ExpectGolden(messages::Help(marker, "/swage"), "help.md");
  ExpectGolden(messages::Status(marker, SampleTask(), {}, "https://swage.example"), "status.md");
  const Task review = SampleTask(TaskState::kInReview);
  std::string all;
  for (const std::string& sentence :
       {messages::UnknownCommand({"unknown command `rnu`", "run"}, "/swage"),
        messages::UnknownCommand({"unknown command `x`", ""}, "/swage"),
        messages::MayNot(Role::kRead, Role::kWrite), messages::NoTaskHere("/swage"),
        messages::NotMyPullRequest(false), messages::NotMyPullRequest(true),
        messages::RunNeedsAnIssue("/swage"), messages::ThreadClosed(),
        messages::AlreadyWorking(SampleTask()), messages::AlreadyInReview(review, "/swage"),
        messages::NothingToStop(review), messages::NothingToRetry(review, "/swage"),
        messages::NoPullRequestYet(SampleTask()), messages::ClosedIsFinal(review, "/swage"),
        messages::EditedSinceLabelled("swage", "/swage")}) {
    all += messages::Answer(marker, "ada", sentence);
  }
  ExpectGolden(all, "answers.md");
}

TEST(Messages, UnknownProfile) {
  const std::string marker = messages::ReplyMarker("profile-3");
  ExpectGolden(messages::UnknownProfile(marker, "swage:dcos", {"docs", "tests"}) +
                   messages::UnknownProfile(marker, "swage:docs", {}),
               "unknown_profile.md");
}

TEST(Messages, Delegates) {
  const std::string marker = messages::ReplyMarker("501");
  const std::vector<Delegate> both = {{"7", "eve", "ada"}, {"8", "bob", "ada"}};
  std::string all = messages::Delegated(marker, "ada", "eve", "/swage") +
                    messages::Undelegated(marker, "ada", {both[0]}) +
                    messages::Undelegated(marker, "ada", both) +
                    messages::Status(marker, SampleTask(), both, "");
  for (const std::string& sentence :
       {messages::MayNot(Role::kRead, Role::kWrite) + messages::OrBeDelegated("eve", "/swage"),
        messages::NoSuchAccount("evelyn"), messages::BotIsNotListed("helper[bot]"),
        messages::TooManyDelegates(20), messages::NoSuchDelegate("zoe", both),
        messages::NoSuchDelegate("zoe", {})}) {
    all += messages::Answer(marker, "ada", sentence);
  }
  ExpectGolden(all, "delegates.md");
}

const CommitIdentity kBot{"Swage", "swage@localhost"};

TEST(Messages, RunFailed) {
  ExpectGolden(messages::RunFailed(messages::ReplyMarker("failed-3-r2"),
                                   messages::NoChange("codex"), "/swage"),
               "run_failed.md");
}

TEST(Messages, ThreadAnswers) {
  const std::vector<std::string> two = {"src/a.cc", "b.cc"};
  RunReport red = SampleReport(false);
  RunReport bare = SampleReport(true);
  bare.verdicts.clear();
  std::string all;
  for (const std::string& answer :
       {messages::ThreadAnswer({"src/a.cc", two, "used a map"}, SampleReport(true), "/swage"),
        messages::ThreadAnswer({"src/c.cc", two, "@all Fixes #1\n/merge"}, red, "/swage"),
        messages::ThreadAnswer({"", std::vector<std::string>(7, "a.cc"), ""}, bare, "/swage"),
        messages::ThreadAnswer({"src/a.cc", {}, ""}, SampleReport(true), "/swage"),
        messages::ReviewNotTakenUp(SampleTask(), "/swage")}) {
    all += answer + "\n---\n";
  }
  ExpectGolden(all, "thread_answers.md");
}

TEST(Messages, TookOver) {
  ExpectGolden(messages::TookOver(messages::ReplyMarker("took-over-3-0123"), "/swage"),
               "took_over.md");
}

TEST(Messages, BaseRewritten) {
  Task task = SampleTask();
  task.base_branch = "main";
  task.base_sha = {std::string(40, 'b')};
  ExpectGolden(messages::BaseRewritten(messages::ReplyMarker("rewritten-3-bbbb"), task, "/swage"),
               "base_rewritten.md");
}

TEST(Messages, CommitMessage) {
  ExpectGolden(messages::CommitMessage(SampleTask(), 2, "5+ada@users.noreply.forge.example", kBot),
               "commit_message.txt");
}

TEST(Messages, StatusLineFitsTheSmallestForge) {
  EXPECT_LE(
      messages::StatusDescription(Verdict("t", GateOutcome::kFailed, std::string(500, 'x'))).size(),
      140u);
  EXPECT_EQ(messages::StatusContext("tests"), "swage/tests");
}

// T41 to T44: whatever the issue, the agent or a tool says.
TEST(Messages, StrangersWordsAreInertEverywhere) {
  const std::string evil =
      "@acme/team @all Fixes acme/lib#1, closes #2\n/merge\n<img "
      "src=https://x/y.png>\n![i](https://x/y)"
      "\n```\n| a |\x1b[31m";
  RunReport r = SampleReport(false);
  r.summary = evil;
  r.task.text.title = evil;
  r.verdicts[1].summary = evil;
  r.verdicts[1].log_tail = evil;
  r.warnings = {evil};
  Finding f = SampleFinding();
  f.message = evil;
  f.path = evil;
  f.rule = evil;
  for (const std::string& text :
       {messages::PullRequestBody(r), messages::ReviewBody(r, {f}), messages::LineCommentBody(f),
        messages::RedReport("m", r), messages::PullRequestTitle(r.task)}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(testing::ContainsRegex("(^|\n)/merge")));
    // What stands outside fences and code spans must not mention or load anything.
    EXPECT_THAT(OutsideFences(text), Not(HasSubstr("\n@acme/team")));
    EXPECT_THAT(OutsideFences(text), Not(HasSubstr("\n<img")));
  }
  EXPECT_THAT(messages::CommitMessage(r.task, 1, "5+ada@users.noreply.forge.example", kBot),
              Not(HasSubstr("Fixes acme/lib#1")));
}

}  // namespace
}  // namespace swage
