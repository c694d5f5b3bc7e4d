// Sources: the manuals of each command ("claude -p", "codex exec", "opencode run", Gemini CLI's
// headless mode, "goose run", aider's scripting page); tests/agents runs claude, codex, gemini and
// opencode. All may edit files and run commands in the workspace, none may ask a question; how far
// they reach beyond it is the business of the isolation around them.
#include "pipeline/agent_presets.h"

#include <algorithm>

namespace swage {
namespace {

// Of the models that agents without one of their own are used with most.
std::vector<std::string> ModelHosts() {
  return {"api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com"};
}

}  // namespace

const std::vector<AgentPreset>& BuiltInPresets() {
  static const std::vector<AgentPreset> presets = {
      {
          .name = "aider",
          .argv = {"aider", "--message-file", "{prompt_file}", "--yes-always", "--no-auto-commits",
                   "--no-dirty-commits", "--no-gitignore", "--no-pretty", "--no-stream",
                   "--no-check-update", "--no-suggest-shell-commands", "--no-restore-chat-history"},
          .env = {},
          .env_from = {},
          .style = AgentStyle::kAider,
          .install = "pipx install aider-chat",
          .scratch_prefix = ".aider.",
          .hosts = ModelHosts(),
      },
      {
          // Tools are named one by one because --dangerously-skip-permissions refuses to run as
          // root.
          .name = "claude",
          .argv = {"claude", "-p", "--permission-mode", "acceptEdits", "--allowedTools",
                   "Bash,Edit,Write,NotebookEdit", "--output-format", "stream-json", "--verbose"},
          .prompt_on_stdin = true,
          .env = {},
          .env_from = {},
          .style = AgentStyle::kClaude,
          .install = "npm install -g @anthropic-ai/claude-code",
          .scratch_prefix = {},
          .hosts = {"api.anthropic.com"},
      },
      {
          // Without a login of its own, `codex exec` reads its key from CODEX_API_KEY alone. Its
          // own sandbox needs namespaces, which no level gives: inside of one no command would
          // start. Plugins it would fetch from the web at each start.
          .name = "codex",
          .argv = {"codex", "exec", "--json", "--skip-git-repo-check", "-s", "danger-full-access",
                   "-c", "analytics.enabled=false", "-c", "features.plugins=false", "-C",
                   "{workspace}", "-"},
          .prompt_on_stdin = true,
          .env = {},
          .env_from = {{"CODEX_API_KEY", "OPENAI_API_KEY"}},
          .style = AgentStyle::kCodex,
          .install = "npm install -g @openai/codex",
          .scratch_prefix = {},
          .hosts = {"api.openai.com"},
      },
      {
          // A folder that nobody has declared trusted makes it ask, which headless means refuse.
          .name = "gemini",
          .argv = {"gemini", "--approval-mode", "yolo", "--output-format", "stream-json"},
          .prompt_on_stdin = true,
          .env = {{"GEMINI_CLI_TRUST_WORKSPACE", "true"}},
          .env_from = {},
          .style = AgentStyle::kGemini,
          .install = "npm install -g @google/gemini-cli",
          .scratch_prefix = {},
          .hosts = {"generativelanguage.googleapis.com"},
      },
      {
          .name = "goose",
          .argv = {"goose", "run", "--no-session", "--output-format", "stream-json", "-i",
                   "{prompt_file}"},
          .env = {{"GOOSE_MODE", "auto"}},
          .env_from = {},
          .style = AgentStyle::kGoose,
          .install = "see https://block.github.io/goose",
          .scratch_prefix = {},
          .hosts = ModelHosts(),
      },
      {
          // A prompt on its command line would be wrapped in quotes, with those inside it escaped.
          .name = "opencode",
          .argv = {"opencode", "run", "--format", "json"},
          .prompt_on_stdin = true,
          .env = {{"OPENCODE_DISABLE_AUTOUPDATE", "1"}},
          .env_from = {},
          .style = AgentStyle::kOpenCode,
          .install = "npm install -g opencode-ai",
          .scratch_prefix = {},
          .hosts = ModelHosts(),
      },
  };
  return presets;
}

const AgentPreset* FindPreset(std::string_view name) {
  const auto& presets = BuiltInPresets();
  const auto it = std::find_if(presets.begin(), presets.end(),
                               [&](const AgentPreset& p) { return p.name == name; });
  return it == presets.end() ? nullptr : &*it;
}

}  // namespace swage
