#include <fmt/format.h>

#include "pipeline/effects.h"
#include "pipeline/store/sql/operations.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

// CHECKs hold words and numbers to the enums; a row that breaks them is a bug.
template <class E>
E Known(std::optional<E> value) {
  SWAGE_CHECK(value.has_value());
  return *value;
}

Result<Task> TheTask(Connection& db, std::string_view query, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(std::optional<Task> task, db.One(query, ReadTask, id));
  if (!task.has_value()) {
    return MakeError(ErrorCode::kNotFound, fmt::format("no task {}", id.value));
  }
  return *std::move(task);
}

}  // namespace

Task ReadTask(Row& row) {
  Task t;
  t.id.value = row.Int();
  t.repo = {row.Text(), row.Text(), row.Text()};
  t.issue_number = row.Int();
  t.generation = row.Small();
  t.issue_url = row.Text();
  t.text = {row.Text(), row.Text(), row.Text()};
  t.requester = {row.Text(), row.Text(), row.Bool()};
  t.profile = row.Text();
  t.priority = static_cast<Priority>(row.Small());
  t.state = Known(ParseTaskState(row.Text()));
  t.reason = row.Text();
  t.stage = Known(ParseStage(row.Text()));
  t.run_kind = Known(ParseRunKind(row.Text()));
  t.run = row.Small();
  t.attempt = row.Small();
  t.cycle = row.Small();
  t.run_first_cycle = row.Small();
  t.base_branch = row.Text();
  t.base_sha.value = row.Text();
  t.branch = row.Text();
  t.checkpoint.value = row.Text();
  t.pushed.value = row.Text();
  t.pr_number = row.Int();
  t.pr_url = row.Text();
  t.sticky_comment_id = row.Text();
  t.level = ParseIsolationLevel(row.Text());
  t.epoch.value = row.Int();
  t.lease_node = row.Text();
  t.lease_expires = row.Time();
  t.created = row.Time();
  t.updated = row.Time();
  return t;
}

Result<Task> GetTask(Connection& db, TaskId id) {
  return TheTask(db, "GetTask", id);
}

Result<Task> LockTask(Tx& tx, TaskId id) {
  return TheTask(tx.db, "LockTask", id);
}

Result<std::optional<Task>> FindTaskByIssue(Connection& db, const RepoRef& repo,
                                            std::int64_t issue) {
  return db.One("FindTaskByIssue", ReadTask, repo.forge, repo.id, issue);
}

Result<std::int64_t> RepoRow(Tx& tx, const RepoRef& repo) {
  // Braces: columns are read from left to right.
  const auto read = [](Row& row) {
    return std::pair<std::int64_t, std::string>{row.Int(), row.Text()};
  };
  SWAGE_ASSIGN_OR_RETURN(const auto known, tx.db.One("FindRepo", read, repo.forge, repo.id));
  if (!known.has_value()) return tx.db.Number("AddRepo", repo.forge, repo.id, repo.path);
  if (known->second != repo.path && !repo.path.empty()) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("RenameRepo", known->first, repo.path));
  }
  return known->first;
}

Result<void> AddTimeline(Tx& tx, TaskId task, std::string_view kind, std::string_view detail) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("AddTimeline", task, tx.now, kind, detail));
  return Ok();
}

Result<void> MoveTask(Tx& tx, const Task& task, TaskState to, std::string_view reason,
                      std::string_view actor) {
  if (!CanMove(task.state, to)) {
    return MakeError(ErrorCode::kConflict, fmt::format("{} is {} and cannot become {}",
                                                       TaskKey(task), Name(task.state), Name(to)));
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Post("MoveTask", task.id, Name(to), reason, tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("InterruptSteps", task.id, tx.now));
  // A failed task may be asked to go on from where it came to.
  if (IsTerminal(to) && to != TaskState::kFailed) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("DropCheckpoint", task.id));
  }
  return AddAudit(tx, actor, audit::kTaskMoved, TaskKey(task),
                  audit::Move(Name(task.state), Name(to)), reason);
}

Result<void> Requeue(Tx& tx, const Task& task, RunKind kind, std::string_view actor) {
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kQueued, "", audit::Person(actor)));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("SupersedeEffects", task.id, tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("BeginRun", task.id, Name(kind), tx.engine_now));
  return AddTimeline(tx, task.id, timeline::kQueued, timeline::Queued(kind, actor, task.run + 1));
}

Result<void> RequeueIfRemarked(Tx& tx, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(const bool remarked, tx.db.Any("HasUnseenRemark", id));
  if (!remarked) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  return Requeue(tx, task, RunKind::kFix, "");
}

Result<void> EndPublishing(Tx& tx, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  if (task.state != TaskState::kRunning || !task.lease_node.empty()) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const bool more, tx.db.Any("HasEffectInLine", id));
  if (more) return Ok();
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kInReview, task.reason));
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, id, timeline::kInReview, timeline::Moved(TaskState::kInReview, task.reason)));
  SWAGE_RETURN_IF_ERROR(TouchSticky(tx, id));
  return RequeueIfRemarked(tx, id);
}

Result<void> TouchSticky(Tx& tx, TaskId id) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("TouchEffect", StickyKey(id), tx.engine_now, tx.now));
  return Ok();
}

}  // namespace swage::sql
