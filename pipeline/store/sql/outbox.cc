#include <fmt/format.h>

#include "pipeline/effects.h"
#include "pipeline/store/sql/operations.h"
#include "pipeline/store/sql/paces.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

EffectState ParseState(std::string_view s) {
  for (const EffectState state : {EffectState::kPending, EffectState::kDone, EffectState::kFailed,
                                  EffectState::kSuperseded}) {
    if (Name(state) == s) return state;
  }
  SWAGE_CHECK(false && "a state outside the CHECK");
}

EffectKind ParseKind(std::string_view s) {
  const auto kind = ParseEffectKind(s);
  SWAGE_CHECK(kind.has_value());
  return *kind;
}

struct EffectRow {
  EffectState state;
  std::int64_t version;
  EffectKind kind;
  TaskId task;
  std::int64_t hold;
  std::string task_key;
};

Result<EffectRow> LockEffect(Tx& tx, const Effect& effect) {
  std::string task_key;
  if (effect.what.task.value != 0) {
    SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, effect.what.task));
    task_key = TaskKey(task);
  }
  const auto read = [](Row& row) {
    return EffectRow{
        ParseState(row.Text()), row.Int(), ParseKind(row.Text()), {row.Int()}, row.Int(), ""};
  };
  SWAGE_ASSIGN_OR_RETURN(auto row, tx.db.One("EffectRow", read, effect.id));
  if (!row.has_value()) {
    return MakeError(ErrorCode::kNotFound, fmt::format("no effect {}", effect.id.value));
  }
  row->task_key = std::move(task_key);
  return *std::move(row);
}

Effect ReadEffect(Row& row) {
  Effect e;
  e.id.value = row.Int();
  e.what.kind = ParseKind(row.Text());
  e.what.key = row.Text();
  e.what.repo = {row.Text(), row.Text(), row.Text()};
  e.what.task.value = row.Int();
  e.what.payload = row.Text();
  e.epoch.value = row.Int();
  e.state = ParseState(row.Text());
  e.attempts = row.Small();
  e.version = row.Int();
  e.error = row.Text();
  e.result = row.Text();
  e.hold = row.Int();
  return e;
}

/// The breakers that an effect is a probe of. A push says nothing about the forge's interface; what
/// a credential may not do in one repository are pushes and pull requests.
std::vector<std::string> ScopesOf(const NewEffect& what) {
  if (what.kind == EffectKind::kPush) return {RepoScope(what.repo)};
  if (what.kind == EffectKind::kPullRequest) return {what.repo.forge, RepoScope(what.repo)};
  return {what.repo.forge};
}

/// What was asked for in the meantime is another thing than what was sent.
bool IsStaleSticky(const EffectRow& row, const Effect& effect) {
  return row.kind == EffectKind::kSticky && row.version != effect.version;
}

Result<void> KeepFacts(Tx& tx, TaskId task, const PublishedFacts& facts) {
  if (facts.pushed) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("SetPushed", task, *facts.pushed));
    // From now on every node can fetch it.
    SWAGE_RETURN_IF_ERROR(tx.db.Post("DropPushedCheckpoint", task, *facts.pushed));
  }
  if (facts.pr_number) SWAGE_RETURN_IF_ERROR(tx.db.Post("SetPullRequest", task, *facts.pr_number));
  if (facts.pr_url) SWAGE_RETURN_IF_ERROR(tx.db.Post("SetPullRequestUrl", task, *facts.pr_url));
  if (facts.sticky_comment_id) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("SetStickyComment", task, *facts.sticky_comment_id));
  }
  for (const auto& [fingerprint, thread] : facts.posted_findings) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("MarkFindingPosted", task, fingerprint, thread));
  }
  for (const std::string& fingerprint : facts.resolved_findings) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("MarkFindingResolved", task, fingerprint));
  }
  return Ok();
}

// Facts about the forge hold whatever became of the effect's row.
Result<void> Learn(Tx& tx, const EffectRow& row, const PublishedFacts& facts) {
  if (row.task.value == 0) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const Task before, GetTask(tx.db, row.task));
  SWAGE_RETURN_IF_ERROR(KeepFacts(tx, row.task, facts));
  const std::string detail = timeline::Published(row.kind, facts, before);
  if (detail.empty()) return Ok();
  return AddTimeline(tx, row.task, timeline::kPublished, detail);
}

Result<void> FailPublishing(Tx& tx, const Effect& effect, TaskId id, std::string_view error) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  const bool publishing = task.state == TaskState::kRunning && task.lease_node.empty();
  if (!publishing || task.epoch != effect.epoch) return Ok();
  SWAGE_RETURN_IF_ERROR(tx.db.Post("SupersedeEffects", id, tx.now));
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kFailed, error));
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, id, timeline::kFailed, timeline::Moved(TaskState::kFailed, error)));
  SWAGE_RETURN_IF_ERROR(TouchSticky(tx, id));
  return RequeueIfRemarked(tx, id);
}

}  // namespace

int Ordinal(EffectKind kind) {
  switch (kind) {
    case EffectKind::kReaction:
    case EffectKind::kComment:
    case EffectKind::kSticky:
      return 0;
    case EffectKind::kPush:
      return 1;
    case EffectKind::kPullRequest:
      return 2;
    case EffectKind::kStatus:
      return 3;
    case EffectKind::kReview:
      return 4;
    case EffectKind::kResolve:
      return 5;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

Result<bool> AnyEffectToTake(Connection& db, WallTime engine_now, const TakeRequest& request) {
  return db.Any("TakeableEffects", engine_now, 1, request.pushes);
}

Result<std::vector<Effect>> TakeEffects(Tx& tx, const TakeRequest& request) {
  SWAGE_ASSIGN_OR_RETURN(Breakers breakers, Breakers::Read(tx));
  SWAGE_ASSIGN_OR_RETURN(
      std::vector<Effect> candidates,
      tx.db.All("TakeableEffects", ReadEffect, tx.engine_now, request.limit, request.pushes));
  std::vector<Effect> taken;
  int pushes = 0;
  for (Effect& effect : candidates) {
    const bool push = effect.what.kind == EffectKind::kPush;
    if (push && pushes == request.pushes) continue;
    SWAGE_ASSIGN_OR_RETURN(const bool admitted,
                           breakers.Admit(tx, ScopesOf(effect.what), request.hold, effect.probes));
    if (!admitted) continue;
    const auto read = [](Row& row) { return row.Int(); };
    SWAGE_ASSIGN_OR_RETURN(const auto hold, tx.db.One("HoldEffect", read, effect.id, request.node,
                                                      tx.engine_now + request.hold, tx.engine_now));
    if (!hold.has_value()) continue;  // somebody was faster
    effect.hold = *hold;
    if (push) ++pushes;
    taken.push_back(std::move(effect));
  }
  return taken;
}

Result<std::vector<EffectId>> RenewHolds(Tx& tx, const std::vector<Effect>& effects,
                                         std::chrono::milliseconds hold) {
  std::vector<EffectId> held;
  for (const Effect& effect : effects) {
    SWAGE_ASSIGN_OR_RETURN(const int renewed,
                           tx.db.Run("RenewHold", effect.id, effect.hold, tx.engine_now + hold));
    if (renewed > 0) held.push_back(effect.id);
  }
  return held;
}

Result<void> ReleaseEffects(Tx& tx, std::string_view node) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("ReleaseEffects", node));
  return Ok();
}

Result<void> AddEffect(Tx& tx, const NewEffect& effect) {
  const bool sticky = effect.kind == EffectKind::kSticky;
  if (sticky && effect.task.value == 0) {
    return MakeError(ErrorCode::kInvalid, "a sticky effect belongs to a task");
  }
  if (!sticky && effect.key.empty()) return MakeError(ErrorCode::kInvalid, "an effect needs a key");
  std::optional<std::int64_t> task;
  std::int64_t epoch = 0;
  if (effect.task.value != 0) {
    const auto read = [](Row& row) { return row.Int(); };
    SWAGE_ASSIGN_OR_RETURN(const auto found, tx.db.One("TaskEpoch", read, effect.task));
    if (!found.has_value()) {
      return MakeError(ErrorCode::kNotFound, fmt::format("no task {}", effect.task.value));
    }
    task = effect.task.value;
    epoch = *found;
  }
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t repo, RepoRow(tx, effect.repo));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("AddEffect", task, repo, Name(effect.kind), Ordinal(effect.kind),
                                   sticky ? StickyKey(effect.task) : effect.key, effect.payload,
                                   epoch, tx.engine_now, tx.now));
  return Ok();
}

Result<bool> FinishEffect(Tx& tx, const Effect& effect, std::string_view result,
                          const PublishedFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(const EffectRow row, LockEffect(tx, effect));
  const bool current = row.hold == effect.hold;
  if (row.state == EffectState::kDone && current) return true;
  SWAGE_RETURN_IF_ERROR(Learn(tx, row, facts));
  // Whatever became of the row since: this was written to a forge.
  SWAGE_RETURN_IF_ERROR(
      AddAudit(tx, audit::kSwage, audit::kEffectDone, row.task_key, Name(row.kind), result));
  if (!current) return false;
  if (row.state == EffectState::kSuperseded) {
    SWAGE_RETURN_IF_ERROR(
        tx.db.Post("EndEffect", effect.id, Name(EffectState::kSuperseded), result, "", tx.now));
    return false;
  }
  if (IsStaleSticky(row, effect)) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("ForgetAttempts", effect.id));
    return true;
  }
  SWAGE_RETURN_IF_ERROR(
      tx.db.Post("EndEffect", effect.id, Name(EffectState::kDone), result, "", tx.now));
  if (row.task.value != 0 && Ordinal(row.kind) > 0) {
    SWAGE_RETURN_IF_ERROR(EndPublishing(tx, row.task));
  }
  return true;
}

Result<void> RetryEffect(Tx& tx, const Effect& effect, std::string_view error,
                         std::chrono::milliseconds delay, Blame blame) {
  SWAGE_ASSIGN_OR_RETURN(const int changed,
                         tx.db.Run("RetryEffect", effect.id, effect.hold, error,
                                   tx.engine_now + delay, blame == Blame::kItself ? 1 : 0, tx.now));
  if (changed == 0) return MakeError(ErrorCode::kLeaseLost, "the effect is not ours any more");
  return Ok();
}

Result<void> FailEffect(Tx& tx, const Effect& effect, std::string_view error, bool fail_task) {
  SWAGE_ASSIGN_OR_RETURN(const EffectRow row, LockEffect(tx, effect));
  if (row.state != EffectState::kPending || row.hold != effect.hold) {
    return MakeError(ErrorCode::kLeaseLost, "the effect is not ours any more");
  }
  if (IsStaleSticky(row, effect)) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("ForgetAttempts", effect.id));
    return Ok();
  }
  SWAGE_RETURN_IF_ERROR(
      tx.db.Run("EndEffect", effect.id, Name(EffectState::kFailed), "", error, tx.now));
  SWAGE_RETURN_IF_ERROR(
      AddAudit(tx, audit::kSwage, audit::kEffectFailed, row.task_key, Name(row.kind), error));
  if (row.task.value == 0) return Ok();
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, row.task, timeline::kNotPublished, timeline::NotPublished(row.kind, error)));
  if (fail_task) SWAGE_RETURN_IF_ERROR(FailPublishing(tx, effect, row.task, error));
  return EndPublishing(tx, row.task);
}

}  // namespace swage::sql
