// A real agent command from npm, in a workspace of the demo's repository, with the scripted model
// of model_server.mjs.
//
// tests/agents/run installs the commands and sets SWAGE_TEST_MODEL_PORT and, for each,
// SWAGE_TEST_NAME_DIR: the directory with the command. Without them tests are skipped.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>

#include "tests/agents/demo_workspace.h"

namespace swage {

inline constexpr const char* kKey = "canary-key-5521";

inline std::string EnvOf(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? value : "";
}

inline std::string ToUpper(std::string s) {
  for (char& c : s) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return s;
}

struct RealAgent : ::testing::TestWithParam<std::string> {
  TempDir dir{"swage-agents-"};
  AgentSettings settings;
  std::string command_dir;
  std::unique_ptr<DemoWorkspace> demo;

  void SetUp() override {
    command_dir = EnvOf("SWAGE_TEST_" + ToUpper(GetParam()) + "_DIR");
    const std::string port = EnvOf("SWAGE_TEST_MODEL_PORT");
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

}  // namespace swage
