#include "pipeline/store/postgres/claims.h"

#include <algorithm>

#include "pipeline/store/timeline.h"

namespace swage::postgres {
namespace {

// In ClaimNext, whose claims are all first attempts.
constexpr int kAttempt = 1;
constexpr std::string_view kRunPlace = "{run}";

struct Picked {
  bool no_room = false;
  bool far = false;  // from every cap, and nothing goes before what is queued
  bool found = false;
  std::optional<Task> task;
};

Picked ReadPicked(sql::Row& row) {
  Picked picked;
  picked.no_room = row.Bool();
  picked.far = row.Bool();
  picked.found = row.Bool();
  if (row.Bool()) picked.task = sql::ReadTask(row);
  return picked;
}

Claimed ClaimOf(Task task, std::string_view node) {
  Claimed claimed;
  claimed.lease = {task.id, task.epoch, std::string(node)};
  claimed.task = std::move(task);
  return claimed;
}

Result<std::optional<Picked>> PickNext(sql::Connection& db, ClaimLock lock, const ClaimOrder& o) {
  const AuditEntry audit = sql::ClaimEntry(o.node, kAttempt, kRunPlace, /*orphan=*/false);
  const sql::LevelNames l = sql::NamesOf(o.limits.levels);
  return db.One("ClaimNext", ReadPicked, o.engine_now, o.node,
                std::chrono::microseconds(o.lease).count(), o.limits.concurrent,
                o.limits.concurrent_per_repo, o.limits.max_attempts, o.now,
                lock == ClaimLock::kShared ? kSlots : 1,
                std::chrono::microseconds(o.limits.attempt_delay).count(), o.number,
                timeline::kClaimed, timeline::Claimed(o.node, kAttempt), audit.actor, audit.action,
                audit.subject, audit.detail, l[0], l[1], l[2], l[3]);
}

}  // namespace

bool CanShare(const ClaimLimits& limits) {
  return std::min(limits.concurrent, limits.concurrent_per_repo) > kSlots;
}

std::array<std::string_view, 2> ClaimQueries(ClaimLock lock) {
  return {lock == ClaimLock::kShared ? "ShareClaims" : "LockClaims", "ClaimNext"};
}

Result<QuickClaim> ClaimQuickly(sql::Connection& db, ClaimLock lock, const ClaimOrder& order) {
  const bool shared = lock == ClaimLock::kShared;
  SWAGE_RETURN_IF_ERROR(shared ? db.Post("ShareClaims", kSlots) : db.Post("LockClaims"));
  SWAGE_ASSIGN_OR_RETURN(auto picked, PickNext(db, lock, order));
  if (!picked.has_value()) return MakeError(ErrorCode::kInternal, "ClaimNext has no row");
  QuickClaim quick;
  quick.crowded = !picked->far && !picked->no_room;
  quick.decided = picked->no_room || (picked->far && !picked->found) || picked->task.has_value();
  if (picked->task.has_value()) quick.claimed = ClaimOf(*std::move(picked->task), order.node);
  return quick;
}

Result<std::optional<Claimed>> FindClaim(sql::Connection& db, const ClaimOrder& order) {
  SWAGE_ASSIGN_OR_RETURN(auto task, db.One("FindClaim", sql::ReadTask, order.node, order.number));
  if (!task.has_value()) return std::optional<Claimed>();
  return std::optional(ClaimOf(*std::move(task), order.node));
}

}  // namespace swage::postgres
