// The store's operations as plain functions over a connection; the engines put them into
// transactions.
//
// Writes take a Tx: the transaction's connection and its instants. Reads take a Connection.
// An engine may run several transactions at once (READ COMMITTED), so whoever reads a task and then
// writes it, or something of its own, takes the task's row first: by LockTask, or by a query that
// says so in the engine's file (GetLeased, HoldsLease, TaskEpoch, the claims). Order: task, then
// its effects. A race that a UNIQUE constraint ends is kConflict; an engine with several writers
// runs the transaction again.
#pragma once

#include <array>
#include <functional>
#include <utility>

#include "pipeline/store/sql/connection.h"
#include "pipeline/store/store.h"

namespace swage::sql {

/// The engine's clock at the beginning of a transaction. Read when it is needed, because an engine
/// across a network learns it with its first answer.
class EngineTime {
 public:
  using Ask = std::function<WallTime()>;
  EngineTime(WallTime known) : known_(known) {}  // NOLINT: implicit
  explicit EngineTime(Ask ask) : ask_(std::move(ask)) {}
  operator WallTime() const { return ask_ ? ask_() : known_; }  // NOLINT: implicit
  WallTime operator+(std::chrono::microseconds later) const { return WallTime(*this) + later; }

 private:
  WallTime known_{};
  Ask ask_;
};

struct Tx {
  Connection& db;
  WallTime now;  ///< for rows that people read
  /// For leases and retries: does not jump when somebody sets the clock (X14).
  EngineTime engine_now;
};

// inbox.cc
/// The first columns of a delivery, in the order of the struct; the body is the engine's matter.
Delivery ReadDelivery(Row& row);
/// False: somebody was faster.
Result<bool> HoldDelivery(Tx& tx, DeliveryId id, const TakeRequest& request);
Result<void> ReleaseDeliveries(Tx& tx, std::string_view node);
Result<void> DeferDelivery(Tx& tx, DeliveryId id, std::string_view error,
                           std::chrono::milliseconds delay, Blame blame);

// intake_plan.cc
struct AppliedPlan {
  IntakeResult result;
  bool decided = false;  ///< the delivery, by this
};
Result<AppliedPlan> ApplyIntake(Tx& tx, const IntakePlan& plan);

// polls.cc
Result<std::optional<PollMark>> GetPoll(Connection& db, std::string_view key);
Result<void> SetPoll(Tx& tx, const PollMark& mark);
Result<void> ForgetPoll(Tx& tx, std::string_view key);
Result<std::vector<PollMark>> ListPolls(Connection& db, std::string_view prefix, int limit);
Result<bool> IsObeyed(Connection& db, std::string_view command_key);
Result<bool> HasDelivery(Connection& db, std::string_view forge, std::string_view key);
Result<bool> HasDeliverySince(Connection& db, std::string_view forge, WallTime since);
Result<bool> IsByLabel(Connection& db, TaskId task);
Result<std::vector<BlockedTask>> ListBlocked(Connection& db, int limit);
Result<Starts> CountStarts(Connection& db, const RepoRef& repo, std::string_view account,
                           WallTime since);

// claims.cc
Result<std::vector<Claimed>> ClaimTasks(Tx& tx, std::string_view node,
                                        std::chrono::milliseconds lease, const ClaimLimits& limits,
                                        int most);
/// For the audit log, but for the task. `orphan`: it was taken over from a lease that had run out.
AuditEntry ClaimEntry(std::string_view node, int attempt, std::string_view run, bool orphan);
/// The cycles of a run, for whoever goes on with it.
Result<std::vector<CycleHistory>> ListHistory(Connection& db, TaskId task, int run);
/// All so far, oldest first.
Result<std::vector<Remark>> ListRemarks(Connection& db, TaskId task);
Result<std::vector<Remark>> ListSeenRemarks(Connection& db, TaskId task);
Result<std::vector<TaskId>> RenewLeases(Tx& tx, const std::vector<Lease>& leases,
                                        std::chrono::milliseconds duration);
Result<int> ExpireAllLeases(Tx& tx);
Result<int> ExpireLeases(Tx& tx, std::string_view node);
Result<std::vector<Lease>> ListLeases(Connection& db, WallTime engine_now, std::string_view node);

// nodes.cc
Result<void> Heartbeat(Tx& tx, const NodeInfo& node);
Result<std::vector<NodeInfo>> ListNodes(Connection& db, WallTime engine_now);
Result<void> ForgetNode(Tx& tx, std::string_view name, std::string_view instance);

// worker_writes.cc
/// The task, for as long as the transaction lasts nobody else's. Errors: kLeaseLost.
Result<Task> LeasedTask(Tx& tx, const Lease& lease);
Result<void> SetBase(Tx& tx, const Lease& lease, std::string_view branch, const CommitSha& base);
Result<void> SetStage(Tx& tx, const Lease& lease, Stage stage, int cycle);
Result<void> SaveCheckpoint(Tx& tx, const Lease& lease, const Checkpoint& checkpoint);
Result<std::optional<Checkpoint>> LoadCheckpoint(Connection& db, TaskId task);
Result<void> AddNote(Tx& tx, const Lease& lease, std::string_view text);
Result<std::int64_t> StartStep(Tx& tx, const Lease& lease, const Step& step);
Result<void> FinishStep(Tx& tx, const Lease& lease, std::int64_t step_id, std::string_view outcome,
                        std::string_view summary, const CommitSha& commit);
Result<void> FinishCycle(Tx& tx, const Lease& lease, const CycleRecord& cycle);
Result<std::vector<Remark>> ListRemarks(Tx& tx, const Lease& lease);
Result<void> FinishRun(Tx& tx, const Lease& lease, const RunOutcome& outcome);

// levels.cc
/// As four parameters of a query: a name, or a word that no task's level is.
inline constexpr std::string_view kNoLevel = "-";
using LevelNames = std::array<std::string_view, std::size(kIsolationLevels)>;
LevelNames NamesOf(const LevelSet& levels);
Result<void> RaiseLevel(Tx& tx, const Lease& lease, const LevelStep& step);
Result<std::vector<LevelStep>> ListLevels(Connection& db, TaskId task);
Result<void> AddBlockedHosts(Tx& tx, const Lease& lease, const std::vector<BlockedHost>& hosts);
Result<std::vector<BlockedHost>> ListBlockedHosts(Connection& db, TaskId task);
Result<void> AddSigns(Tx& tx, const Lease& lease, const std::set<Sign>& signs);
Result<std::set<Sign>> ListSigns(Connection& db, TaskId task);
/// The task, which has just become waiting, goes on once somebody gives its level.
Result<void> WaitForLevel(Tx& tx, TaskId task);
/// Spares a transaction while there is nothing to do.
Result<bool> AnyLevelToSettle(Connection& db, WallTime engine_now, const LevelSupply& supply);
Result<SettledLevels> SettleLevels(Tx& tx, const LevelSupply& supply);

// outbox.cc
/// The place among the effects of a task that wait for one another; 0 waits for nothing.
int Ordinal(EffectKind kind);
/// Spares a transaction while there is nothing to do.
Result<bool> AnyEffectToTake(Connection& db, WallTime engine_now, const TakeRequest& request);
Result<std::vector<Effect>> TakeEffects(Tx& tx, const TakeRequest& request);
Result<std::vector<EffectId>> RenewHolds(Tx& tx, const std::vector<Effect>& effects,
                                         std::chrono::milliseconds hold);
Result<void> ReleaseEffects(Tx& tx, std::string_view node);
Result<void> AddEffect(Tx& tx, const NewEffect& effect);
/// False: it was superseded meanwhile; the facts are kept all the same.
Result<bool> FinishEffect(Tx& tx, const Effect& effect, std::string_view result,
                          const PublishedFacts& facts);
Result<void> RetryEffect(Tx& tx, const Effect& effect, std::string_view error,
                         std::chrono::milliseconds delay, Blame blame);
Result<void> FailEffect(Tx& tx, const Effect& effect, std::string_view error, bool fail_task);

// audit.cc
/// The fields of AuditEntry; cut at their bounds.
Result<void> AddAudit(Tx& tx, std::string_view actor, std::string_view action,
                      std::string_view task, std::string_view subject, std::string_view detail);
Result<int> SealAudit(Tx& tx, int limit);
Result<std::vector<AuditRecord>> ListAudit(Connection& db, std::int64_t after, int limit);
Result<AuditState> GetAuditState(Connection& db);

// task_rows.cc: what several of the above share.
Task ReadTask(Row& row);
Result<Task> GetTask(Connection& db, TaskId id);
/// As GetTask; nobody else changes the task before this transaction ends.
Result<Task> LockTask(Tx& tx, TaskId id);
Result<std::optional<Task>> FindTaskByIssue(Connection& db, const RepoRef& repo,
                                            std::int64_t issue);
/// The row of a repository, made or renamed when needed.
Result<std::int64_t> RepoRow(Tx& tx, const RepoRef& repo);
Result<void> AddTimeline(Tx& tx, TaskId task, std::string_view kind, std::string_view detail);
/// Along CanMove only (else kConflict): gives up the lease, ends running steps. `actor` is the
/// audit log's word for whose doing it is.
Result<void> MoveTask(Tx& tx, const Task& task, TaskState to, std::string_view reason,
                      std::string_view actor = audit::kSwage);
/// A new run of a task that is at rest; its old effects in line are superseded.
Result<void> Requeue(Tx& tx, const Task& task, RunKind kind, std::string_view actor);
/// A remark that no worker saw gets a run of its own.
Result<void> RequeueIfRemarked(Tx& tx, TaskId id);
/// running in stage publish with nothing left to publish -> in_review.
Result<void> EndPublishing(Tx& tx, TaskId id);
/// The task's sticky comment, if it has one, is to be rendered again.
Result<void> TouchSticky(Tx& tx, TaskId id);

// reads.cc
Result<std::optional<Task>> FindTaskByPullRequest(Connection& db, const RepoRef& repo,
                                                  std::int64_t number);
Result<std::vector<Task>> ListTasks(Connection& db, const TaskFilter& filter);
Result<std::vector<Step>> ListSteps(Connection& db, TaskId task);
Result<std::vector<LedgerFinding>> ListFindings(Connection& db, TaskId task);
Result<std::vector<Delegate>> ListDelegates(Connection& db, TaskId task);
Result<std::vector<TimelineEntry>> ListTimeline(Connection& db, TaskId task, std::int64_t after,
                                                int limit);
Result<std::vector<ParkedDelivery>> ListParkedDeliveries(Connection& db, int limit);
Result<std::vector<FailedEffect>> ListFailedEffects(Connection& db, int limit);
Result<StoreCounts> Counts(Connection& db);

}  // namespace swage::sql
