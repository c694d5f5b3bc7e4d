#include "pipeline/store/postgres/claims.h"

#include "pipeline/store/timeline.h"

namespace swage::postgres {
namespace {

// In ClaimMany, whose claims are all first attempts.
constexpr int kAttempt = 1;
constexpr std::string_view kRunPlace = "{run}";

struct Picked {
  bool nothing_to_do = false;
  std::optional<Task> task;
};

Picked ReadPicked(sql::Row& row) {
  Picked picked;
  picked.nothing_to_do = row.Bool();
  if (row.Bool()) picked.task = sql::ReadTask(row);
  return picked;
}

Claimed ClaimOf(Task task, std::string_view node) {
  Claimed claimed;
  claimed.lease = {task.id, task.epoch, std::string(node)};
  claimed.task = std::move(task);
  return claimed;
}

Result<std::vector<Picked>> PickMany(sql::Connection& db, const ClaimOrder& o) {
  const AuditEntry audit = sql::ClaimEntry(o.node, kAttempt, kRunPlace, /*orphan=*/false);
  const sql::LevelNames l = sql::NamesOf(o.limits.levels);
  return db.All("ClaimMany", ReadPicked, o.engine_now, o.node,
                std::chrono::microseconds(o.lease).count(), o.limits.concurrent,
                o.limits.concurrent_per_repo, o.limits.max_attempts, o.now, o.most,
                std::chrono::microseconds(o.limits.attempt_delay).count(), o.number,
                timeline::kClaimed, timeline::Claimed(o.node, kAttempt), audit.actor, audit.action,
                audit.subject, audit.detail, l[0], l[1], l[2], l[3], o.ended_tasks, o.ended_epochs);
}

}  // namespace

Result<QuickClaims> ClaimQuickly(sql::Connection& db, const ClaimOrder& order) {
  SWAGE_RETURN_IF_ERROR(db.Post("LockClaims"));
  SWAGE_ASSIGN_OR_RETURN(std::vector<Picked> picked, PickMany(db, order));
  if (picked.empty()) return MakeError(ErrorCode::kInternal, "ClaimMany has no row");
  QuickClaims quick;
  for (Picked& one : picked) {
    if (one.task.has_value()) quick.claimed.push_back(ClaimOf(*std::move(one.task), order.node));
  }
  quick.decided = picked.front().nothing_to_do || !quick.claimed.empty();
  return quick;
}

Result<std::vector<Claimed>> FindClaims(sql::Connection& db, std::string_view node,
                                        std::int64_t number) {
  const auto read = [&](sql::Row& row) { return ClaimOf(sql::ReadTask(row), node); };
  return db.All("FindClaims", read, node, number);
}

}  // namespace swage::postgres
