// The built-in agents: how to start each without a terminal, and in which form it reports.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace swage {

/// How an agent's output is read; see agent_output.h.
enum class AgentStyle { kText, kClaude, kCodex, kOpenCode, kGemini, kGoose, kAider };

struct AgentPreset {
  std::string_view name;
  std::vector<std::string> argv;  ///< placeholders as in agent.h
  /// The prompt is given on stdin: no limit of the system, and other users' `ps` does not show it.
  bool prompt_on_stdin = false;
  std::map<std::string, std::string> env;
  /// {name, other}: a variable that stands in for another one, which the agent does not read
  /// itself.
  std::map<std::string, std::string> env_from;
  AgentStyle style = AgentStyle::kText;
  std::string_view install;  ///< what to type when the command is missing
  /// Files and directories that the agent keeps for itself at the top of the workspace begin with
  /// this.
  std::string_view scratch_prefix;
  /// Where its model is, as entries of an EgressList; with a login of another kind, or another
  /// model, the operator adds to them (egress.allow).
  std::vector<std::string> hosts = {};
};

/// Sorted by name.
const std::vector<AgentPreset>& BuiltInPresets();
/// nullptr for an unknown name.
const AgentPreset* FindPreset(std::string_view name);

}  // namespace swage
