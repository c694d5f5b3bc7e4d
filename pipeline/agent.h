// Agent: a command that edits a workspace. Nothing it says or does is trusted; only the files
// count.
//
// A preset is a row in agent_presets.cc: argv with placeholders, and how to read the summary and
// usage from its output. Placeholders: {prompt} (the text), {prompt_file}, {task_file},
// {workspace}; each stands alone or inside one argv element, and no shell ever sees them (T24).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/process.h"
#include "config/settings.h"
#include "pipeline/gate.h"
#include "pipeline/remark.h"
#include "pipeline/task.h"

namespace swage {

/// What happened in an earlier round, for the next one (D2, D3).
struct CycleHistory {
  int cycle = 0;
  CommitSha commit;
  bool passed = false;
  std::string digest;  ///< FailureDigest, empty when passed
};

/// Everything an agent is told; written as task.json and prompt.md outside the workspace (D2).
struct HandOff {
  Task task;
  int cycle = 1;
  std::vector<GateSpec> gates;
  std::vector<CycleHistory> history;
  std::vector<Remark> remarks;  ///< texts of `/swage fix` and of reviews, oldest first
  std::string repo_instructions;
  bool reads_only = false;  ///< an answer is wanted, and no change (C4)
};

std::string RenderTaskJson(const HandOff& handoff);
std::string RenderPrompt(const HandOff& handoff);

struct AgentUsage {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  double cost_usd = 0;
};

struct AgentResult {
  ProcessResult process;
  std::string summary;  ///< the agent's own last words, at most 4 KiB; may be empty
  std::optional<AgentUsage> usage;
};

class Agent {
 public:
  virtual ~Agent() = default;
  /// Blocks for at most the settings' time limit. The command runs through `runner`, the task's own
  /// enclosure; `handoff_dir` holds task.json and prompt.md.
  /// Errors: kNotFound (no such command; says what to install), kCancelled, kInternal.
  virtual Result<AgentResult> Run(ProcessRunner& runner, const CommandContext& context,
                                  const std::filesystem::path& handoff_dir,
                                  const ProcessRunner::Sink& log, std::stop_token stop) = 0;
};

/// Names of the built-in presets, sorted.
std::vector<std::string> AgentPresets();
/// Errors: kInvalid for an unknown preset or an empty command.
Result<std::unique_ptr<Agent>> MakeAgent(const AgentSettings& settings);

}  // namespace swage
