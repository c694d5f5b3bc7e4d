#include "pipeline/agent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/base/files.h"
#include "pipeline/agent_output.h"
#include "tests/harness/fake_process.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

struct AgentTest : ::testing::Test {
  TempDir dir{"swage-agent-"};
  fs::path workspace = dir.path() / "work";
  fs::path handoff = dir.path() / "handoff";
  AgentSettings settings;
  FakeProcessRunner processes;
  std::string log;

  void SetUp() override {
    fs::create_directories(workspace);
    fs::create_directories(handoff);
    WritePrompt("# Your task\n\"; touch x #\n{workspace} $(id)\n");
    std::ofstream(handoff / "task.json") << "{}";
  }
  void WritePrompt(std::string_view text) { std::ofstream(handoff / "prompt.md") << text; }

  Result<AgentResult> Run() {
    auto agent = MakeAgent(settings);
    if (!agent.ok()) return agent.error();
    CommandContext context;
    context.workspace = workspace;
    context.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/task/home"}};
    return (*agent)->Run(processes, context, handoff, [&](std::string_view bytes) { log += bytes; },
                         {});
  }
};

TEST_F(AgentTest, KnowsItsPresets) {
  EXPECT_EQ(AgentPresets(),
            (std::vector<std::string>{"aider", "claude", "codex", "gemini", "goose", "opencode"}));
  for (const std::string& name : AgentPresets()) {
    settings.preset = name;
    ASSERT_TRUE(Run().ok()) << name;
    EXPECT_EQ(processes.specs.back().argv.at(0), name);
    EXPECT_EQ(processes.specs.back().cwd, workspace.string());
  }
}

TEST_F(AgentTest, RefusesUnknownPresetsAndEmptyCommands) {
  settings.preset = "cluade";
  auto agent = MakeAgent(settings);
  ASSERT_FALSE(agent.ok());
  EXPECT_EQ(agent.error().code, ErrorCode::kInvalid);
  EXPECT_NE(agent.error().message.find("aider, claude, codex"), std::string::npos);
  settings.preset = "command";
  EXPECT_EQ(MakeAgent(settings).error().code, ErrorCode::kInvalid);
  settings.command = {""};
  EXPECT_EQ(MakeAgent(settings).error().code, ErrorCode::kInvalid);
}

TEST_F(AgentTest, Threat_T24_PlaceholdersAreWholeArgumentsAndNoShellSeesThem) {
  settings.preset = "command";
  settings.command = {
      "my-agent", "--prompt={prompt}", "{prompt_file}", "{task_file}", "{workspace}", "{other}",
      "{"};
  ASSERT_TRUE(Run().ok());
  const std::vector<std::string>& argv = processes.specs.at(0).argv;
  EXPECT_EQ(argv, (std::vector<std::string>{
                      "my-agent", "--prompt=# Your task\n\"; touch x #\n{workspace} $(id)\n",
                      (handoff / "prompt.md").string(), (handoff / "task.json").string(),
                      workspace.string(), "{other}", "{"}));
}

TEST_F(AgentTest, CodexGetsItsPromptOnStdin) {
  settings.preset = "codex";
  ASSERT_TRUE(Run().ok());
  const ProcessSpec& spec = processes.specs.at(0);
  EXPECT_EQ(spec.argv,
            (std::vector<std::string>{"codex", "exec", "--json", "--skip-git-repo-check", "-s",
                                      "danger-full-access", "-c", "analytics.enabled=false", "-c",
                                      "features.plugins=false", "-C", workspace.string(), "-"}));
  EXPECT_TRUE(spec.stdin_bytes.starts_with("# Your task\n"));
}

TEST_F(AgentTest, CodexGetsTheKeyUnderTheNameThatItReads) {
  settings.preset = "codex";
  settings.secrets["OPENAI_API_KEY"] = {"env:OPENAI_API_KEY", "sk-openai-1"};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(processes.specs.back().env.at("CODEX_API_KEY"), "sk-openai-1");
  settings.secrets["CODEX_API_KEY"] = {"env:CODEX_API_KEY", "sk-codex-2"};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(processes.specs.back().env.at("CODEX_API_KEY"), "sk-codex-2");
}

TEST_F(AgentTest, PassesLimitsOn) {
  settings.preset = "claude";
  settings.time_limit = std::chrono::minutes(3);
  settings.silence_limit = std::chrono::seconds(20);
  settings.output_cap = 12'345;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(processes.specs[0].time_limit, std::chrono::minutes(3));
  EXPECT_EQ(processes.specs[0].silence_limit, std::chrono::seconds(20));
  EXPECT_EQ(processes.specs[0].output_cap, 12'345u);
}

TEST_F(AgentTest, Threat_T25_SeesOnlyTheTasksEnvironmentAndWhatIsPassedByName) {
  ::setenv("SWAGE_TEST_PASSED", "yes", 1);
  ::setenv("SWAGE_TEST_CANARY", "canary-7f3a", 1);
  settings.preset = "command";
  settings.command = {"my-agent", "{prompt}"};
  settings.pass_env = {"SWAGE_TEST_PASSED", "SWAGE_TEST_ABSENT"};
  settings.secrets["API_KEY"] = {"env:API_KEY", "sk-canary-91"};
  settings.extra_path = {"/opt/agents/bin", "/bin"};
  ASSERT_TRUE(Run().ok());
  ::unsetenv("SWAGE_TEST_PASSED");
  ::unsetenv("SWAGE_TEST_CANARY");
  const ProcessSpec& spec = processes.specs.at(0);
  EXPECT_EQ(spec.env, (std::map<std::string, std::string>{
                          {"API_KEY", "sk-canary-91"},
                          {"HOME", "/task/home"},
                          {"PATH", "/opt/agents/bin:/usr/bin:/bin"},
                          {"SWAGE_PROMPT_FILE", (handoff / "prompt.md").string()},
                          {"SWAGE_TASK_FILE", (handoff / "task.json").string()},
                          {"SWAGE_TEST_PASSED", "yes"}}));
  for (const std::string& argument : spec.argv)
    EXPECT_EQ(argument.find("canary"), std::string::npos);
}

TEST_F(AgentTest, SaysWhatToInstall) {
  processes = FakeProcessRunner([](const auto&, const auto&) -> Result<ProcessResult> {
    return MakeError(ErrorCode::kNotFound, "no such command");
  });
  settings.preset = "codex";
  const auto preset = Run();
  ASSERT_FALSE(preset.ok());
  EXPECT_EQ(preset.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(preset.error().message,
            "there is no command `codex`; install it (npm install -g @openai/codex), or name its "
            "directory in "
            "agent.extra_path");
  settings.preset = "command";
  settings.command = {"my-agent"};
  EXPECT_NE(Run().error().message.find("agent.command"), std::string::npos);
}

TEST_F(AgentTest, RefusesAPromptThatNoArgumentCanHold) {
  WritePrompt(std::string(200'000, 'x'));
  settings.preset = "command";
  settings.command = {"my-agent", "{prompt}"};
  const auto result = Run();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(result.error().message.find("{prompt_file}"), std::string::npos);
  EXPECT_TRUE(processes.specs.empty());
  settings.command = {"my-agent", "{prompt_file}"};
  EXPECT_TRUE(Run().ok());
}

TEST_F(AgentTest, AStopIsCancelledAndALimitIsAResult) {
  settings.preset = "codex";
  processes = FakeProcessRunner(
      [](const auto&, const auto&) { return FakeProcessRunner::Ended(ProcessEnd::kStopped); });
  EXPECT_EQ(Run().error().code, ErrorCode::kCancelled);
  processes = FakeProcessRunner(
      [](const auto&, const auto&) { return FakeProcessRunner::Ended(ProcessEnd::kSilent); });
  const auto silent = Run();
  ASSERT_TRUE(silent.ok());
  EXPECT_EQ(silent->process.end, ProcessEnd::kSilent);
}

TEST_F(AgentTest, RemovesItsOwnNotesButNobodyElses) {
  std::ofstream(workspace / ".aider.conf.yml") << "model: x";
  processes = FakeProcessRunner([&](const auto&, const auto&) {
    std::ofstream(workspace / ".aider.chat.history.md") << "chat";
    fs::create_directories(workspace / ".aider.tags.cache.v4/x");
    std::ofstream(workspace / "fix.cc") << "int x;";
    return FakeProcessRunner::Exited(0);
  });
  settings.preset = "aider";
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(fs::exists(workspace / ".aider.conf.yml"));
  EXPECT_TRUE(fs::exists(workspace / "fix.cc"));
  EXPECT_FALSE(fs::exists(workspace / ".aider.chat.history.md"));
  EXPECT_FALSE(fs::exists(workspace / ".aider.tags.cache.v4"));
}

// --- what agents say
// -------------------------------------------------------------------------------------

struct Said {
  std::string summary;
  std::optional<AgentUsage> usage;
};

// In pieces of every size, because a pipe does not know about lines.
Said Hear(AgentStyle style, std::string_view text) {
  Said said;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size() + 1}) {
    AgentOutput output(style);
    for (std::string_view rest = text; !rest.empty();
         rest.remove_prefix(std::min(piece, rest.size()))) {
      output.Add(rest.substr(0, piece));
    }
    output.Finish();
    if (piece > 1) {
      EXPECT_EQ(output.Summary(), said.summary);
    }
    said = {output.Summary(), output.Usage()};
  }
  return said;
}

TEST(AgentOutput, ReadsCodex) {
  const Said said = Hear(AgentStyle::kCodex,
                         "WARNING: something\n"
                         "{\"type\":\"thread.started\",\"thread_id\":\"t\"}\n"
                         "{\"type\":\"item.completed\",\"item\":{\"id\":\"0\",\"type\":\"agent_"
                         "message\",\"text\":\"looking\"}}\n"
                         "{\"type\":\"item.completed\",\"item\":{\"id\":\"1\",\"type\":\"command_"
                         "execution\",\"text\":\"no\"}}\n"
                         "{\"type\":\"item.completed\",\"item\":{\"id\":\"2\",\"type\":\"agent_"
                         "message\",\"text\":\"Fixed it.\"}}\n"
                         "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":120,\"cached_"
                         "input_tokens\":20,\"output_tokens\":9}}");
  EXPECT_EQ(said.summary, "Fixed it.");
  ASSERT_TRUE(said.usage);
  EXPECT_EQ(said.usage->input_tokens, 120);
  EXPECT_EQ(said.usage->output_tokens, 9);
}

TEST(AgentOutput, ReadsClaude) {
  const Said said = Hear(AgentStyle::kClaude,
                         R"({"type":"system","subtype":"init"}
{"type":"assistant","message":{"content":[{"type":"text","text":"looking"},{"type":"tool_use","name":"Bash"}]}}
{"type":"result","subtype":"success","result":"Done.","total_cost_usd":0.0234,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":7}}
)");
  EXPECT_EQ(said.summary, "Done.");
  ASSERT_TRUE(said.usage);
  EXPECT_EQ(said.usage->input_tokens, 15);
  EXPECT_DOUBLE_EQ(said.usage->cost_usd, 0.0234);
}

TEST(AgentOutput, ReadsOpenCode) {
  const Said said = Hear(AgentStyle::kOpenCode,
                         R"({"type":"step_start","part":{"type":"step-start"}}
{"type":"text","part":{"type":"text","text":"Fixed."}}
{"type":"step_finish","part":{"type":"step-finish","cost":0.5,"tokens":{"input":3,"output":4,"reasoning":1,"cache":{"read":10,"write":0}}}}
{"type":"step_finish","part":{"type":"step-finish","cost":0.25,"tokens":{"input":1,"output":1}}}
)");
  EXPECT_EQ(said.summary, "Fixed.");
  ASSERT_TRUE(said.usage);
  EXPECT_EQ(said.usage->input_tokens, 14);
  EXPECT_EQ(said.usage->output_tokens, 6);
  EXPECT_DOUBLE_EQ(said.usage->cost_usd, 0.75);
}

TEST(AgentOutput, ReadsGeminiAndGoosePiecewise) {
  const Said gemini = Hear(AgentStyle::kGemini,
                           R"({"type":"message","role":"user","content":"prompt"}
{"type":"message","role":"assistant","content":"first","delta":true}
{"type":"tool_use","tool_name":"edit"}
{"type":"message","role":"assistant","content":"All ","delta":true}
{"type":"message","role":"assistant","content":"done.","delta":true}
{"type":"result","status":"success","stats":{"total_tokens":30,"input_tokens":20,"output_tokens":10}}
)");
  EXPECT_EQ(gemini.summary, "All done.");
  EXPECT_EQ(gemini.usage->output_tokens, 10);
  const Said goose =
      Hear(AgentStyle::kGoose,
           R"({"type":"message","message":{"role":"user","content":[{"type":"toolResponse"}]}}
{"type":"message","message":{"role":"assistant","content":[{"type":"text","text":"Do"}]}}
{"type":"message","message":{"role":"assistant","content":[{"type":"text","text":"ne."}]}}
{"type":"complete","total_tokens":77}
)");
  EXPECT_EQ(goose.summary, "Done.");
  EXPECT_EQ(goose.usage->input_tokens, 77);
}

TEST(AgentOutput, ReadsPlainTextAndAider) {
  const Said text =
      Hear(AgentStyle::kText, "working...\nmore\n\nI changed a.cc.\nIt works now.\n\n");
  EXPECT_EQ(text.summary, "I changed a.cc.\nIt works now.");
  EXPECT_FALSE(text.usage);
  const Said aider =
      Hear(AgentStyle::kAider,
           "I fixed it.\n\nTokens: 2.1k sent, 300 received. Cost: $0.01 message, $0.02 session.\n"
           "Tokens: 1.0k sent, 1.5k cache hit, 100 received.\n");
  EXPECT_EQ(aider.summary, "I fixed it.");
  ASSERT_TRUE(aider.usage);
  EXPECT_EQ(aider.usage->input_tokens, 3'100);
  EXPECT_EQ(aider.usage->output_tokens, 400);
  EXPECT_DOUBLE_EQ(aider.usage->cost_usd, 0.02);
}

TEST(AgentOutput, SurvivesWhatItDoesNotUnderstand) {
  for (const AgentStyle style :
       {AgentStyle::kText, AgentStyle::kClaude, AgentStyle::kCodex, AgentStyle::kOpenCode,
        AgentStyle::kGemini, AgentStyle::kGoose, AgentStyle::kAider}) {
    for (const std::string& text :
         {std::string("{\n[\nnull\n{}\n{\"type\":7}\n"), std::string(200'000, '['),
          std::string(200'000, '{'),
          std::string("{\"type\":\"result\",\"usage\":{\"input_tokens\":-5,\"output_tokens\":1e300}"
                      ",\"total_cost_usd\":-1}\n"),
          std::string("\0\xff\x1b[2J\n", 7)}) {
      AgentOutput output(style);
      output.Add(text);
      output.Finish();
      EXPECT_LE(output.Summary().size(), kMaxSummaryBytes);
      if (output.Usage()) {
        EXPECT_GE(output.Usage()->input_tokens, 0);
        EXPECT_GE(output.Usage()->cost_usd, 0);
      }
    }
  }
}

TEST(AgentOutput, StaysBoundedOnEndlessOutput) {
  AgentOutput output(AgentStyle::kCodex);
  const std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) output.Add(chunk);
  output.Add(
      "\n{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"still "
      "here\"}}\n");
  EXPECT_EQ(output.Summary(), "still here");
  AgentOutput text(AgentStyle::kText);
  for (int i = 0; i < 100'000; ++i) text.Add("a line that goes on\n");
  text.Add("the end\n");
  EXPECT_LE(text.Summary().size(), kMaxSummaryBytes);
}

}  // namespace
}  // namespace swage
