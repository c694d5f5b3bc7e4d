// Loop: agent, snapshot, gates; again with the failures, until the required gates pass or it is no
// use.
//
// One Loop serves one claimed run of one task, in the thread that claimed it. Every step is a row
// before it starts and after it ends, fenced by the lease, so that a restart resumes with the last
// checkpoint: a crash loses at most one agent run (D5). The diff decides what an agent achieved,
// never its exit code (D4).
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/redact.h"
#include "config/isolation_rules.h"
#include "config/settings.h"
#include "pipeline/agent.h"
#include "pipeline/gate.h"
#include "pipeline/runtime/step_environment.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

struct LoopContext {
  Store& store;
  Workspace& workspace;
  Agent& agent;
  ProcessRunner& commands;  ///< the enclosure that agent and gates run in
  const Settings& settings;
  const Redactor& redactor;
};

/// What a run brought to light so far, of which its level of isolation may depend.
struct InFlight {
  std::vector<std::string> touched;  ///< by the change
  std::set<Sign> signs;
};

struct LoopResult {
  CommitSha head;  ///< the commit that the verdicts speak of
  std::vector<GateVerdict> verdicts;
  std::vector<CycleHistory> cycles;
  std::string summary;           ///< the agent's last words; not trusted
  bool secret_in_words = false;  ///< they were withheld
  AgentUsage usage;
  bool green = false;
  std::string stopped_because;  ///< why gates stayed red
  std::vector<std::string> warnings;
  DiffSummary diff;      ///< base to head
  std::set<Sign> signs;  ///< what its commands showed
  /// Set when there is nothing to publish: the reason for kFailed.
  std::string failed_because;
  /// LoopPlan::outgrows said yes: the run goes on elsewhere, from `head` in cycle `cycle`.
  bool outgrown = false;
  int cycle = 0;
};

struct LoopPlan {
  Claimed claimed;
  std::vector<GateSpec> gates;
  int max_cycles = 3;
  std::string repo_instructions;  ///< house rules and the profile's instructions
  std::string requester_email;    ///< for the commits' trailers
  StepEnvironments environments;  ///< what steps see beyond the workspace's own variables
  std::vector<HookSpec> before_agent;
  std::vector<HookSpec> after_agent;
  bool replayed = false;    ///< the checkpoint was made just now, and is kept nowhere yet
  bool reads_only = false;  ///< ask the agent once, and take its words alone (C4)
  /// Asked after each snapshot, before anything runs on it: whether the run must not go on here.
  std::function<bool(const InFlight&)> outgrows = {};
  LoopResult before = {};  ///< what the run achieved before it went on here
};

class Loop {
 public:
  Loop(LoopContext context, LoopPlan plan);

  /// Blocks until the run is decided. Errors: kLeaseLost (touch nothing), kCancelled, others when a
  /// step could not be carried out at all.
  Result<LoopResult> Run(std::stop_token stop);

 private:
  struct AgentRun {
    AgentResult agent;
    std::string summary;
    std::int64_t step = 0;
  };
  struct AgentOutcome {
    Snapshot snapshot;
    bool ran_well = false;
    std::string how;  ///< "exit code 1"
  };

  const Task& task() const { return plan_.claimed.task; }
  const Lease& lease() const { return plan_.claimed.lease; }
  int FirstCycle() const;
  int LastCycle() const;
  /// The step of an agent run of `cycle` whose result is the checkpoint, if a crash left one.
  Result<bool> AgentDoneBefore(int cycle);
  Result<void> WriteHandOff(int cycle);
  Result<LoopResult> Read(std::stop_token stop);
  /// Leaves its step running.
  Result<AgentRun> AskAgent(int cycle, std::stop_token stop);
  Result<void> EndAgentStep(const AgentRun& run, const CommitSha& commit);
  Result<AgentOutcome> RunAgent(int cycle, std::stop_token stop);
  Result<void> RunHook(std::string_view point, const std::vector<HookSpec>& hooks, int cycle,
                       std::stop_token stop);
  bool CameToNothing(const AgentOutcome& outcome, bool first_of_run);
  Result<bool> Outgrown(int cycle);
  /// Fills result_.diff, once per commit.
  Result<void> Diff(const CommitSha& commit);
  bool HasWork() const;
  Result<void> RunGates(int cycle, const CommitSha& commit, std::stop_token stop);
  Result<GateVerdict> RunGate(const GateSpec& gate, int cycle, const CommitSha& commit,
                              const std::vector<std::string>& changed, std::stop_token stop);
  /// Saves it, with what another node would go on from should this one die.
  Result<void> KeepCheckpoint(const CommitSha& commit);
  Result<void> EnterStage(Stage stage, int cycle);
  /// True when the run ends with this cycle; fills result_.
  bool Decide(int cycle);

  LoopContext context_;
  GateRunner gates_;
  LoopPlan plan_;
  LoopResult result_;
  std::optional<CommitSha> diffed_;  ///< what result_.diff is of
  CommitSha checkpoint_;
  TreeSha tree_;                    ///< of checkpoint_, where this process made it
  std::set<std::string> failures_;  ///< signatures of this run's red cycles
};

}  // namespace swage
