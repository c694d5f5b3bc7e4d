#include "bot/demo/agent_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "bot/find_program.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "config/faults.h"
#include "config/settings.h"
#include "pipeline/agent.h"
#include "pipeline/agent_presets.h"

namespace swage::demo {
namespace fs = std::filesystem;
namespace {

// What the presets' programs look for; given to the agent when the user's own environment has it.
constexpr const char* kApiKeys[] = {"ANTHROPIC_API_KEY", "CODEX_API_KEY",  "OPENAI_API_KEY",
                                    "GEMINI_API_KEY",    "GOOGLE_API_KEY", "OPENROUTER_API_KEY",
                                    "DEEPSEEK_API_KEY"};

// Where its model is and how it is set up, for those who have told their agent so by a variable.
constexpr const char* kPassed[] = {
    "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL",
    "CODEX_HOME",         "OPENCODE_CONFIG", "CLAUDE_CONFIG_DIR",
    "GOOSE_PROVIDER",     "GOOSE_MODEL",     "AIDER_MODEL"};

// Of these, the folders in which the agent keeps its login and state: it writes there.
constexpr const char* kOwnFolders[] = {"CODEX_HOME", "CLAUDE_CONFIG_DIR"};

// As many as `agent.extra_path` takes.
constexpr std::size_t kMaxFolders = 20;

// YAML reads JSON strings, so quoting is JSON's.
std::string Quoted(std::string_view text) {
  return DumpJson(nlohmann::json(std::string(text)));
}

// Agents, and the tools that gates need, are often installed per user; their folders are no secret.
std::string ExtraPath() {
  const std::vector<std::string> usual = FoldersOf(kCommandPath);
  std::vector<std::string> folders;
  for (std::string& folder : OwnFolders()) {
    std::error_code ignored;
    const std::string quoted = Quoted(folder);
    const bool known = std::find(usual.begin(), usual.end(), folder) != usual.end() ||
                       std::find(folders.begin(), folders.end(), quoted) != folders.end();
    if (!known && folders.size() < kMaxFolders && fs::is_directory(folder, ignored)) {
      folders.push_back(quoted);
    }
  }
  return folders.empty() ? "" : fmt::format("  extra_path: [{}]\n", Join(folders, ", "));
}

bool IsSet(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

std::string OwnVariables() {
  std::string yaml;
  for (const char* key : kApiKeys) {
    if (IsSet(key)) yaml += fmt::format("    {}: env:{}\n", key, key);
  }
  if (!yaml.empty()) yaml = "  secrets:\n" + yaml;
  std::vector<std::string> passed;
  for (const char* name : kPassed) {
    if (IsSet(name)) passed.emplace_back(name);
  }
  if (!passed.empty()) yaml += fmt::format("  pass_env: [{}]\n", Join(passed, ", "));
  return yaml;
}

// What the agent may write outside of its task.
std::string OwnFoldersYaml() {
  std::vector<std::string> folders;
  for (const char* name : kOwnFolders) {
    if (!IsSet(name)) continue;
    std::error_code ignored;
    const fs::path folder = fs::canonical(std::getenv(name), ignored);
    if (fs::is_directory(folder, ignored)) folders.push_back(Quoted(folder.string()));
  }
  if (folders.empty()) return "";
  return fmt::format("isolation:\n  write: [{}]\n", Join(folders, ", "));
}

// The keys of `agent` that are the user's, and what goes with them.
std::string OwnSettings() {
  return OwnVariables() + ExtraPath() + OwnFoldersYaml();
}

std::string CommandYaml(std::string_view name, const fs::path& program) {
  return fmt::format("agent:\n  preset: command\n  name: {}\n  command: [{}, \"{{task_file}}\"]\n",
                     Quoted(name), Quoted(program.string()));
}

Result<AgentChoice> OwnProgram(const std::string& asked) {
  std::error_code error;
  const fs::path program = fs::canonical(asked, error);
  if (error || !FindProgram(program.string(), {})) {
    return MakeError(ErrorCode::kNotFound,
                     fmt::format("--agent: {} is no program that can be run; check the path, and "
                                 "chmod +x it",
                                 asked));
  }
  AgentChoice choice;
  choice.shown = program.string();
  choice.yaml = CommandYaml(Truncate(program.filename().string(), 60), program) + OwnSettings();
  return choice;
}

Result<AgentChoice> Preset(const std::string& asked) {
  const AgentPreset* preset = FindPreset(asked);
  if (preset == nullptr) {
    const std::string near = NearestWord(asked, AgentPresets());
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("--agent: no agent is called {}{}; there are {}, and any program "
                    "of yours by its path (./my-agent)",
                    Quoted(asked), near.empty() ? "" : fmt::format("; did you mean {}?", near),
                    Join(AgentPresets(), ", ")));
  }
  const std::string& program = preset->argv.front();
  std::vector<std::string> folders = OwnFolders();
  for (std::string& folder : FoldersOf(kCommandPath)) folders.push_back(std::move(folder));
  if (!FindProgram(program, folders)) {
    return MakeError(ErrorCode::kNotFound,
                     fmt::format("--agent {}: there is no command `{}` on your PATH; to install "
                                 "it: {}",
                                 asked, program, preset->install));
  }
  AgentChoice choice;
  choice.shown = asked;
  choice.yaml = fmt::format("agent:\n  preset: {}\n", asked) + OwnSettings();
  if (std::none_of(std::begin(kApiKeys), std::end(kApiKeys), IsSet) &&
      std::none_of(std::begin(kPassed), std::end(kPassed), IsSet)) {
    choice.notes.push_back(fmt::format(
        "no API key in the environment ({}): {} gets a HOME of its own and does not "
        "see your login",
        Join(std::vector<std::string>(std::begin(kApiKeys), std::end(kApiKeys)), ", "), asked));
  }
  return choice;
}

}  // namespace

Result<AgentChoice> ChooseAgent(const std::string& asked, const fs::path& material) {
  if (asked.find('/') != std::string::npos) return OwnProgram(asked);
  if (!asked.empty()) return Preset(asked);
  AgentChoice choice;
  choice.shown = "a SCRIPTED stand-in (no model); --agent NAME uses a real one";
  choice.yaml =
      CommandYaml("scripted stand-in, no model", material / "scripted-agent") + ExtraPath();
  return choice;
}

}  // namespace swage::demo
