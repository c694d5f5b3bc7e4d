#include "pipeline/store/postgres/claims.h"

#include <algorithm>

#include "pipeline/store/timeline.h"

namespace swage::postgres {
namespace {

struct Picked {
  bool full = false;  // no room in all
  bool far = false;   // from every cap
  bool found = false;
  bool orphan = false;
  bool has_cycles = false;
  bool has_remarks = false;
  std::optional<Task> task;
};

Picked ReadPicked(sql::Row& row) {
  Picked picked;
  picked.full = row.Bool();
  picked.far = row.Bool();
  picked.found = row.Bool();
  const bool claimed = row.Bool();
  picked.orphan = row.Bool();
  picked.has_cycles = row.Bool();
  picked.has_remarks = row.Bool();
  if (claimed) picked.task = sql::ReadTask(row);
  return picked;
}

}  // namespace

bool CanShare(const ClaimLimits& limits) {
  return std::min(limits.concurrent, limits.concurrent_per_repo) > kSlots;
}

Result<QuickClaim> ClaimQuickly(sql::Tx& tx, ClaimLock lock, std::optional<WallTime> engine_now,
                                std::string_view node, std::chrono::milliseconds lease,
                                const ClaimLimits& limits) {
  const bool shared = lock == ClaimLock::kShared;
  SWAGE_RETURN_IF_ERROR(shared ? tx.db.Post("ShareClaims", kSlots) : tx.db.Post("LockClaims"));
  SWAGE_ASSIGN_OR_RETURN(
      auto picked,
      tx.db.One("ClaimNext", ReadPicked, engine_now, node, std::chrono::microseconds(lease).count(),
                limits.concurrent, limits.concurrent_per_repo, limits.max_attempts, tx.now,
                shared ? kSlots : 1, std::chrono::microseconds(limits.attempt_delay).count()));
  if (picked.has_value() && picked->full) return QuickClaim{true, std::nullopt};
  if (!picked.has_value() || !picked->far) return QuickClaim{};
  if (!picked->task.has_value()) return QuickClaim{!picked->found, std::nullopt};
  Claimed claimed;
  claimed.task = *std::move(picked->task);
  const TaskId id = claimed.task.id;
  claimed.lease = {id, claimed.task.epoch, std::string(node)};
  SWAGE_RETURN_IF_ERROR(
      sql::AddTimeline(tx, id, timeline::kClaimed, timeline::Claimed(node, claimed.task.attempt)));
  SWAGE_RETURN_IF_ERROR(sql::AuditClaim(tx, claimed.task, picked->orphan));
  if (picked->has_cycles) {
    SWAGE_ASSIGN_OR_RETURN(claimed.history, sql::ListHistory(tx.db, id, claimed.task.run));
  }
  if (picked->has_remarks) {
    SWAGE_ASSIGN_OR_RETURN(claimed.remarks, sql::ListRemarks(tx.db, id));
  }
  return QuickClaim{true, std::move(claimed)};
}

}  // namespace swage::postgres
