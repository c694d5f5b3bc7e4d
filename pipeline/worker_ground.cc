// The worker's first half: whether the work is wanted, where it stands, and on what it goes on.
#include <fmt/format.h>

#include <utility>

#include "pipeline/base_drift.h"
#include "pipeline/checkpoint.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"
#include "pipeline/takeover.h"
#include "pipeline/with_remote.h"
#include "pipeline/worker.h"

namespace swage {
namespace {

// A repository that git may not see is not found either, and says something else.
bool IsMissingBranch(const Error& error) {
  return error.code == ErrorCode::kNotFound &&
         error.message.find("has no branch") != error.message.npos;
}

}  // namespace

Result<CommitSha> Worker::FetchBranch(const Task& task, Forge& forge, const std::string& branch,
                                      std::stop_token stop) {
  return WithRemote(forge, task.repo, GitAccess::kRead, [&](const GitRemote& remote) {
    return context_.workspaces.Fetch(task.repo, remote, branch, stop);
  });
}

// Where the work stands, and whether it may go on there: nothing = it may.
Result<std::optional<RunOutcome>> Worker::FindGround(Claimed& claimed, Ground& ground, Forge& forge,
                                                     std::stop_token stop) {
  Task& task = claimed.task;
  SWAGE_ASSIGN_OR_RETURN(auto ended, CheckFooting(task, ground, forge, stop));
  if (ended) return ended;
  // The status comment said "queued" so far, and a first fetch may take a while.
  SWAGE_RETURN_IF_ERROR(context_.store.AddEffects({StickyEffect(task.repo, task.id)}));
  Result<CommitSha> base = WithPatience(
      task.id, stop, [&] { return FetchBranch(task, forge, ground.base_branch, stop); });
  const bool named = ground.base_branch != ground.default_branch;
  if (!base.ok() && base.error().code == ErrorCode::kNotFound && named) {
    return std::optional(
        EndAs(TaskState::kWaiting, task, messages::NoSuchBase(ground.base_branch)));
  }
  if (!base.ok() && IsMissingBranch(base.error())) {
    return std::optional(
        EndAs(TaskState::kFailed, task, messages::NoCommitYet(task.repo.path, ground.base_branch)));
  }
  SWAGE_ASSIGN_OR_RETURN(ground.base, std::move(base));
  SWAGE_ASSIGN_OR_RETURN(const Branch branch, LookAtBranch(task, ground.base_branch, forge, stop));
  SWAGE_RETURN_IF_ERROR(FindDefaultHead(task, ground, forge, stop));
  SWAGE_RETURN_IF_ERROR(ReadPolicy(task, ground));
  if (branch.taken_over) return std::optional(TakenOverOutcome(task));
  task.base_branch = ground.base_branch;
  if (!branch.own_head.value.empty()) {
    SWAGE_RETURN_IF_ERROR(GoOnFromOwnHead(claimed, ground, branch.own_head));
  }
  // What is asked about is the head that people see, not work that was stopped half-way.
  const bool as_seen = task.run_kind == RunKind::kGates || task.run_kind == RunKind::kRebase;
  if (as_seen && !task.pushed.value.empty()) task.checkpoint = task.pushed;
  SWAGE_RETURN_IF_ERROR(FollowByHand(task, ground.base));
  SWAGE_ASSIGN_OR_RETURN(auto parked, LeaveOldBase(claimed, ground, forge, stop));
  if (parked) return parked;
  // The base stands still under work that was begun; without any, the newest is the best.
  if (task.checkpoint.value.empty()) task.base_sha = ground.base;
  SWAGE_RETURN_IF_ERROR(BringCheckpoint(claimed, ground, stop));
  if (task.run_kind == RunKind::kRebase) {
    SWAGE_ASSIGN_OR_RETURN(auto over, PutOntoTip(claimed, ground, forge, stop));
    if (over) return over;
  }
  SWAGE_RETURN_IF_ERROR(context_.store.SetBase(claimed.lease, ground.base_branch, task.base_sha));
  ground.unfetched = FindUnfetched(context_.workspaces, task.repo, task.base_sha);
  ground.not_fetched =
      messages::NotFetched(ground.unfetched.lfs_patterns, ground.unfetched.submodules);
  return std::optional<RunOutcome>();
}

// The word that the work is not wanted any more, or that the repository moved, may have been lost
// (X11, X23, X24). Brings the path of a renamed repository up to date.
Result<std::optional<RunOutcome>> Worker::CheckFooting(Task& task, Ground& ground, Forge& forge,
                                                       std::stop_token stop) {
  const auto end = [&](TaskState state, std::string reason) {
    return std::optional(EndAs(state, task, std::move(reason)));
  };
  const Result<Repo> repo =
      WithPatience(task.id, stop, [&] { return forge.GetRepo(task.repo.path); });
  if (!repo.ok() && repo.error().code == ErrorCode::kNotFound) {
    return end(TaskState::kWaiting, messages::RepoOutOfSight(task.repo.path));
  }
  if (!repo.ok()) return repo.error();
  if (repo->ref.id != task.repo.id) {  // T8
    return MakeError(
        ErrorCode::kDenied,
        fmt::format("{} is another repository now than the one that was labelled; nothing "
                    "was done",
                    task.repo.path));
  }
  if (repo->archived) return end(TaskState::kWaiting, messages::RepoArchived(task.repo.path));
  if (repo->ref.path != task.repo.path) {
    SWAGE_RETURN_IF_ERROR(context_.store.RenameRepo(repo->ref));
    task.repo.path = repo->ref.path;
  }
  ground.default_branch = repo->default_branch;
  ground.base_branch = task.base_branch.empty() ? repo->default_branch : task.base_branch;
  SWAGE_ASSIGN_OR_RETURN(const auto objection, WithPatience(task.id, stop, [&] {
                           return FindObjection(forge, context_.store, task,
                                                TriggersFor(context_.settings));
                         }));
  if (objection) return end(objection->to, objection->reason);
  return std::optional<RunOutcome>();
}

// A task may be for another branch than the one that says how tasks are done (T23).
Result<void> Worker::FindDefaultHead(const Task& task, Ground& ground, Forge& forge,
                                     std::stop_token stop) {
  ground.default_head = ground.base;
  if (ground.base_branch == ground.default_branch) return Ok();
  SWAGE_ASSIGN_OR_RETURN(ground.default_head, WithPatience(task.id, stop, [&] {
                           return FetchBranch(task, forge, ground.default_branch, stop);
                         }));
  return Ok();
}

// Gates come from the default branch or the server, never from the task's branch.
Result<void> Worker::ReadPolicy(const Task& task, Ground& ground) {
  auto policy = ReadPolicyAt(task.repo, ground, ground.default_head);
  if (!policy.ok() && policy.error().code == ErrorCode::kInvalid) {
    policy = LastGoodPolicy(task.repo, ground, policy.error());
  }
  if (!policy.ok() && policy.error().code != ErrorCode::kNotFound) return policy.error();
  if (policy.ok()) ground.policy = std::move(policy).value();
  if (ground.policy.gates.empty() || !context_.settings.policy_gates) {
    ground.policy.gates = context_.settings.gates;
  }
  if (!context_.settings.policy_gates) ground.policy.hooks = {};
  return Ok();
}

Result<RepoPolicy> Worker::ReadPolicyAt(const RepoRef& repo, const Ground& ground,
                                        const CommitSha& commit) {
  SWAGE_ASSIGN_OR_RETURN(const std::string text,
                         context_.workspaces.ReadCommitted(repo, commit, kPolicyFile));
  return ParseRepoPolicy(text,
                         fmt::format("{}@{}:{}", repo.path, ground.default_branch, kPolicyFile));
}

// A slip in the file must not stop all work: what it said before goes on counting, and the slip is
// told (A9).
Result<RepoPolicy> Worker::LastGoodPolicy(const RepoRef& repo, Ground& ground,
                                          const Error& faults) {
  SWAGE_ASSIGN_OR_RETURN(
      const auto earlier,
      context_.workspaces.ListEarlier(repo, ground.default_head, kPolicyFile, kMaxOldPolicies));
  for (const CommitSha& commit : earlier) {
    auto policy = ReadPolicyAt(repo, ground, commit);
    if (!policy.ok()) continue;
    ground.notes.push_back(messages::OldPolicyCounts(commit, faults.message));
    return policy;
  }
  return MakeError(ErrorCode::kInvalid, messages::BrokenPolicy(faults.message));
}

// Whatever stands there that is not ours is never overwritten, and never worked against (F8).
Result<Worker::Branch> Worker::LookAtBranch(const Task& task, const std::string& base_branch,
                                            Forge& forge, std::stop_token stop) {
  if (task.pushed.value.empty()) return Branch{};
  const Result<CommitSha> head =
      WithPatience(task.id, stop, [&] { return FetchBranch(task, forge, task.branch, stop); });
  if (!head.ok() && head.error().code == ErrorCode::kNotFound) return Branch{true, {}};  // deleted
  if (!head.ok()) return head.error();
  // The checkpoint may be there before its row says so.
  if (*head == task.pushed || *head == task.checkpoint) return Branch{};
  // Somebody took commits back: that is a decision, too.
  const auto known = context_.workspaces.FindMergeBase(task.repo, *head, task.pushed);
  if (known.ok() && *known == *head) return Branch{true, {}};
  SWAGE_ASSIGN_OR_RETURN(const auto own, FindOwnHead(task, base_branch, forge, stop));
  return own ? Branch{false, *own} : Branch{true, {}};
}

// The branch's head at the forge, if all of it is ours.
Result<std::optional<CommitSha>> Worker::FindOwnHead(const Task& task,
                                                     const std::string& base_branch, Forge& forge,
                                                     std::stop_token stop) {
  return WithPatience(task.id, stop, [&] {
    return swage::FindOwnHead(context_.workspaces, forge, task, base_branch,
                              context_.settings.commit_email, stop);
  });
}

// The database is older than what it tells of: it came back from a backup (X29).
Result<void> Worker::GoOnFromOwnHead(Claimed& claimed, const Ground& ground,
                                     const CommitSha& head) {
  Task& task = claimed.task;
  context_.log.Warn("the branch holds newer work of ours than the database knows of",
                    {{"task_id", task.id}, {"head", head}});
  SWAGE_ASSIGN_OR_RETURN(const auto base,
                         context_.workspaces.FindMergeBase(task.repo, ground.base, head));
  task.checkpoint = head;
  task.pushed = head;
  if (base) task.base_sha = *base;
  SWAGE_RETURN_IF_ERROR(context_.store.SaveCheckpoint(claimed.lease, {task.checkpoint}));
  return context_.store.AddNote(claimed.lease, messages::GoesOnFromBranch(task.checkpoint));
}

// Somebody has put the branch that the work goes on from elsewhere: onto the new base, or an older
// one. There the work stands from now on, so that nothing of theirs is taken for something else.
Result<void> Worker::FollowByHand(Task& task, const CommitSha& tip) {
  const bool goes_on_from_it = !task.pushed.value.empty() && task.checkpoint == task.pushed;
  if (!goes_on_from_it || task.base_sha.value.empty()) return Ok();
  Workspaces& workspaces = context_.workspaces;
  // A base that the mirror lacks is not in the branch, which was fetched.
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(workspaces, task.repo, task.base_sha, task.pushed));
  if (drift != BaseDrift::kRewritten) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const auto foot, workspaces.FindMergeBase(task.repo, tip, task.pushed));
  if (foot) task.base_sha = *foot;
  return Ok();
}

// What was begun holds commits that people took back: it starts again on the new base, unless that
// would throw away somebody's own work (X22, I11). What is published is tested as it is, or put
// onto the new base: that is what was asked.
Result<std::optional<RunOutcome>> Worker::LeaveOldBase(Claimed& claimed, const Ground& ground,
                                                       Forge& forge, std::stop_token stop) {
  Task& task = claimed.task;
  const bool begun = !task.checkpoint.value.empty() && !task.base_sha.value.empty();
  if (!begun) return std::optional<RunOutcome>();
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(context_.workspaces, task.repo, task.base_sha, ground.base));
  if (drift != BaseDrift::kRewritten || task.run_kind == RunKind::kGates ||
      task.run_kind == RunKind::kRebase) {
    return std::optional<RunOutcome>();
  }
  if (!task.pushed.value.empty()) {
    SWAGE_ASSIGN_OR_RETURN(const auto own, FindOwnHead(task, ground.base_branch, forge, stop));
    if (!own) {
      return std::optional(
          EndAs(TaskState::kWaiting, task, messages::BaseRewrittenUnderOthersWork(task)));
    }
  }
  const std::string why = messages::BaseWasRewritten(task);
  context_.log.Warn("starting again from the base", {{"task_id", task.id}, {"why", why}});
  // Before the new base is noted: the old work must never be taken for work on that.
  SWAGE_RETURN_IF_ERROR(context_.store.SaveCheckpoint(claimed.lease, {}));
  SWAGE_RETURN_IF_ERROR(context_.store.AddNote(claimed.lease, messages::StartsAgain(false, why)));
  task.checkpoint = {};
  task.run_kind = RunKind::kImplement;
  task.run_first_cycle = task.cycle;  // with all its cycles
  return std::optional<RunOutcome>();
}

// A run takes its time. Whoever reads its results must know what they do not speak of.
Result<std::optional<RunOutcome>> Worker::LookAtBaseAgain(const Task& task, Forge& forge,
                                                          std::vector<std::string>& warnings,
                                                          std::stop_token stop) {
  const auto tip = FetchBranch(task, forge, task.base_branch, stop);
  // What could not be asked is not held against the work.
  if (!tip.ok()) return std::optional<RunOutcome>();
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(context_.workspaces, task.repo, task.base_sha, *tip));
  switch (drift) {
    case BaseDrift::kNone:
      return std::optional<RunOutcome>();
    case BaseDrift::kMoved:
      warnings.push_back(messages::BaseMovedOn(task, *tip));
      return std::optional<RunOutcome>();
    case BaseDrift::kRewritten:
      break;
  }
  if (task.run_kind == RunKind::kGates) {
    warnings.push_back(messages::BaseWasRewritten(task) + ".");
    return std::optional<RunOutcome>();
  }
  if (task.attempt > 1) {
    return std::optional(EndAs(TaskState::kWaiting, task, messages::BaseRewrittenAgain(task)));
  }
  // The next attempt finds it so, and starts again.
  RunOutcome outcome = EndAs(TaskState::kQueued, task, messages::BaseWasRewritten(task));
  outcome.retry_in = AttemptDelay(0, {}, {});
  return std::optional(std::move(outcome));
}

RunOutcome Worker::TakenOverOutcome(const Task& task) const {
  RunOutcome outcome = EndAs(TaskState::kWaiting, task, messages::HumanTookOver());
  if (task.pr_number != 0) {
    outcome.effects.push_back(TakenOver(task, context_.settings.command_prefix));
  }
  return outcome;
}

// The checkpoint may have been made on another node. Without it the work goes back, and says so.
Result<void> Worker::BringCheckpoint(Claimed& claimed, const Ground& ground, std::stop_token stop) {
  Task& task = claimed.task;
  if (task.checkpoint.value.empty()) return Ok();
  const auto brought = WithPatience(task.id, stop, [&] {
    return BringCommit(context_.store, context_.workspaces, task, task.checkpoint);
  });
  if (brought.ok() || IsTransient(brought.error().code)) return brought;
  context_.log.Warn("the last checkpoint cannot be had; going back",
                    {{"task_id", task.id}, {"error", brought.error().message}});
  SWAGE_RETURN_IF_ERROR(GoBack(task));
  if (task.checkpoint.value.empty()) task.base_sha = ground.base;
  return context_.store.AddNote(claimed.lease, messages::StartsAgain(!task.checkpoint.value.empty(),
                                                                     brought.error().message));
}

// Without its checkpoint the work goes on from what people see of it, on which they may have built
// (F8, I11). It begins again where nothing was pushed, and where it had begun again already, on
// another base than what it had pushed (see LeaveOldBase: that was all ours).
Result<void> Worker::GoBack(Task& task) {
  const CommitSha lost = std::exchange(task.checkpoint, {});
  if (task.pushed.value.empty()) return Ok();
  if (lost == task.pushed) {
    return MakeError(ErrorCode::kInternal, messages::PushedWorkIsLost(task));
  }
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(context_.workspaces, task.repo, task.base_sha, task.pushed));
  if (drift != BaseDrift::kRewritten) task.checkpoint = task.pushed;
  return Ok();
}

}  // namespace swage
