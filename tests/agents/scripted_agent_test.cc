// The demo's material as the demo uses it: make-repo, scripted-agent, the repository's own gates.
#include <gtest/gtest.h>

#include "tests/agents/demo_workspace.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

struct ScriptedAgent : ::testing::Test {
  TempDir dir{"swage-demo-"};
  DemoWorkspace demo{dir.path()};
  AgentSettings settings;

  void SetUp() override {
    settings.preset = "command";
    settings.command = {test::SourcePath("deploy/demo/scripted-agent").string(), "{task_file}"};
  }

  AgentResult Run(const HandOff& handoff) {
    auto result = demo.RunAgent(settings, handoff);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    EXPECT_TRUE(result->process.Succeeded()) << demo.log();
    EXPECT_NE(demo.log().find("no model is involved"), std::string::npos);
    return std::move(result).value();
  }

  // Cycle 1, its gates, and the hand-off of cycle 2.
  HandOff AfterFirstCycle() {
    HandOff handoff = demo.MakeHandOff("issue.md");
    Run(handoff);
    handoff.history.push_back({1, {}, false, FailureDigest(demo.RunGates(), 16'000)});
    handoff.cycle = 2;
    return handoff;
  }

  HandOff AfterSecondCycle() {
    HandOff handoff = AfterFirstCycle();
    Run(handoff);
    handoff.history.push_back({2, {}, true, ""});
    handoff.cycle = 3;
    handoff.task.run = 2;
    handoff.task.run_kind = RunKind::kFix;
    return handoff;
  }
};

TEST_F(ScriptedAgent, NeedsExactlyOneFixCycle) {
  HandOff handoff = demo.MakeHandOff("issue.md");
  Run(handoff);
  EXPECT_EQ(demo.ChangedPaths(), std::vector<std::string>{"src/duration.cc"});
  const std::vector<GateVerdict> first = demo.RunGates();
  EXPECT_EQ(VerdictOf(first, "build").outcome, GateOutcome::kPassed);
  EXPECT_EQ(VerdictOf(first, "tests").outcome, GateOutcome::kFailed);
  EXPECT_EQ(VerdictOf(first, "tests").summary, "1 of 10 tests failed");
  EXPECT_EQ(VerdictOf(first, "style").outcome, GateOutcome::kFailed);
  ASSERT_EQ(VerdictOf(first, "tests").findings.size(), 1u);
  EXPECT_EQ(VerdictOf(first, "tests").findings[0].path, "tests/duration_test.cc");
  EXPECT_GT(VerdictOf(first, "tests").findings[0].line, 0);
  ASSERT_EQ(VerdictOf(first, "style").findings.size(), 1u);
  EXPECT_EQ(VerdictOf(first, "style").findings[0].rule, "line-length");

  handoff.history.push_back({1, {}, false, FailureDigest(first, 16'000)});
  handoff.cycle = 2;
  const AgentResult second = Run(handoff);
  EXPECT_NE(second.summary.find("round to the nearest millisecond"), std::string::npos);
  EXPECT_NE(second.summary.find("no model"), std::string::npos);
  const std::vector<GateVerdict> verdicts = demo.RunGates();
  for (const GateVerdict& v : verdicts) {
    EXPECT_EQ(v.outcome, GateOutcome::kPassed) << v.gate << ": " << v.summary << "\n" << v.log_tail;
  }
  EXPECT_EQ(FailureSignature(verdicts), "");

  // Something is left to say on a line of the diff.
  const GateVerdict& build = VerdictOf(verdicts, "build");
  ASSERT_EQ(build.findings.size(), 1u);
  EXPECT_EQ(build.findings[0].path, "src/duration.cc");
  EXPECT_EQ(build.findings[0].severity, Severity::kWarning);
  EXPECT_GT(build.findings[0].line, 0);
}

TEST_F(ScriptedAgent, TheBaseFailsTheTestsOfTheIssue) {
  HandOff unknown = demo.MakeHandOff("issue.md");
  unknown.task.text.title = "Something else entirely";
  Run(unknown);
  EXPECT_TRUE(demo.ChangedPaths().empty());
  EXPECT_NE(demo.log().find("do not know this issue"), std::string::npos);
  EXPECT_EQ(VerdictOf(demo.RunGates(), "build").outcome, GateOutcome::kSkipped);
}

TEST_F(ScriptedAgent, ReadsTheDigestInsteadOfCountingCycles) {
  HandOff handoff = AfterFirstCycle();
  handoff.history.back().digest =
      "## Gate style (required): exit code 1\n- src/duration.cc:51: error: x [line-length]\n";
  Run(handoff);
  EXPECT_EQ(demo.Read("src/duration.cc").find("llround"), std::string::npos)
      << "it must not fix what the digest does not mention";
  handoff.history.back().digest = "## Gate docs (required): something else\n";
  Run(handoff);
  EXPECT_NE(demo.log().find("no remedy"), std::string::npos);
}

TEST_F(ScriptedAgent, FollowsRemarksThatItKnows) {
  HandOff handoff = AfterSecondCycle();
  handoff.remarks = {{1, "Please add a line to the changelog"}};
  Run(handoff);
  EXPECT_NE(demo.Read("CHANGELOG.md").find("## Unreleased\n\n- `ParseDuration` keeps the fraction"),
            std::string::npos);
  handoff.remarks.push_back({2, "and silence the conversion warning"});
  Run(handoff);
  const std::vector<GateVerdict> verdicts = demo.RunGates();
  for (const GateVerdict& v : verdicts) EXPECT_EQ(v.outcome, GateOutcome::kPassed) << v.gate;
  EXPECT_TRUE(VerdictOf(verdicts, "build").findings.empty());
}

TEST_F(ScriptedAgent, ChangesNothingForARemarkThatItDoesNotKnow) {
  HandOff handoff = AfterSecondCycle();
  const std::string before = demo.Read("src/duration.cc");
  handoff.remarks = {{1, "$(touch pwned); `touch pwned` \"; touch pwned #"}};
  const AgentResult result = Run(handoff);
  EXPECT_NE(result.summary.find("Nothing was changed"), std::string::npos);
  EXPECT_EQ(demo.Read("src/duration.cc"), before);
  EXPECT_EQ(demo.ChangedPaths(), std::vector<std::string>{"src/duration.cc"});
}

TEST_F(ScriptedAgent, SolvesTheSecondIssueWithoutTouchingTheCode) {
  Run(demo.MakeHandOff("issue-docs.md"));
  EXPECT_EQ(demo.ChangedPaths(), std::vector<std::string>{"README.md"});
  const std::vector<GateVerdict> verdicts = demo.RunGates();
  EXPECT_EQ(VerdictOf(verdicts, "tests").outcome, GateOutcome::kSkipped);
  EXPECT_EQ(VerdictOf(verdicts, "style").outcome, GateOutcome::kPassed);
  EXPECT_EQ(FailureSignature(verdicts), "");
}

}  // namespace
}  // namespace swage
