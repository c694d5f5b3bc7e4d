// Real agent commands from npm, driven by the presets, against the scripted model of
// model_server.mjs.
//
// tests/agents/run installs them and sets SWAGE_TEST_MODEL_PORT and, for each, SWAGE_TEST_NAME_DIR:
// the directory with the command. Without them these tests are skipped.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>

#include "tests/agents/demo_workspace.h"

namespace swage {
namespace {

constexpr const char* kKey = "canary-key-5521";

std::string Env(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? value : "";
}

std::string ToUpper(std::string s) {
  for (char& c : s) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return s;
}

struct RealAgent : ::testing::TestWithParam<std::string> {
  TempDir dir{"swage-agents-"};
  AgentSettings settings;
  std::unique_ptr<DemoWorkspace> demo;

  void SetUp() override {
    const std::string command_dir = Env("SWAGE_TEST_" + ToUpper(GetParam()) + "_DIR");
    const std::string port = Env("SWAGE_TEST_MODEL_PORT");
    if (command_dir.empty() || port.empty()) {
      GTEST_SKIP() << "no " << GetParam() << " here; tests/agents/run installs it";
    }
    demo = std::make_unique<DemoWorkspace>(dir.path());
    settings.preset = GetParam();
    settings.extra_path = {command_dir};
    settings.time_limit = std::chrono::minutes(2);
    PointAt("http://127.0.0.1:" + port);
  }

  void Give(const std::string& name, const std::string& value) {
    settings.secrets[name] = {"env:" + name, value};
  }
  void WriteHome(const std::string& path, const std::string& text) {
    const auto file = demo->home() / path;
    ASSERT_TRUE(MakeDirs(file.parent_path()).ok());
    ASSERT_TRUE(WriteFileAtomic(file, text).ok());
  }

  // How an operator would point each at a model of their own.
  void PointAt(const std::string& url) {
    if (GetParam() == "codex") {
      Give("SCRIPTED_KEY", kKey);
      WriteHome(".codex/config.toml",
                "model = \"scripted\"\nmodel_provider = \"scripted\"\n[model_providers.scripted]\n"
                "name = \"scripted\"\nwire_api = \"responses\"\nenv_key = "
                "\"SCRIPTED_KEY\"\nbase_url = \"" +
                    url + "/v1\"\n");
    } else if (GetParam() == "opencode") {
      Give("SCRIPTED_KEY", kKey);
      Give("OPENCODE_DISABLE_MODELS_FETCH", "1");
      WriteHome(
          ".config/opencode/opencode.json",
          R"({"model":"scripted/scripted","small_model":"scripted/scripted","provider":{"scripted":{)"
          R"("npm":"@ai-sdk/openai-compatible","name":"scripted","options":{"baseURL":")" +
              url +
              R"(/v1","apiKey":"{env:SCRIPTED_KEY}"},"models":{"scripted":{"name":"scripted"}}}}})");
    } else if (GetParam() == "claude") {
      Give("ANTHROPIC_API_KEY", kKey);
      Give("ANTHROPIC_BASE_URL", url);
      Give("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    } else {
      Give("GEMINI_API_KEY", kKey);
      Give("GOOGLE_GEMINI_BASE_URL", url);
      WriteHome(
          ".gemini/settings.json",
          R"({"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false}})");
    }
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
