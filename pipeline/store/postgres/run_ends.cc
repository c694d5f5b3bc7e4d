#include "pipeline/store/postgres/run_ends.h"

#include <set>

#include "pipeline/effects.h"
#include "pipeline/store/postgres/arrays.h"
#include "pipeline/store/timeline.h"

namespace swage::postgres {
namespace {

// All in one repository; one statement cannot add a key twice.
bool AreOfOneTask(const std::vector<NewEffect>& effects, TaskId task) {
  std::set<std::string_view> keys;
  for (const NewEffect& effect : effects) {
    const RepoRef& repo = effect.repo;
    const RepoRef& first = effects.front().repo;
    const bool same = repo.forge == first.forge && repo.id == first.id && repo.path == first.path;
    const bool sticky = effect.kind == EffectKind::kSticky;
    if (effect.task != task || !same || repo.path.empty()) return false;
    if (!sticky && effect.key.empty()) return false;
    if (!keys.insert(sticky ? std::string_view() : effect.key).second) return false;
  }
  return true;
}

}  // namespace

bool CanEndQuickly(const Lease& lease, const RunOutcome& outcome) {
  const bool nothing_to_publish = outcome.state == TaskState::kFailed ||
                                  (outcome.state == TaskState::kWaiting && !outcome.for_level);
  return nothing_to_publish && AreOfOneTask(outcome.effects, lease.task);
}

Result<bool> EndRunQuickly(sql::Connection& db, std::optional<WallTime> engine_now, WallTime now,
                           const Lease& lease, const RunOutcome& outcome) {
  const std::size_t count = outcome.effects.size();
  BinaryArray kinds(kTextOid, count), ordinals(kInt8Oid, count), keys(kTextOid, count),
      payloads(kTextOid, count);
  for (const NewEffect& effect : outcome.effects) {
    const bool sticky = effect.kind == EffectKind::kSticky;
    kinds.Add(Name(effect.kind));
    ordinals.AddNumber(sql::Ordinal(effect.kind));
    keys.Add(CleanText(sticky ? StickyKey(effect.task) : effect.key));
    payloads.Add(CleanText(effect.payload));
  }
  std::optional<std::string_view> forge, repo, path;
  if (count > 0) {
    const RepoRef& of = outcome.effects.front().repo;
    forge = of.forge, repo = of.id, path = of.path;
  }
  const AuditEntry audit =
      audit::Bounded(audit::Node(lease.node), audit::kTaskMoved, "",
                     audit::Move(Name(TaskState::kRunning), Name(outcome.state)), outcome.reason);
  SWAGE_ASSIGN_OR_RETURN(
      const std::int64_t ended,
      db.Number("EndRun", lease.task, lease.epoch, lease.node, Name(outcome.state), outcome.reason,
                now, timeline::KindOfMove(outcome.state),
                timeline::Moved(outcome.state, outcome.reason), audit.actor, audit.action,
                audit.subject, audit.detail, forge, repo, path, kinds.blob(), ordinals.blob(),
                keys.blob(), payloads.blob(), engine_now));
  return ended != 0;
}

Result<bool> IsEnded(sql::Tx& tx, const Lease& lease) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, sql::LockTask(tx, lease.task));
  return task.epoch == lease.epoch && task.lease_node.empty();
}

}  // namespace swage::postgres
