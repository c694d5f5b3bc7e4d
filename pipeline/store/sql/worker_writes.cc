// What a worker writes. Each function proves the lease first, or in the same statement.
#include <fmt/format.h>

#include "pipeline/store/sql/operations.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

Error LeaseLost() {
  return MakeError(ErrorCode::kLeaseLost, "the lease is lost");
}

/// The run that the lease is for.
Result<int> LeasedRun(Tx& tx, const Lease& lease) {
  const auto read = [](Row& row) { return row.Small(); };
  SWAGE_ASSIGN_OR_RETURN(const auto run,
                         tx.db.One("HoldsLease", read, lease.task, lease.epoch, lease.node));
  if (!run.has_value()) return LeaseLost();
  return *run;
}

Result<void> Fenced(Result<int> changed) {
  SWAGE_ASSIGN_OR_RETURN(const int rows, std::move(changed));
  if (rows == 0) return LeaseLost();
  return Ok();
}

Result<void> SaveFindings(Tx& tx, TaskId task, const std::vector<Finding>& findings) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("RetireFindings", task));
  for (const Finding& f : findings) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("SaveFinding", task, f.fingerprint, f.gate, Name(f.severity),
                                     f.rule, f.path, f.line, f.message));
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Post("DropRetiredFindings", task));
  return Ok();
}

Result<void> AddAll(Tx& tx, const std::vector<NewEffect>& effects) {
  for (const NewEffect& effect : effects) SWAGE_RETURN_IF_ERROR(AddEffect(tx, effect));
  return Ok();
}

Result<void> Publish(Tx& tx, const Task& task, const RunOutcome& outcome) {
  SWAGE_RETURN_IF_ERROR(SaveFindings(tx, task.id, outcome.findings));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("PublishTask", task.id, outcome.reason, tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("InterruptSteps", task.id, tx.now));
  SWAGE_RETURN_IF_ERROR(AddTimeline(tx, task.id, timeline::kPublishing, "publishing the results"));
  SWAGE_RETURN_IF_ERROR(AddAudit(tx, audit::Node(task.lease_node), audit::kRunFinished,
                                 TaskKey(task), fmt::format("run {}", task.run),
                                 "its results are to be published"));
  return EndPublishing(tx, task.id);
}

Result<void> EndWithoutReview(Tx& tx, const Task& task, const RunOutcome& outcome) {
  SWAGE_RETURN_IF_ERROR(
      MoveTask(tx, task, outcome.state, outcome.reason, audit::Node(task.lease_node)));
  if (outcome.state == TaskState::kWaiting && outcome.for_level) {
    // The node's fault, not the task's.
    SWAGE_RETURN_IF_ERROR(tx.db.Post("ForgiveAttempt", task.id));
    SWAGE_RETURN_IF_ERROR(WaitForLevel(tx, task.id));
  }
  return AddTimeline(tx, task.id, timeline::KindOfMove(outcome.state),
                     timeline::Moved(outcome.state, outcome.reason));
}

Result<void> GiveBack(Tx& tx, const Task& task, const RunOutcome& outcome) {
  SWAGE_RETURN_IF_ERROR(
      MoveTask(tx, task, TaskState::kQueued, outcome.reason, audit::Node(task.lease_node)));
  if (outcome.retry_in.count() > 0) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("PutOff", task.id, tx.engine_now + outcome.retry_in));
  } else {
    // Not the task's fault: it must not count towards giving it up.
    SWAGE_RETURN_IF_ERROR(tx.db.Post("ForgiveAttempt", task.id));
  }
  return AddTimeline(tx, task.id, timeline::kGivenBack,
                     timeline::OneLine("given back: " + outcome.reason));
}

}  // namespace

Result<Task> LeasedTask(Tx& tx, const Lease& lease) {
  SWAGE_ASSIGN_OR_RETURN(std::optional<Task> task,
                         tx.db.One("GetLeased", ReadTask, lease.task, lease.epoch, lease.node));
  if (!task.has_value()) return LeaseLost();
  return *std::move(task);
}

Result<void> SetBase(Tx& tx, const Lease& lease, std::string_view branch, const CommitSha& base) {
  return Fenced(tx.db.Run("SetBase", lease.task, lease.epoch, lease.node, branch, base, tx.now));
}

Result<void> SetStage(Tx& tx, const Lease& lease, Stage stage, int cycle) {
  SWAGE_RETURN_IF_ERROR(Fenced(
      tx.db.Run("SetStage", lease.task, lease.epoch, lease.node, Name(stage), cycle, tx.now)));
  return AddTimeline(tx, lease.task, timeline::kStage, timeline::Staged(stage, cycle));
}

Result<void> SaveCheckpoint(Tx& tx, const Lease& lease, const Checkpoint& checkpoint) {
  SWAGE_RETURN_IF_ERROR(Fenced(
      tx.db.Run("SaveCheckpoint", lease.task, lease.epoch, lease.node, checkpoint.commit, tx.now)));
  if (checkpoint.pack.empty()) {
    SWAGE_RETURN_IF_ERROR(tx.db.Run("DropCheckpoint", lease.task));
    return Ok();
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Run("PutCheckpoint", lease.task, checkpoint.base, checkpoint.commit,
                                  Blob{checkpoint.pack}, tx.now));
  return Ok();
}

Result<std::optional<Checkpoint>> LoadCheckpoint(Connection& db, TaskId task) {
  const auto read = [](Row& row) { return Checkpoint{{row.Text()}, {row.Text()}, row.Text()}; };
  return db.One("LoadCheckpoint", read, task);
}

Result<void> AddNote(Tx& tx, const Lease& lease, std::string_view text) {
  SWAGE_RETURN_IF_ERROR(LeasedRun(tx, lease));
  return AddTimeline(tx, lease.task, timeline::kNote, timeline::OneLine(text));
}

Result<std::int64_t> StartStep(Tx& tx, const Lease& lease, const Step& step) {
  SWAGE_ASSIGN_OR_RETURN(const int run, LeasedRun(tx, lease));
  return tx.db.Number("StartStep", lease.task, run, step.cycle, Name(step.kind), step.name,
                      step.required, step.summary, step.commit, step.log_path, lease.node, tx.now);
}

Result<void> FinishStep(Tx& tx, const Lease& lease, std::int64_t step_id, std::string_view outcome,
                        std::string_view summary, const CommitSha& commit) {
  SWAGE_RETURN_IF_ERROR(LeasedRun(tx, lease));
  if (outcome == "running") return MakeError(ErrorCode::kInvalid, "a finished step is not running");
  SWAGE_ASSIGN_OR_RETURN(const int changed, tx.db.Run("FinishStep", step_id, lease.task, outcome,
                                                      summary, commit, tx.now));
  if (changed == 0) {
    return MakeError(ErrorCode::kNotFound, fmt::format("no running step {}", step_id));
  }
  return Ok();
}

Result<void> FinishCycle(Tx& tx, const Lease& lease, const CycleRecord& c) {
  SWAGE_ASSIGN_OR_RETURN(const int run, LeasedRun(tx, lease));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("SaveCycle", lease.task, c.cycle, run, c.commit, c.tree,
                                   c.passed, c.digest, c.signature, tx.now));
  const auto read = [](Row& row) { return row.Text(); };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<std::string> failed,
                         tx.db.All("ListFailedGates", read, lease.task, run, c.cycle));
  return AddTimeline(tx, lease.task, timeline::kCycle, timeline::Cycled(c, failed));
}

Result<std::vector<Remark>> ListRemarks(Tx& tx, const Lease& lease) {
  SWAGE_RETURN_IF_ERROR(LeasedRun(tx, lease));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("MarkRemarksSeen", lease.task));
  return ListRemarks(tx.db, lease.task);
}

Result<void> FinishRun(Tx& tx, const Lease& lease, const RunOutcome& outcome) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LeasedTask(tx, lease));
  SWAGE_RETURN_IF_ERROR(AddAll(tx, outcome.effects));
  switch (outcome.state) {
    case TaskState::kInReview:
      return Publish(tx, task, outcome);
    case TaskState::kQueued:
      return GiveBack(tx, task, outcome);
    case TaskState::kWaiting:
    case TaskState::kCancelled:
    case TaskState::kMerged:
    case TaskState::kClosed:
      return EndWithoutReview(tx, task, outcome);
    case TaskState::kFailed:
      SWAGE_RETURN_IF_ERROR(EndWithoutReview(tx, task, outcome));
      return RequeueIfRemarked(tx, task.id);
    case TaskState::kRunning:
      return MakeError(ErrorCode::kConflict,
                       fmt::format("a run cannot end as {}", Name(outcome.state)));
  }
  CheckFailed(__FILE__, __LINE__, "a value outside its enum");
}

}  // namespace swage::sql
