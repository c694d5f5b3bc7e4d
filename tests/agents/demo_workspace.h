// The demo's repository in a directory laid out like a task's workspace, and its own gates to judge
// it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "config/base/process.h"
#include "pipeline/agent.h"
#include "pipeline/isolation/isolation.h"

namespace swage {

class DemoWorkspace {
 public:
  /// Makes the repository below `parent`; SWAGE_CHECKs that it could.
  explicit DemoWorkspace(const std::filesystem::path& parent);
  ~DemoWorkspace();
  DemoWorkspace(const DemoWorkspace&) = delete;
  DemoWorkspace& operator=(const DemoWorkspace&) = delete;

  const std::filesystem::path& home() const { return home_; }
  ProcessRunner& processes() { return *processes_; }

  /// Task number `number` with the text of deploy/demo/`issue_file`: "# title", blank line, body.
  HandOff MakeHandOff(const std::string& issue_file) const;
  /// Writes the hand-off and runs the agent on it; its output is in log().
  Result<AgentResult> RunAgent(const AgentSettings& settings, const HandOff& handoff) {
    return RunAgent(settings, handoff, *processes_);
  }
  /// The same with a runner that encloses its commands.
  Result<AgentResult> RunAgent(const AgentSettings& settings, const HandOff& handoff,
                               ProcessRunner& runner);
  /// What encloses this workspace.
  Cell MakeCell() const;
  /// The gates of the repository's .swage.yml, in order, on what is changed now.
  std::vector<GateVerdict> RunGates();
  /// "git diff --name-only", one path per element.
  std::vector<std::string> ChangedPaths();
  std::string Read(const std::string& path) const;
  /// All that the last agent printed.
  const std::string& log() const { return log_; }

 private:
  std::string Git(std::vector<std::string> arguments);

  std::filesystem::path root_, work_, home_, tmp_, handoff_;
  CommandContext context_;
  std::unique_ptr<ProcessRunner> processes_;
  std::vector<GateSpec> gates_;
  std::string instructions_;
  std::string log_;
};

/// The verdict of gate `name`; SWAGE_CHECKs that there is one.
const GateVerdict& VerdictOf(const std::vector<GateVerdict>& verdicts, const std::string& name);

}  // namespace swage
