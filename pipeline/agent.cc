#include "pipeline/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <system_error>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/agent_output.h"
#include "pipeline/agent_presets.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCustomCommand = "command";
constexpr std::size_t kMaxPromptFile = 1 << 20;
/// Linux refuses a single argument of this size (MAX_ARG_STRLEN, 32 pages), its final NUL included.
constexpr std::size_t kMaxArgument = 128 << 10;
constexpr std::size_t kMaxScratchFiles = 100;

struct Placeholder {
  std::string_view name;
  std::string value;
};

// One pass: what a value contains is never a placeholder itself.
std::string Expand(std::string_view text, const std::array<Placeholder, 4>& values) {
  std::string out;
  while (!text.empty()) {
    const Placeholder* found = nullptr;
    for (const Placeholder& p : values) {
      if (text.starts_with(p.name)) found = &p;
    }
    out += found != nullptr ? found->value : std::string(1, text.front());
    text.remove_prefix(found != nullptr ? found->name.size() : 1);
  }
  return out;
}

std::set<std::string> ScratchNames(const fs::path& workspace, std::string_view prefix) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(workspace, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.starts_with(prefix) && names.size() < kMaxScratchFiles) names.insert(std::move(name));
  }
  return names;
}

class CommandAgent final : public Agent {
 public:
  CommandAgent(AgentPreset preset, AgentSettings settings)
      : preset_(std::move(preset)), settings_(std::move(settings)) {}

  Result<AgentResult> Run(ProcessRunner& runner, const CommandContext& context,
                          const fs::path& handoff_dir, const ProcessRunner::Sink& log,
                          std::stop_token stop) override {
    SWAGE_ASSIGN_OR_RETURN(const ProcessSpec spec, MakeSpec(context, handoff_dir));
    const bool has_scratch = !preset_.scratch_prefix.empty();
    std::set<std::string> before;
    if (has_scratch) before = ScratchNames(context.workspace, preset_.scratch_prefix);

    AgentOutput output(preset_.style);
    const auto sink = [&](std::string_view bytes) {
      output.Add(bytes);
      if (log) log(bytes);
    };
    Result<ProcessResult> process = runner.Run(spec, sink, stop);
    if (!process.ok()) return StartFailure(process.error());
    output.Finish();
    if (has_scratch) RemoveScratch(context.workspace, before);
    if (process->end == ProcessEnd::kStopped) {
      return MakeError(ErrorCode::kCancelled, "the agent was stopped");
    }
    return AgentResult{std::move(process).value(), output.Summary(), output.Usage()};
  }

 private:
  Result<ProcessSpec> MakeSpec(const CommandContext& context, const fs::path& handoff_dir) const {
    const fs::path prompt_file = handoff_dir / "prompt.md";
    const fs::path task_file = handoff_dir / "task.json";
    SWAGE_ASSIGN_OR_RETURN(std::string prompt, ReadFile(prompt_file, kMaxPromptFile));
    ProcessSpec spec;
    spec.cwd = context.workspace.string();
    spec.env = MakeEnv(context);
    spec.env["SWAGE_PROMPT_FILE"] = prompt_file.string();
    spec.env["SWAGE_TASK_FILE"] = task_file.string();
    const std::array<Placeholder, 4> values = {
        Placeholder{"{prompt}", preset_.prompt_on_stdin ? "" : prompt},
        Placeholder{"{prompt_file}", prompt_file.string()},
        Placeholder{"{task_file}", task_file.string()},
        Placeholder{"{workspace}", context.workspace.string()}};
    for (const std::string& element : preset_.argv) spec.argv.push_back(Expand(element, values));
    for (const std::string& element : spec.argv) {
      if (element.size() >= kMaxArgument) {
        return MakeError(
            ErrorCode::kTooLarge,
            fmt::format("the prompt is too long for a command line ({} bytes); use {{prompt_file}} "
                        "in agent.command instead of {{prompt}}",
                        element.size()));
      }
    }
    if (preset_.prompt_on_stdin) spec.stdin_bytes = std::move(prompt);
    spec.time_limit = settings_.time_limit;
    if (context.agent_time) spec.time_limit = std::min(spec.time_limit, *context.agent_time);
    spec.silence_limit = settings_.silence_limit;
    spec.output_cap = settings_.output_cap;
    spec.network = NetworkUse::kAllowList;
    return spec;
  }

  // The workspace's environment, then what the operator passes on by name; nothing else of the
  // bot's own.
  std::map<std::string, std::string> MakeEnv(const CommandContext& context) const {
    std::map<std::string, std::string> env = context.env;
    for (const auto& [name, value] : preset_.env) env[name] = value;
    for (const std::string& name : settings_.pass_env) {
      if (const char* value = std::getenv(name.c_str())) env[name] = value;
    }
    for (const auto& [name, secret] : settings_.secrets) env[name] = secret.value;
    for (const auto& [name, other] : preset_.env_from) {
      if (env.contains(other)) env.try_emplace(name, env.at(other));
    }
    const std::vector<std::string_view> path = Split(env["PATH"], ':');
    std::string extra;
    for (const std::string& dir : settings_.extra_path) {
      if (std::find(path.begin(), path.end(), dir) == path.end()) extra += dir + ":";
    }
    if (!extra.empty()) env["PATH"] = extra + env["PATH"];
    return env;
  }

  Error StartFailure(const Error& error) const {
    if (error.code != ErrorCode::kNotFound) return error.With("start the agent");
    if (preset_.install.empty()) {
      return MakeError(
          ErrorCode::kNotFound,
          fmt::format("there is no command `{}`; check agent.command and agent.extra_path",
                      preset_.argv.front()));
    }
    return MakeError(
        ErrorCode::kNotFound,
        fmt::format("there is no command `{}`; install it ({}), or name its directory in "
                    "agent.extra_path",
                    preset_.argv.front(), preset_.install));
  }

  // The files of the change are what counts: an agent's own notes would end up in the pull request.
  void RemoveScratch(const fs::path& workspace, const std::set<std::string>& before) const {
    for (const std::string& name : ScratchNames(workspace, preset_.scratch_prefix)) {
      if (!before.contains(name)) (void)RemoveTree(workspace / name).ok();
    }
  }

  const AgentPreset preset_;
  const AgentSettings settings_;
};

}  // namespace

std::vector<std::string> AgentPresets() {
  std::vector<std::string> names;
  for (const AgentPreset& preset : BuiltInPresets()) names.emplace_back(preset.name);
  return names;
}

Result<std::unique_ptr<Agent>> MakeAgent(const AgentSettings& settings) {
  AgentPreset preset;
  if (settings.preset == kCustomCommand) {
    if (settings.command.empty() || settings.command.front().empty()) {
      return MakeError(ErrorCode::kInvalid,
                       "agent.command is empty; name a program and its arguments");
    }
    preset.name = kCustomCommand;
    preset.argv = settings.command;
  } else if (const AgentPreset* known = FindPreset(settings.preset)) {
    preset = *known;
  } else {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("unknown agent preset `{}`; known are {}, and `command` with agent.command",
                    settings.preset, Join(AgentPresets(), ", ")));
  }
  return std::unique_ptr<Agent>(std::make_unique<CommandAgent>(std::move(preset), settings));
}

}  // namespace swage
