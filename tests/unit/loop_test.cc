// The loop over the real store, a scripted agent and scripted gates: when it goes on, when it
// stops, and what a restart picks up.
#include "pipeline/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "config/base/files.h"
#include "pipeline/store/store_filter.h"
#include "tests/harness/fake_process.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/manual_clock.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Writes the next of `turns` into the workspace; what it reads of its hand-off is kept.
class ScriptedAgent final : public Agent {
 public:
  explicit ScriptedAgent(FakeWorkspace& workspace) : workspace_(workspace) {}

  Result<AgentResult> Run(ProcessRunner&, const CommandContext& context,
                          const std::filesystem::path& handoff, const ProcessRunner::Sink&,
                          std::stop_token) override {
    env = context.env;
    prompts.push_back(*ReadFile(handoff / "prompt.md"));
    if (!turns.empty()) {
      workspace_.files = turns.front();
      turns.erase(turns.begin());
    }
    AgentResult result;
    result.process.exit_code = exit_code;
    result.summary = "I did it.";
    return result;
  }

  std::vector<std::string> turns;
  int exit_code = 0;
  std::vector<std::string> prompts;
  std::map<std::string, std::string> env;  ///< of the last run

 private:
  FakeWorkspace& workspace_;
};

// One that other nodes share, too.
class SharedStore final : public StoreFilter {
 public:
  using StoreFilter::StoreFilter;
  bool SharedByNodes() const override { return true; }
};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    settings_.data_dir = dir_.path();
    settings_.agent.name = "scripted";
    NewTask fresh;
    fresh.repo = {"forge", "77", "acme/lib"};
    fresh.issue_number = 12;
    fresh.text = {"Wrong answer", "It is 41.", "hash"};
    fresh.requester = {"5", "ada", false};
    fresh.branch_prefix = "swage/";
    IntakePlan plan;
    plan.task = fresh;
    id_ = store_->ApplyIntake(plan)->task;
  }

  Claimed Claim() {
    auto claimed = store_->ClaimTask("node", 60s, {});
    EXPECT_TRUE(claimed.ok() && claimed->has_value());
    Claimed mine = std::move(claimed).value().value();
    mine.task.base_sha = FakeCommit(0);
    return mine;
  }

  /// One claimed run. The gate passes when the files say "good"; it says what it saw.
  Result<LoopResult> Run(const Claimed& claimed, std::stop_token stop = {}) {
    LoopPlan plan;
    plan.claimed = claimed;
    plan.max_cycles = max_cycles_;
    plan.requester_email = "ada@forge.example";
    GateSpec gate;
    gate.name = "tests";
    gate.run = {"check"};
    gate.rerun = rerun_;
    plan.gates = {gate};
    if (two_gates_) plan.gates.push_back(plan.gates.front());
    plan.before_agent = before_agent_;
    plan.after_agent = after_agent_;
    plan.environments = environments_;
    plan.outgrows = [this](const InFlight& found) {
      signs_asked_.push_back(found.signs);
      return false;
    };
    Store& store = shared_ ? shared_store_ : *store_;
    Loop loop({store, workspace_, agent_, processes_, settings_, redactor_}, std::move(plan));
    return loop.Run(stop);
  }

  TempDir dir_{"swage-loop-"};
  ManualClock clock_;
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  SharedStore shared_store_{*store_};
  bool shared_ = false;
  Redactor redactor_;
  Settings settings_;
  FakeWorkspace workspace_{FakeCommit(0)};
  ScriptedAgent agent_{workspace_};
  FakeProcessRunner processes_{[this](const ProcessSpec& spec, const ProcessRunner::Sink& sink) {
    if (spec.env.contains("SWAGE_HOOK")) {
      hooks_run_.push_back(spec.argv.front() + " on " + workspace_.files);
      return FakeProcessRunner::Exited(spec.argv.front() == "broken" ? 7 : 0);
    }
    gate_env_ = spec.env;
    seen_by_gates_.push_back(workspace_.files);
    sink("saw " + workspace_.files + "\n");
    const bool good = workspace_.files == "good" ||
                      (workspace_.files == "flaky" && seen_by_gates_.size() % 2 == 0);
    if (rewriting_gates_) workspace_.files = "rewritten by a gate";
    ProcessResult result = FakeProcessRunner::Exited(good ? 0 : 1);
    if (workspace_.files == "hungry") result.excess = "it used more than 64 MiB of memory";
    return result;
  }};
  std::vector<HookSpec> before_agent_;
  std::vector<HookSpec> after_agent_;
  StepEnvironments environments_;
  std::vector<std::string> hooks_run_;
  std::map<std::string, std::string> gate_env_;
  std::vector<std::string> seen_by_gates_;
  std::vector<std::set<Sign>> signs_asked_;
  bool rewriting_gates_ = false;
  bool two_gates_ = false;
  bool rerun_ = false;
  int max_cycles_ = 3;
  TaskId id_;
};

TEST_F(LoopTest, FailuresGoBackToTheAgentUntilTheGatesPass) {
  agent_.turns = {"bad", "good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(result->green);
  EXPECT_EQ(result->head, FakeCommit(2));
  EXPECT_THAT(result->cycles, SizeIs(2));
  ASSERT_THAT(agent_.prompts, SizeIs(2));
  EXPECT_THAT(agent_.prompts[1], HasSubstr("saw bad"));
  EXPECT_THAT(workspace_.messages[0],
              HasSubstr("Co-authored-by: ada <ada@forge.example>\nSigned-off-by: Swage"));
}

TEST_F(LoopTest, ACheckpointTravelsOrTheTimelineSaysWhyNot) {
  shared_ = true;
  agent_.turns = {"bad"};
  max_cycles_ = 1;
  ASSERT_TRUE(Run(Claim()).ok());
  ASSERT_TRUE(store_->LoadCheckpoint(id_)->has_value());
  EXPECT_EQ((*store_->LoadCheckpoint(id_))->commit, FakeCommit(1));

  clock_.Advance(2min);  // the lease is over
  workspace_.pack_failure = MakeError(ErrorCode::kTooLarge, "too much for the way");
  agent_.turns = {"still bad"};
  max_cycles_ = 2;
  ASSERT_TRUE(Run(Claim()).ok());
  EXPECT_FALSE(store_->LoadCheckpoint(id_)->has_value()) << "nobody may go on from the older one";
  const auto timeline = store_->ListTimeline(id_, 0, 100);
  EXPECT_TRUE(std::ranges::any_of(*timeline, [](const TimelineEntry& entry) {
    return entry.detail.find("stays on node node") != std::string::npos &&
           entry.detail.find("too much for the way") != std::string::npos;
  }));
}

TEST_F(LoopTest, NoChangeIsAFailureWhateverTheAgentSays) {
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->failed_because, HasSubstr("changed nothing"));
  EXPECT_THAT(seen_by_gates_, IsEmpty());
}

TEST_F(LoopTest, AnAgentThatFailedWithoutAChangeIsNamed) {
  agent_.exit_code = 3;
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->failed_because, HasSubstr("exit code 3"));
}

TEST_F(LoopTest, TheSameTreeTwiceStopsEarly) {
  agent_.turns = {"bad"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->green);
  EXPECT_EQ(result->stopped_because,
            "Stopped early: the agent left the files as they were although gates failed.");
  EXPECT_THAT(seen_by_gates_, ElementsAre("bad"));
}

TEST_F(LoopTest, TheSameFailureTwiceStopsEarlyAlsoInCircles) {
  max_cycles_ = 9;
  agent_.turns = {"bad", "worse", "bad", "good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->green);
  EXPECT_THAT(result->stopped_because, HasSubstr("same way twice"));
  EXPECT_THAT(seen_by_gates_, ElementsAre("bad", "worse", "bad"));
}

TEST_F(LoopTest, CyclesAreBounded) {
  agent_.turns = {"bad a", "bad b", "bad c", "good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->green);
  EXPECT_THAT(result->stopped_because, HasSubstr("after 3 cycles"));
}

// E6: every gate of a cycle tests the commit that its verdict names.
TEST_F(LoopTest, AGateThatRewritesFilesDoesNotDecideWhatTheNextOneTests) {
  rewriting_gates_ = true;
  two_gates_ = true;
  agent_.turns = {"good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(seen_by_gates_, ElementsAre("good", "good"));
  EXPECT_TRUE(result->green);
}

// E5: told apart from a plain pass, and never hidden.
TEST_F(LoopTest, Fault_X21_AFlakyGateRunsOnceMoreAndIsMarked) {
  rerun_ = true;
  agent_.turns = {"flaky"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(seen_by_gates_, ElementsAre("flaky", "flaky"));
  EXPECT_TRUE(result->green);
  ASSERT_THAT(result->verdicts, SizeIs(1));
  EXPECT_EQ(result->verdicts[0].outcome, GateOutcome::kFlaky);
  EXPECT_EQ(result->verdicts[0].summary, "passed when run again; at first: exit code 1");
  EXPECT_EQ(store_->ListSteps(id_)->back().outcome, "flaky");
}

// What a gate met counts for the level of what follows, as what the agent met does (C3).
TEST_F(LoopTest, ALimitThatAGateHitIsASign) {
  agent_.turns = {"hungry", "good"};
  ASSERT_TRUE(Run(Claim()).ok());
  EXPECT_THAT(signs_asked_, ElementsAre(IsEmpty(), IsEmpty(), ElementsAre(Sign::kLimitHit)));
}

TEST_F(LoopTest, AGateThatFailsAgainIsSimplyRed) {
  rerun_ = true;
  max_cycles_ = 1;
  agent_.turns = {"bad"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(seen_by_gates_, ElementsAre("bad", "bad"));
  EXPECT_EQ(result->verdicts[0].outcome, GateOutcome::kFailed);
  EXPECT_FALSE(result->green);
}

// D5: the agent's work of the cycle is there, so only the gates run again.
TEST_F(LoopTest, ARestartAfterTheAgentGoesOnWithTheGates) {
  agent_.turns = {"good"};
  const Claimed first = Claim();
  ASSERT_TRUE(Run(first).ok());
  // The worker died before it could end the run.
  ASSERT_TRUE(store_->ExpireAllLeases().ok());
  const Claimed second = Claim();
  EXPECT_EQ(second.task.checkpoint, FakeCommit(1));
  const auto result = Run(second);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(result->green);
  EXPECT_EQ(result->head, FakeCommit(1));
  EXPECT_EQ(result->summary, "I did it.");
  EXPECT_THAT(agent_.prompts, SizeIs(1));
  EXPECT_THAT(seen_by_gates_, ElementsAre("good", "good"));
}

TEST_F(LoopTest, GatesAloneRunNoAgentAndOnceOnly) {
  Claimed claimed = Claim();
  claimed.task.run_kind = RunKind::kGates;
  claimed.task.checkpoint = FakeCommit(1);
  workspace_.files = "bad";
  const auto result = Run(claimed);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_FALSE(result->green);
  EXPECT_EQ(result->head, FakeCommit(1));
  EXPECT_THAT(agent_.prompts, IsEmpty());
  EXPECT_THAT(processes_.specs, SizeIs(1));
}

TEST_F(LoopTest, AStopDuringTheAgentLeavesNoCheckpoint) {
  agent_.turns = {"good"};
  std::stop_source stop;
  stop.request_stop();
  const auto result = Run(Claim(), stop.get_token());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(store_->GetTask(id_)->checkpoint.value.empty());
}

TEST_F(LoopTest, ALostLeaseStopsBeforeTheAgentRuns) {
  const Claimed claimed = Claim();
  IntakePlan stop;
  stop.changes.push_back({id_, TaskChangeKind::kCancel, RunKind::kFix, "", "ada", ""});
  ASSERT_TRUE(store_->ApplyIntake(stop).ok());
  const auto result = Run(claimed);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kLeaseLost);
  EXPECT_THAT(agent_.prompts, IsEmpty());
}

TEST_F(LoopTest, SecretsAreMaskedInEverythingThatIsKept) {
  redactor_.Add("hunter2-hunter2");
  agent_.turns = {"hunter2-hunter2", "good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->cycles.front().digest, HasSubstr("saw [redacted]"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() / "logs")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(*ReadFile(entry.path()), testing::Not(HasSubstr("hunter2")));
  }
}

TEST_F(LoopTest, HooksStandAroundEachRunOfTheAgent) {
  before_agent_ = {{{"one"}, 5min}, {{"two"}, 5min}};
  after_agent_ = {{{"format"}, 5min}};
  agent_.turns = {"bad", "good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(hooks_run_, ElementsAre("one on ", "two on ", "format on bad", "one on bad",
                                      "two on bad", "format on good"));
  EXPECT_THAT(result->warnings, IsEmpty());
}

TEST_F(LoopTest, ABrokenHookBeforeTheAgentEndsTheAttempt) {
  before_agent_ = {{{"broken"}, 5min}};
  const auto result = Run(Claim());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(result.error().message, HasSubstr("before_agent failed: exit code 7"));
  EXPECT_THAT(agent_.prompts, IsEmpty());
}

TEST_F(LoopTest, ABrokenHookAfterTheAgentIsAWarning) {
  after_agent_ = {{{"broken"}, 5min}};
  agent_.turns = {"good"};
  const auto result = Run(Claim());
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->green);
  EXPECT_THAT(result->warnings, ElementsAre(testing::ContainsRegex(
                                    "^The hook after_agent failed: exit code 7; its log: "
                                    "logs/[0-9]+/run1-cycle1-hook-after_agent.log.$")));
}

TEST_F(LoopTest, HooksAreStepsWithLogs) {
  before_agent_ = {{{"one"}, 5min}};
  after_agent_ = {{{"broken"}, 5min}};
  agent_.turns = {"good"};
  const Claimed claimed = Claim();
  ASSERT_TRUE(Run(claimed).ok());
  std::vector<std::string> steps;
  for (const Step& step : *store_->ListSteps(claimed.task.id)) {
    if (step.kind != StepKind::kProvision) continue;
    steps.push_back(step.name + " " + step.outcome + " " + std::to_string(step.cycle));
    EXPECT_TRUE(std::filesystem::exists(dir_.path() / step.log_path)) << step.log_path;
  }
  EXPECT_THAT(steps, ElementsAre("hook before_agent ok 1", "hook after_agent failed 1"));
}

TEST_F(LoopTest, EachStepSeesWhatIsItsOwn) {
  environments_.every = {{"PORT", "1"}};
  environments_.agent = {{"KEY", "for the agent"}};
  environments_.gates["tests"] = {{"TOKEN", "for the gate"}};
  agent_.turns = {"good"};
  ASSERT_TRUE(Run(Claim()).ok());
  EXPECT_EQ(agent_.env.at("PORT") + agent_.env.at("KEY"), "1for the agent");
  EXPECT_FALSE(agent_.env.contains("TOKEN"));
  EXPECT_EQ(gate_env_.at("PORT") + gate_env_.at("TOKEN"), "1for the gate");
  EXPECT_FALSE(gate_env_.contains("KEY"));
}

}  // namespace
}  // namespace swage
