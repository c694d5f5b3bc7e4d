// The worker's way of putting the work onto the newest commit of its base branch, when asked to.
#include "pipeline/messages.h"
#include "pipeline/worker.h"

namespace swage {

// From what people see of it, at each attempt anew: until the end nothing refers to the result. The
// task's base is noted after that; an attempt that ends between the two leaves a base that the
// branch lacks, which FollowByHand puts right.
Result<std::optional<RunOutcome>> Worker::PutOntoTip(Claimed& claimed, Ground& ground, Forge& forge,
                                                     std::stop_token stop) {
  Task& task = claimed.task;
  task.run_kind = RunKind::kGates;  // from here on, unless something is left to be made
  const bool stands_there = task.base_sha == ground.base;
  if (stands_there || task.pushed.value.empty()) {
    ground.notes.push_back(messages::StandsOnNewestBase(task));
    return std::optional<RunOutcome>();
  }
  SWAGE_ASSIGN_OR_RETURN(const auto own, FindOwnHead(task, ground.base_branch, forge, stop));
  if (!own) {
    ground.notes.push_back(messages::CannotRebaseOthersWork());
    return std::optional<RunOutcome>();
  }
  SWAGE_ASSIGN_OR_RETURN(
      const Replayed replayed,
      context_.workspaces.Replay(task.repo, task.base_sha, task.pushed, ground.base));
  if (replayed.left_out.empty() && replayed.head == ground.base) {
    return std::optional(Failed(task, messages::NothingLeftToRebase(task)));
  }
  const std::string told = messages::PutOnto(task, ground.base, replayed.left_out);
  if (!replayed.left_out.empty()) {
    SWAGE_RETURN_IF_ERROR(AskForWhatWasLeftOut(claimed, ground.base, replayed));
  }
  SWAGE_RETURN_IF_ERROR(context_.store.AddNote(claimed.lease, told));
  ground.notes.push_back(told);
  ground.replayed = true;
  task.checkpoint = replayed.head;
  task.base_sha = ground.base;
  return std::optional<RunOutcome>();
}

// Durable before the work is: should this attempt end early, a run that asks for it follows.
Result<void> Worker::AskForWhatWasLeftOut(Claimed& claimed, const CommitSha& onto,
                                          const Replayed& replayed) {
  Task& task = claimed.task;
  const std::string remark = messages::MakeAnew(task, onto, replayed.left_out);
  IntakePlan plan;
  plan.outcome = remark;
  plan.changes.push_back({task.id, TaskChangeKind::kRemark, RunKind::kFix, remark, "", ""});
  SWAGE_RETURN_IF_ERROR(context_.store.ApplyIntake(plan));
  task.run_kind = RunKind::kFix;
  return Ok();
}

}  // namespace swage
