// Real agent commands from npm, driven by the presets, against the scripted model of
// model_server.mjs.
//
// tests/agents/run installs them and sets SWAGE_TEST_CODEX_DIR, SWAGE_TEST_OPENCODE_DIR
// (directories with the commands) and SWAGE_TEST_MODEL_PORT; without them these tests are skipped.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "config/base/text.h"
#include "tests/agents/demo_workspace.h"

namespace swage {
namespace {

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct RealAgent : ::testing::TestWithParam<std::string> {
  TempDir dir{"swage-agents-"};
  AgentSettings settings;
  std::unique_ptr<DemoWorkspace> demo;

  void SetUp() override {
    const std::string dir_variable =
        GetParam() == "codex" ? "SWAGE_TEST_CODEX_DIR" : "SWAGE_TEST_OPENCODE_DIR";
    const std::string port = Env("SWAGE_TEST_MODEL_PORT");
    if (Env(dir_variable.c_str()).empty() || port.empty()) {
      GTEST_SKIP() << "no " << GetParam() << " here; tests/agents/run installs it";
    }
    demo = std::make_unique<DemoWorkspace>(dir.path());
    settings.preset = GetParam();
    settings.extra_path = {Env(dir_variable.c_str())};
    settings.time_limit = std::chrono::minutes(2);
    Configure(port);
  }

  // How an operator would point each at a model of his own.
  void Configure(const std::string& port) {
    const std::string url = fmt::format("http://127.0.0.1:{}/v1", port);
    if (GetParam() == "codex") {
      const std::string config = fmt::format(
          "model = \"scripted\"\nmodel_provider = \"scripted\"\n[model_providers.scripted]\nname = "
          "\"scripted\"\n"
          "base_url = \"{}\"\nwire_api = \"responses\"\nenv_key = \"SCRIPTED_KEY\"\n",
          url);
      ASSERT_TRUE(MakeDirs(demo->home() / ".codex").ok());
      ASSERT_TRUE(WriteFileAtomic(demo->home() / ".codex/config.toml", config).ok());
    } else {
      const std::string config =
          R"({"model":"scripted/scripted","small_model":"scripted/scripted","provider":{"scripted":{)"
          R"("npm":"@ai-sdk/openai-compatible","name":"scripted","options":{"baseURL":")" +
          url + R"(","apiKey":"{env:SCRIPTED_KEY}"},"models":{"scripted":{"name":"scripted"}}}}})";
      ASSERT_TRUE(MakeDirs(demo->home() / ".config/opencode").ok());
      ASSERT_TRUE(WriteFileAtomic(demo->home() / ".config/opencode/opencode.json", config).ok());
      ::setenv("OPENCODE_DISABLE_MODELS_FETCH", "1", 1);
      settings.pass_env = {"OPENCODE_DISABLE_MODELS_FETCH"};
    }
    settings.secrets["SCRIPTED_KEY"] = {"env:SCRIPTED_KEY", "canary-key-5521"};
  }
};

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
  EXPECT_EQ(demo->log().find("canary-key"), std::string::npos);
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
  Configure("9");  // the discard port: nothing listens
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

INSTANTIATE_TEST_SUITE_P(Presets, RealAgent, ::testing::Values("codex", "opencode"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace swage
