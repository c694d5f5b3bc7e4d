// Real agent commands, driven by the presets.
#include <gtest/gtest.h>

#include "tests/agents/real_agent.h"

namespace swage {
namespace {

TEST_P(RealAgent, MakesARealEditThatPassesTheGates) {
  const auto result = demo->RunAgent(settings, demo->MakeHandOff("issue.md"));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(result->process.Succeeded()) << result->process.Describe() << "\n" << demo->log();
  EXPECT_NE(demo->Read("src/duration.cc").find("std::llround(*number"), std::string::npos)
      << demo->log();
  EXPECT_EQ(demo->ChangedPaths(), std::vector<std::string>{"src/duration.cc"});
  EXPECT_EQ(
      result->summary,
      "I multiply before rounding now, so the fraction of an amount counts. (Scripted model.)");
  ASSERT_TRUE(result->usage);
  EXPECT_EQ(result->usage->input_tokens, 2 * 321);
  EXPECT_EQ(result->usage->output_tokens, 2 * 45);
  EXPECT_EQ(result->process.leftover_processes, 0);
  EXPECT_EQ(demo->log().find(kKey), std::string::npos);
  for (const GateVerdict& v : demo->RunGates()) {
    EXPECT_EQ(v.outcome, GateOutcome::kPassed) << v.gate << ": " << v.summary << "\n" << v.log_tail;
  }
}

// D4: what counts is the files; an exit code of 0 says nothing.
TEST_P(RealAgent, ExitsWithZeroAndNoEditWhenItsModelKnowsNothing) {
  HandOff handoff = demo->MakeHandOff("issue-docs.md");
  handoff.task.text.title = "Make it faster";
  handoff.task.text.body = "It is slow.";
  handoff.repo_instructions.clear();
  const auto result = demo->RunAgent(settings, handoff);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(result->process.Succeeded()) << demo->log();
  EXPECT_TRUE(demo->ChangedPaths().empty());
  EXPECT_EQ(result->summary, "I am a scripted model and know only one issue.");
}

TEST_P(RealAgent, IsEndedByTheTimeLimitWhenItsModelIsDown) {
  PointAt("http://127.0.0.1:9");  // the discard port: nothing listens
  settings.time_limit = std::chrono::seconds(4);
  const auto result = demo->RunAgent(settings, demo->MakeHandOff("issue.md"));
  ASSERT_TRUE(result.ok()) << result.error().message;
  // Giving up by itself with an error would be as good.
  EXPECT_FALSE(result->process.Succeeded()) << demo->log();
  EXPECT_LT(result->process.duration, std::chrono::seconds(20));
  EXPECT_TRUE(demo->ChangedPaths().empty());
}

TEST(MissingAgent, SaysWhatToInstall) {
  TempDir dir{"swage-agents-"};
  DemoWorkspace demo(dir.path());
  AgentSettings settings;
  settings.preset = "goose";
  settings.extra_path = {(dir.path() / "nowhere").string()};
  const auto result = demo.RunAgent(settings, demo.MakeHandOff("issue.md"));
  if (result.ok()) GTEST_SKIP() << "goose is installed here";
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  EXPECT_NE(result.error().message.find("install it"), std::string::npos) << result.error().message;
}

INSTANTIATE_TEST_SUITE_P(Presets, RealAgent,
                         ::testing::Values("claude", "codex", "gemini", "opencode"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace swage
