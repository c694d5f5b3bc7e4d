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

/// The parameters that have an element for each run.
struct RunRows {
  explicit RunRows(std::size_t count)
      : tasks(kInt8Oid, count), epochs(kInt8Oid, count), texts(kTexts, {kTextOid, count}) {}

  void Add(const RunEnd& end) {
    const auto& [lease, outcome] = end;
    const AuditEntry audit =
        audit::Bounded(audit::Node(lease.node), audit::kTaskMoved, "",
                       audit::Move(Name(TaskState::kRunning), Name(outcome.state)), outcome.reason);
    const RepoRef repo = outcome.effects.empty() ? RepoRef{} : outcome.effects.front().repo;
    const std::string words = timeline::Moved(outcome.state, outcome.reason);
    tasks.AddNumber(lease.task.value);
    epochs.AddNumber(lease.epoch.value);
    const std::array<std::string_view, kTexts> row = {
        lease.node,   Name(outcome.state), outcome.reason, timeline::KindOfMove(outcome.state),
        words,        audit.actor,         audit.action,   audit.subject,
        audit.detail, repo.forge,          repo.id,        repo.path};
    for (std::size_t i = 0; i < kTexts; ++i) texts[i].Add(CleanText(row[i]));
  }

  static constexpr std::size_t kTexts = 12;
  BinaryArray tasks, epochs;
  std::vector<BinaryArray> texts;
};

/// Those that have one for each effect.
struct EffectRows {
  explicit EffectRows(std::size_t count)
      : tasks(kInt8Oid, count),
        kinds(kTextOid, count),
        ordinals(kInt8Oid, count),
        keys(kTextOid, count),
        payloads(kTextOid, count) {}

  void Add(const NewEffect& effect) {
    const bool sticky = effect.kind == EffectKind::kSticky;
    tasks.AddNumber(effect.task.value);
    kinds.Add(Name(effect.kind));
    ordinals.AddNumber(sql::Ordinal(effect.kind));
    keys.Add(CleanText(sticky ? StickyKey(effect.task) : effect.key));
    payloads.Add(CleanText(effect.payload));
  }

  BinaryArray tasks, kinds, ordinals, keys, payloads;
};

/// The parameters of EndRuns.
class EndRows {
 public:
  explicit EndRows(std::span<const RunEnd> ends)
      : runs_(ends.size()), effects_(CountEffects(ends)) {
    for (const RunEnd& end : ends) {
      runs_.Add(end);
      for (const NewEffect& effect : end.outcome.effects) effects_.Add(effect);
    }
  }
  sql::Blob tasks() const { return runs_.tasks.blob(); }
  sql::Blob epochs() const { return runs_.epochs.blob(); }
  /// Calls `call` with them, but for the times, which come last.
  template <class Call>
  auto Bind(Call&& call) const {
    const auto& t = runs_.texts;
    return call(runs_.tasks.blob(), runs_.epochs.blob(), t[0].blob(), t[1].blob(), t[2].blob(),
                t[3].blob(), t[4].blob(), t[5].blob(), t[6].blob(), t[7].blob(), t[8].blob(),
                t[9].blob(), t[10].blob(), t[11].blob(), effects_.tasks.blob(),
                effects_.kinds.blob(), effects_.ordinals.blob(), effects_.keys.blob(),
                effects_.payloads.blob());
  }

 private:
  static std::size_t CountEffects(std::span<const RunEnd> ends) {
    std::size_t count = 0;
    for (const RunEnd& end : ends) count += end.outcome.effects.size();
    return count;
  }

  RunRows runs_;
  EffectRows effects_;
};

}  // namespace

bool CanEndQuickly(const RunEnd& end) {
  const TaskState state = end.outcome.state;
  const bool nothing_to_publish =
      state == TaskState::kFailed || (state == TaskState::kWaiting && !end.outcome.for_level);
  return nothing_to_publish && AreOfOneTask(end.outcome.effects, end.lease.task);
}

Result<std::set<TaskId>> EndRunsQuickly(sql::Connection& db, std::optional<WallTime> engine_now,
                                        WallTime now, std::span<const RunEnd> ends) {
  const EndRows rows(ends);
  const auto read = [](sql::Row& row) { return TaskId{row.Int()}; };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<TaskId> ended, rows.Bind([&](const auto&... row) {
    return db.All("EndRuns", read, row..., now, engine_now);
  }));
  return std::set<TaskId>(ended.begin(), ended.end());
}

Result<EndsAndClaims> EndRunsAndClaim(Connection& db, std::span<const RunEnd> ends,
                                      ClaimOrder order) {
  const EndRows rows(ends);
  EndsAndClaims done;
  const auto read = [&](sql::Row& row) { done.ended.insert(TaskId{row.Int()}); };
  SWAGE_RETURN_IF_ERROR(rows.Bind([&](const auto&... row) {
    return db.PostFor(read, "EndRuns", row..., order.now, order.engine_now);
  }));
  order.ended_tasks = rows.tasks();
  order.ended_epochs = rows.epochs();
  SWAGE_ASSIGN_OR_RETURN(done.claims, ClaimQuickly(db, order));
  return done;
}

Result<bool> IsEnded(sql::Tx& tx, const Lease& lease) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, sql::LockTask(tx, lease.task));
  return task.epoch == lease.epoch && task.lease_node.empty();
}

}  // namespace swage::postgres
