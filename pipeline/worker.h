// Worker: one claimed run from claim to FinishRun. Prepares the workspace, runs the loop, and
// commits the result as rows; it never writes to a forge.
//
// Run blocks for as long as the work takes and never throws. Many workers run at once, each in its
// own thread; they share only the seams.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/log.h"
#include "config/base/process.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/agent.h"
#include "pipeline/gate.h"
#include "pipeline/isolation/choice.h"
#include "pipeline/isolation/egress.h"
#include "pipeline/isolation/isolations.h"
#include "pipeline/loop.h"
#include "pipeline/publication.h"
#include "pipeline/publisher.h"
#include "pipeline/runtime/task_runtime.h"
#include "pipeline/step_log.h"
#include "pipeline/store/store.h"
#include "pipeline/unfetched.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

struct WorkerContext {
  Store& store;
  Workspaces& workspaces;
  Agent& agent;
  Isolations& isolations;
  ForgeLookup forges;
  const Settings& settings;
  const Redactor& redactor;
  Log& log;
  /// How to wait before another try, at most until a stop; empty = the thread waits.
  std::function<void(std::chrono::milliseconds, std::stop_token)> pause = {};
  TaskRuntimes* runtimes = nullptr;  ///< null = tasks have nothing beside their files
};

/// How long a task rests after its attempt number `attempt` failed: longer each time, and at least
/// what the other side asked for.
std::chrono::milliseconds AttemptDelay(int attempt, std::chrono::milliseconds step,
                                       std::chrono::milliseconds asked);

class Worker {
 public:
  explicit Worker(WorkerContext context);

  /// Writes the end of a run, as Store::FinishRun does.
  using Finish = std::function<Result<void>(const Lease&, const RunOutcome&)>;

  /// `stop` is requested when the task was cancelled, the lease is lost, or the server shuts down.
  /// The task is then given back to the queue, which the store refuses unless the lease still
  /// holds. `finish` is asked again after what may pass.
  void Run(const Claimed& claimed, std::stop_token stop, const Finish& finish);

 private:
  /// The task's branch at the forge.
  struct Branch {
    bool taken_over = false;  ///< it holds what somebody else pushed, or is gone
    CommitSha own_head;       ///< ours, and newer than the database knows; empty = none such
  };
  /// On what the work stands, and what the default branch says about tasks.
  struct Ground {
    std::string base_branch;
    CommitSha base;
    std::string default_branch;
    CommitSha default_head;  ///< the policy's
    RepoPolicy policy;
    std::vector<std::string> notes;  ///< for whoever reads the result
    bool replayed = false;           ///< the checkpoint was made just now: see PutOntoTip
    Unfetched unfetched;
    std::vector<std::string> not_fetched;  ///< the same, for people
  };

  /// What is known of the run, and the level that follows from it.
  struct Standing {
    Evidence evidence;
    Choice choice;
  };

  static constexpr std::string_view kPolicyFile = ".swage.yml";
  static constexpr int kMaxOldPolicies = 20;   // looked through for one that can be read
  static constexpr int kPatientAttempts = 12;  // with the delays below: about five minutes
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{60'000};

  static bool IsTransient(ErrorCode code) {
    return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
  }
  /// Repeats what may work in a moment (a forge that is down, a store that is busy); the task's
  /// lease is renewed meanwhile.
  template <class F>
  auto WithPatience(TaskId task, std::stop_token stop, F&& call) -> decltype(call());
  Result<RunOutcome> Attempt(const Claimed& claimed, std::stop_token stop);
  /// Whether the work may go on, and on what: worker_ground.cc. Brings the claimed task up to date.
  Result<std::optional<RunOutcome>> FindGround(Claimed& claimed, Ground& ground, Forge& forge,
                                               std::stop_token stop);
  Result<std::optional<RunOutcome>> CheckFooting(Task& task, Ground& ground, Forge& forge,
                                                 std::stop_token stop);
  Result<CommitSha> FetchBranch(const Task& task, Forge& forge, const std::string& branch,
                                std::stop_token stop);
  Result<void> FindDefaultHead(const Task& task, Ground& ground, Forge& forge,
                               std::stop_token stop);
  Result<void> ReadPolicy(const Task& task, Ground& ground);
  Result<RepoPolicy> ReadPolicyAt(const RepoRef& repo, const Ground& ground,
                                  const CommitSha& commit);
  Result<RepoPolicy> LastGoodPolicy(const RepoRef& repo, Ground& ground, const Error& faults);
  Result<Branch> LookAtBranch(const Task& task, const std::string& base_branch, Forge& forge,
                              std::stop_token stop);
  Result<std::optional<CommitSha>> FindOwnHead(const Task& task, const std::string& base_branch,
                                               Forge& forge, std::stop_token stop);
  Result<void> GoOnFromOwnHead(Claimed& claimed, const Ground& ground, const CommitSha& head);
  Result<void> FollowByHand(Task& task, const CommitSha& tip);
  Result<std::optional<RunOutcome>> LeaveOldBase(Claimed& claimed, const Ground& ground,
                                                 Forge& forge, std::stop_token stop);
  /// worker_rebase.cc
  Result<std::optional<RunOutcome>> PutOntoTip(Claimed& claimed, Ground& ground, Forge& forge,
                                               std::stop_token stop);
  Result<void> AskForWhatWasLeftOut(Claimed& claimed, const CommitSha& onto,
                                    const Replayed& replayed);
  Result<std::optional<RunOutcome>> LookAtBaseAgain(const Task& task, Forge& forge,
                                                    std::vector<std::string>& warnings,
                                                    std::stop_token stop);
  /// At which level, and whether here: worker_level.cc.
  Result<std::optional<RunOutcome>> SettleLevel(Claimed& claimed, const Ground& ground,
                                                Standing& standing, Forge& forge,
                                                std::stop_token stop);
  Result<std::optional<RunOutcome>> TakeLevel(Claimed& claimed, const Choice& choice, int cycle);
  Result<std::optional<RunOutcome>> MoveUp(Claimed& claimed, const Standing& standing,
                                           const LoopResult& result);
  std::function<bool(const InFlight&)> LevelWatch(const Task& task, const Ground& ground,
                                                  Standing& standing,
                                                  const EgressRecord& egress) const;
  Result<void> KeepRefusals(const Lease& lease, const EgressRecord& egress);
  Result<void> RaiseLevel(Claimed& claimed, const Choice& choice, int cycle);
  Result<std::optional<RunOutcome>> FindRoom(const Claimed& claimed);
  Result<Evidence> GatherEvidence(const Task& task, const Ground& ground, Forge& forge,
                                  std::stop_token stop);
  Result<Author> AuthorOf(const Task& task, Forge& forge);
  bool IsAllowedBot(std::string_view forge, const Actor& actor) const;
  static bool ReadsOnly(const Task& task, const RepoPolicy& policy);
  Result<RunOutcome> ConcludeReader(const Task& task, const LoopResult& result);
  RunOutcome TakenOverOutcome(const Task& task) const;
  Result<void> BringCheckpoint(Claimed& claimed, const Ground& ground, std::stop_token stop);
  Result<void> GoBack(Task& task);
  Result<void> TellOfUnknownProfile(const Task& task, const RepoPolicy& policy);
  Result<std::unique_ptr<Workspace>> Provision(const Claimed& claimed, const Ground& ground,
                                               std::stop_token stop);
  Result<LoopResult> WorkAtLevel(Claimed& claimed, const Ground& ground, const Forge& forge,
                                 Standing& standing, TaskRuntime* runtime, LoopResult before,
                                 std::stop_token stop);
  Result<LoopResult> RunLoop(const Claimed& claimed, const Ground& ground, const Forge& forge,
                             Workspace& workspace, Standing& standing, TaskRuntime* runtime,
                             LoopResult before, std::stop_token stop);
  /// What the task has beside its files, and its hooks: worker_runtime.cc.
  Result<std::unique_ptr<TaskRuntime>> PrepareRuntime(const Task& task, const Ground& ground,
                                                      std::stop_token stop);
  Result<std::optional<IncludeSpec>> FindIncludes(const Task& task, const Ground& ground);
  /// What hooks see; agent and gates see secrets as well.
  Result<CommandContext> Furnish(Workspace& workspace, const Isolation& level,
                                 TaskRuntime* runtime);
  Result<void> SetUp(const Claimed& claimed, const Ground& ground, ProcessRunner& enclosure,
                     const CommandContext& commands, TaskRuntime* runtime, std::stop_token stop);
  void BeforeRemove(const Task& task, const Ground& ground, ProcessRunner& enclosure,
                    const CommandContext& commands, std::stop_token stop);
  /// Into the log, and for people where there is a result.
  void Warn(const Task& task, const std::vector<std::string>& warnings, LoopResult* result);
  Result<void> GatherAnswers(const Task& task, PublicationInput& input);
  Result<RunOutcome> Conclude(const Claimed& claimed, const Ground& ground, LoopResult result);
  RunOutcome GiveBackUntilTheForgeIsBack(const Task& task, const Error& error) const;
  /// What may pass is tried again, as often as a task may be; anything else ends the run.
  RunOutcome AfterError(const Task& task, const Error& error) const;
  static RunOutcome EndAs(TaskState state, const Task& task, std::string reason);
  RunOutcome Failed(const Task& task, std::string reason) const;

  WorkerContext context_;
};

template <class F>
auto Worker::WithPatience(TaskId task, std::stop_token stop, F&& call) -> decltype(call()) {
  auto delay = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    auto result = call();
    if (result.ok() || !IsTransient(result.error().code) || attempt == kPatientAttempts ||
        stop.stop_requested()) {
      return result;
    }
    // Whoever wonders why nothing happens finds it here.
    context_.log.Warn("waiting before another try",
                      {{"task_id", task}, {"attempt", attempt}, {"error", result.error().message}});
    context_.pause(std::max(delay, result.error().retry_after), stop);
    delay = std::min(2 * delay, kLongestPause);
  }
}

}  // namespace swage
