// GateRunner: runs one gate in a workspace and turns what it says into a verdict.
//
// A verdict is decided by the exit code; the report only explains it. A gate that passes with
// findings keeps them (warnings become review comments); a gate whose report cannot be read says so
// as a finding.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.h"
#include "config/base/process.h"
#include "config/repo_policy.h"
#include "pipeline/findings/finding.h"
#include "pipeline/isolation/isolation.h"

namespace swage {

/// kFlaky: failed, and passed when it was run again on the same files (E5). It does not block, and
/// is never shown as a plain pass.
enum class GateOutcome { kPassed, kFailed, kTimedOut, kError, kSkipped, kFlaky };
std::string_view Name(GateOutcome o);  ///< "passed", ...
std::optional<GateOutcome> ParseGateOutcome(std::string_view s);

struct GateVerdict {
  std::string gate;
  bool required = true;
  GateOutcome outcome = GateOutcome::kError;
  std::string summary;  ///< one line: "2 of 14 tests failed", "exit code 1"
  std::chrono::milliseconds duration{0};
  std::vector<Finding> findings;
  std::string log_tail;    ///< last kLogTailBytes of the output, control characters stripped
  CommitSha commit;        ///< what was tested (E6)
  bool limit_hit = false;  ///< it ran into a limit of memory, processes or disk

  /// Whether there is something to mend: it failed, whatever that means for the change.
  bool Failed() const;
  bool Blocks() const { return required && Failed(); }
};

inline constexpr std::size_t kLogTailBytes = 16 << 10;

/// Where a command of a task runs and what it sees; made by the workspace.
struct CommandContext {
  std::filesystem::path workspace;         ///< cwd
  std::map<std::string, std::string> env;  ///< HOME, TMPDIR, PATH, LANG and SWAGE_* only
  std::string name;                        ///< of the workspace, unique on this node
  std::vector<Shared> shares;              ///< what else they need to see: hand-off, objects
  /// For one run of the agent, where the issue grants less than the settings do.
  std::optional<std::chrono::milliseconds> agent_time = {};
};

class GateRunner {
 public:
  explicit GateRunner(ProcessRunner& processes) : processes_(processes) {}

  /// Blocks for at most the gate's timeout. `log` gets the output as it comes. An old report file
  /// is removed first. Errors: kCancelled, kInternal; a failing gate is a verdict, not an error.
  Result<GateVerdict> Run(const GateSpec& gate, const CommandContext& context,
                          const std::vector<std::string>& changed_paths, const CommitSha& commit,
                          const ProcessRunner::Sink& log, std::stop_token stop);

 private:
  ProcessRunner& processes_;
};

/// One verdict of two runs on the same files: `failed`, and `again` if that failed as well.
/// Otherwise kFlaky, with what the first run found as warnings, so that nothing is hidden. Pure.
GateVerdict JoinReruns(GateVerdict failed, GateVerdict again);

/// What the agent is told after failed gates: findings first (by gate), then log tails; at most
/// `max_bytes`, each gate getting its fair share. Pure.
std::string FailureDigest(const std::vector<GateVerdict>& verdicts, std::size_t max_bytes);
/// Equal for two rounds that failed in the same way, whatever their timings (D3).
std::string FailureSignature(const std::vector<GateVerdict>& verdicts);

}  // namespace swage
