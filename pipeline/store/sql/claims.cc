#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "pipeline/store/asked_threads.h"
#include "pipeline/store/sql/operations.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

// One call buries at most so many poison tasks; the next call goes on.
constexpr int kMaxBuried = 100;

struct Candidate {
  TaskId id;
  int attempt = 0;
  bool orphan = false;
};

Candidate ReadCandidate(Row& row) {
  return {{row.Int()}, row.Small()};
}

Remark ReadRemark(Row& row) {
  Remark remark;
  remark.id = row.Int();
  remark.text = row.Text();
  remark.run = row.Small();
  remark.threads = DecodeThreads(row.Text());
  return remark;
}

// Work that was begun comes before work that was not. The short cut over the queue's own order is
// right while no repository is full.
Result<std::optional<Candidate>> FindCandidate(Tx& tx, const ClaimLimits& limits) {
  const int per_repo = limits.concurrent_per_repo;
  const std::chrono::microseconds rest = limits.attempt_delay;
  const LevelNames l = NamesOf(limits.levels);
  SWAGE_ASSIGN_OR_RETURN(
      auto orphan, tx.db.One("FindOrphan", ReadCandidate, tx.engine_now, per_repo, rest.count(),
                             limits.max_attempts, l[0], l[1], l[2], l[3]));
  if (orphan.has_value()) {
    orphan->orphan = true;
    return orphan;
  }
  SWAGE_ASSIGN_OR_RETURN(const bool full, tx.db.Any("HasFullRepo", tx.engine_now, per_repo));
  if (full) {
    return tx.db.One("FindQueuedWithRoom", ReadCandidate, tx.engine_now, per_repo, l[0], l[1], l[2],
                     l[3]);
  }
  return tx.db.One("FindQueued", ReadCandidate, tx.engine_now, l[0], l[1], l[2], l[3]);
}

/// "in cycle 2, agent codex", of the last step that came to no end; empty when there is none.
Result<std::string> LastStop(Tx& tx, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, ListSteps(tx.db, id));
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (step->outcome != "interrupted") continue;
    return fmt::format(", last in cycle {}, {} {}", step->cycle, Name(step->kind), step->name);
  }
  return std::string();
}

Result<void> Bury(Tx& tx, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("InterruptSteps", id, tx.now));
  SWAGE_ASSIGN_OR_RETURN(const std::string where, LastStop(tx, id));
  const std::string reason = fmt::format(
      "given up after {} attempts: each time the worker was lost before it had a result{}",
      task.attempt, where);
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kFailed, reason));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("RaiseEpoch", id));
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, id, timeline::kFailed, timeline::Moved(TaskState::kFailed, reason)));
  return TouchSticky(tx, id);
}

Result<Claimed> Take(Tx& tx, const Candidate& candidate, std::string_view node,
                     std::chrono::milliseconds lease) {
  const TaskId id = candidate.id;
  SWAGE_RETURN_IF_ERROR(tx.db.Post("InterruptSteps", id, tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("ClaimTask", id, node, tx.engine_now + lease, tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("MarkRemarksSeen", id));
  Claimed claimed;
  SWAGE_ASSIGN_OR_RETURN(claimed.task, GetTask(tx.db, id));
  claimed.lease = {id, claimed.task.epoch, std::string(node)};
  SWAGE_ASSIGN_OR_RETURN(claimed.history, ListHistory(tx.db, id, claimed.task.run));
  SWAGE_ASSIGN_OR_RETURN(claimed.remarks, ListRemarks(tx.db, id));
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, id, timeline::kClaimed, timeline::Claimed(node, claimed.task.attempt)));
  const AuditEntry audit =
      ClaimEntry(node, claimed.task.attempt, std::to_string(claimed.task.run), candidate.orphan);
  SWAGE_RETURN_IF_ERROR(
      AddAudit(tx, audit.actor, audit.action, TaskKey(claimed.task), audit.subject, audit.detail));
  return claimed;
}

Result<void> TellOrphaned(Tx& tx, TaskId id, std::string_view node) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("InterruptSteps", id, tx.now));
  SWAGE_RETURN_IF_ERROR(AddTimeline(tx, id, timeline::kInterrupted,
                                    "interrupted: the worker is gone, another one will go on"));
  SWAGE_ASSIGN_OR_RETURN(const Task task, GetTask(tx.db, id));
  return AddAudit(tx, audit::kSwage, audit::kTaskOrphaned, TaskKey(task), audit::Node(node),
                  "the node is gone; its lease ends now");
}

}  // namespace

AuditEntry ClaimEntry(std::string_view node, int attempt, std::string_view run, bool orphan) {
  const TaskState from = orphan ? TaskState::kRunning : TaskState::kQueued;
  return audit::Bounded(audit::Node(node), audit::kTaskClaimed, "",
                        audit::Move(Name(from), Name(TaskState::kRunning)),
                        fmt::format("attempt {} of run {}{}", attempt, run,
                                    orphan ? ": the lease before it was over" : ""));
}

Result<std::vector<Claimed>> ClaimTasks(Tx& tx, std::string_view node,
                                        std::chrono::milliseconds lease, const ClaimLimits& limits,
                                        int most) {
  if (node.empty()) return MakeError(ErrorCode::kInvalid, "a claim needs the node's name");
  SWAGE_RETURN_IF_ERROR(tx.db.Post("LockClaims"));
  SWAGE_ASSIGN_OR_RETURN(const auto live, tx.db.Number("CountLiveLeases", tx.engine_now, node));
  const auto room = std::min<std::int64_t>(most, limits.concurrent - live);
  std::vector<Claimed> claimed;
  for (int buried = 0; std::ssize(claimed) < room && buried < kMaxBuried;) {
    SWAGE_ASSIGN_OR_RETURN(const auto next, FindCandidate(tx, limits));
    if (!next.has_value()) break;
    if (next->attempt < limits.max_attempts) {
      SWAGE_ASSIGN_OR_RETURN(claimed.emplace_back(), Take(tx, *next, node, lease));
      continue;
    }
    SWAGE_RETURN_IF_ERROR(Bury(tx, next->id));
    ++buried;
  }
  return claimed;
}

Result<std::vector<CycleHistory>> ListHistory(Connection& db, TaskId task, int run) {
  const auto read = [](Row& row) {
    return CycleHistory{row.Small(), {row.Text()}, row.Bool(), row.Text()};
  };
  return db.All("ListCycles", read, task, run);
}

Result<std::vector<Remark>> ListRemarks(Connection& db, TaskId task) {
  return db.All("ListRemarks", ReadRemark, task);
}

Result<std::vector<Remark>> ListSeenRemarks(Connection& db, TaskId task) {
  return db.All("ListSeenRemarks", ReadRemark, task);
}

Result<std::vector<TaskId>> RenewLeases(Tx& tx, const std::vector<Lease>& leases,
                                        std::chrono::milliseconds duration) {
  std::vector<TaskId> lost;
  for (const Lease& lease : leases) {
    SWAGE_ASSIGN_OR_RETURN(const int changed, tx.db.Run("RenewLease", lease.task, lease.epoch,
                                                        lease.node, tx.engine_now + duration));
    if (changed == 0) lost.push_back(lease.task);
  }
  return lost;
}

Result<int> ExpireAllLeases(Tx& tx) {
  const auto read = [](Row& row) { return TaskId{row.Int()}; };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<TaskId> orphans, tx.db.All("ListLeased", read));
  for (const TaskId id : orphans) {
    SWAGE_ASSIGN_OR_RETURN(const Task task, GetTask(tx.db, id));
    SWAGE_RETURN_IF_ERROR(TellOrphaned(tx, id, task.lease_node));
  }
  return tx.db.Run("ExpireAllLeases", tx.now, tx.engine_now);
}

Result<int> ExpireLeases(Tx& tx, std::string_view node) {
  const auto read = [](Row& row) { return TaskId{row.Int()}; };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<TaskId> orphans, tx.db.All("ListLeasedBy", read, node));
  int expired = 0;
  for (const TaskId id : orphans) {
    // Another node may have taken it since the list was read.
    SWAGE_ASSIGN_OR_RETURN(const int changed,
                           tx.db.Run("ExpireLease", id, node, tx.now, tx.engine_now));
    if (changed == 0) continue;
    SWAGE_RETURN_IF_ERROR(TellOrphaned(tx, id, node));
    ++expired;
  }
  return expired;
}

Result<std::vector<Lease>> ListLeases(Connection& db, WallTime engine_now, std::string_view node) {
  const auto read = [&](Row& row) { return Lease{{row.Int()}, {row.Int()}, std::string(node)}; };
  return db.All("ListLeases", read, node, engine_now);
}

}  // namespace swage::sql
