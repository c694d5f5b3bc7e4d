// Store: all durable state, as typed operations that are each exactly one transaction.
//
// What an engine owes (tests/conformance/store_suite.h states it for all of them):
//   - when a write returns ok it survives a power cut (SQLite: a synced log of deliveries, and
//     WAL with synchronous=FULL for all else);
//   - every write of a worker takes the Lease and says WHERE epoch = ?: zero rows is kLeaseLost,
//     and then nothing at all was written (B3, I5);
//   - states move only along CanMove (pipeline/task.h); a forbidden move is kConflict;
//   - the engine's clock decides whether a lease is over;
//   - no method talks to the network or runs a callback inside a transaction;
//   - rows that a page lists are bounded by the caller's `limit`.
// Errors: kLeaseLost, kConflict, kNotFound, kUnavailable (locked, disk full, database away: nothing
// was written, try again), kTimeout (the database was lost in mid-commit: whether it was written is
// unknown, and asking again is right for every operation), kInternal.
// Thread-safe; calls block for about one disk sync.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "config/isolation_rules.h"
#include "pipeline/agent.h"
#include "pipeline/audit.h"
#include "pipeline/gate.h"
#include "pipeline/pace.h"
#include "pipeline/remark.h"
#include "pipeline/store/hold.h"
#include "pipeline/task.h"

namespace swage {

// --- holds

/// Who takes what is due, how much, and for how long it is theirs alone. What is held is not taken
/// by anybody else before the hold is over.
struct TakeRequest {
  std::string node;
  int limit = 1;
  std::chrono::milliseconds hold{30'000};
  int pushes = 1'000'000;  ///< at most, among the effects
};

/// Whose fault it is that something must be tried again.
enum class Blame {
  kItself,  ///< counts as an attempt
  kForge,   ///< nothing could have been tried (paused, credential refused): does not count
};

// --- inbox

struct NewDelivery {
  std::string forge;  ///< settings name
  std::string key;    ///< DeliveryInfo::key: unique per forge
  std::string event;
  std::string body;  ///< raw bytes, signature verified
};

struct Delivery {
  DeliveryId id;
  NewDelivery what;
  WallTime received{};
  int attempts = 0;
  /// The body cannot be read and is empty: kInternal, names the file. The delivery stays pending.
  std::optional<Error> damage;
};

// --- outbox

/// In the order in which the effects of one task are carried out.
enum class EffectKind {
  kReaction,
  kComment,
  kSticky,
  kPush,
  kPullRequest,
  kStatus,
  kReview,
  kResolve
};
std::string_view Name(EffectKind k);
std::optional<EffectKind> ParseEffectKind(std::string_view s);

/// A write to a forge, recorded before it happens. `key` is unique: adding the same key twice is a
/// no-op, with two exceptions. An effect that never happened (failed, superseded) becomes pending
/// again with the new payload. A kSticky effect becomes pending again whenever it is added (the
/// text is rendered when it is sent), but never before the time of an ordered retry.
struct NewEffect {
  EffectKind kind = EffectKind::kComment;
  std::string key;  ///< kSticky: not read, the store sets StickyKey(task)
  RepoRef repo;
  TaskId task;          ///< value 0: belongs to no task (an answer to a stranger's command)
  std::string payload;  ///< JSON; see pipeline/effects.h
};

enum class EffectState { kPending, kDone, kFailed, kSuperseded };
std::string_view Name(EffectState s);

struct Effect {
  EffectId id;
  NewEffect what;
  Epoch epoch;  ///< of the task when it was added; 0 without a task
  EffectState state = EffectState::kPending;
  int attempts = 0;
  std::int64_t version = 0;  ///< raised whenever the effect is added again
  std::string error;         ///< of the last attempt
  std::string result;        ///< JSON of the publisher: ids and URLs
  std::int64_t hold = 0;     ///< counts how often it was taken: whose result is the newest
  /// Scopes of paces of which this is the probe (see pipeline/pace.h).
  std::vector<std::string> probes = {};
};

// --- paces

struct PaceView {
  Pace pace;
  std::chrono::milliseconds left{0};  ///< PauseLeft by the engine's clock
};

struct PaceChange {
  Pace before;
  Pace after;
  std::chrono::milliseconds left{0};
};

/// What the publisher learned and the task must know.
struct PublishedFacts {
  std::optional<CommitSha> pushed;
  std::optional<std::int64_t> pr_number;
  std::optional<std::string> pr_url;
  std::optional<std::string> sticky_comment_id;
  /// fingerprint -> thread id ("" = posted without a thread of its own)
  std::vector<std::pair<std::string, std::string>> posted_findings;
  std::vector<std::string> resolved_findings;  ///< fingerprints
};

// --- intake

struct NewTask {
  RepoRef repo;
  std::int64_t issue_number = 0;
  std::string issue_url;
  FrozenText text;
  Actor requester;
  std::string profile;
  /// Work that is wanted only as long as the label, or the assignment of the bot, stands.
  bool by_label = false;
  std::string remark = {};       ///< what the requester said beside the issue's text
  std::string branch_prefix;     ///< the branch is BranchName(prefix, number, generation, title)
  bool new_generation = false;   ///< begin another one when the newest is merged or closed
  std::string base_branch = {};  ///< to stand on; empty = the default one
  Priority priority = Priority::kNormal;
  /// Issues of the repository that must be closed first: it begins as kWaiting, with this reason.
  std::vector<std::int64_t> waits_for = {};
  std::string waits_reason = {};
};

/// "Its effects in line" are those that wait for one another (push to resolve); reactions, comments
/// and stickies are answers to people and stay.
enum class TaskChangeKind {
  /// -> queued: run + 1, attempt 0, effects in line superseded; `run_kind`, `remark`. Of a queued
  /// or
  /// running task it is a kRemark.
  kRequeue,
  kCancel,  ///< -> cancelled, epoch + 1, effects in line superseded
  /// A text for the next cycle of a queued or running task; the state stays. When the run ends
  /// before
  /// a worker has seen it, a run of kind kFix follows at once.
  kRemark,
  kClose,       ///< a human closed the pull request, or asked for that -> closed, as kCancel
  kMerge,       ///< the pull request was merged -> merged, as kCancel
  kPause,       ///< -> waiting, as kCancel
  kPrioritize,  ///< `priority` from now on; the state stays
};

struct TaskChange {
  TaskId task;
  TaskChangeKind kind = TaskChangeKind::kCancel;
  RunKind run_kind = RunKind::kFix;
  std::string remark;
  std::string actor;  ///< login, for the timeline and `reason`
  std::string reason;
  /// kRequeue that begins a run: the issue as it reads now, in place of the text frozen before.
  std::optional<FrozenText> text = std::nullopt;
  /// kRequeue that begins a run: the branch's head at the forge, pushed by somebody else, from
  /// which the work goes on. Empty = from the last checkpoint.
  CommitSha adopt = {};
  bool by_label = false;                  ///< kRequeue: as in NewTask
  std::vector<AskedThread> threads = {};  ///< of `remark`
  Priority priority = Priority::kNormal;  ///< kPrioritize
};

/// A task that waits for other issues of its repository.
struct BlockedTask {
  TaskId task;
  RepoRef repo;
  std::vector<std::int64_t> issues;
};

/// Tasks that began lately.
struct Starts {
  std::int64_t in_repo = 0;
  std::int64_t of_account = 0;  ///< in all repositories of the forge
};

/// Somebody who may command one task without the role (G3). Known by the account: names change
/// hands.
struct Delegate {
  std::string account;  ///< immutable id at the task's forge
  std::string login;    ///< as it was then, for people
  std::string by;       ///< login of who let them
};
struct DelegateChange {
  TaskId task;
  Delegate who;
  bool may = true;  ///< false: not any more
};

/// Everything that one delivery changes, in one transaction. Effects with task id 0 and
/// `effects_for_new_task` are tied to the task that `task` made (or found).
struct IntakePlan {
  DeliveryId delivery;   ///< value 0: not from the inbox (CLI, tests)
  std::string outcome;   ///< one line: what was decided and why
  bool ignored = false;  ///< for the inbox's state column only
  std::string actor;     ///< login of whoever caused it, for the audit log; empty = nobody known
  std::string command;   ///< "/swage retry", when it was one
  /// Somebody or something that may not was turned away. The audit log has these besides the plans
  /// that are not ignored.
  bool refused = false;
  /// Given up: somebody should look at the delivery (ListParkedDeliveries).
  bool parked = false;
  /// A command is obeyed once per comment, whatever the number of deliveries (T19): when this key
  /// was seen before, the plan changes nothing but the delivery.
  std::string command_key;
  std::optional<NewTask> task;
  std::vector<TaskChange> changes;
  std::vector<DelegateChange> delegates;
  std::vector<NewEffect> effects;
  std::vector<NewEffect>
      effects_for_new_task;  ///< `task` filled in by the store; dropped when no new row
};

struct IntakeResult {
  TaskId task;  ///< made or found by IntakePlan::task; value 0 = none
  bool created = false;
  std::vector<TaskId> cancelled;  ///< whose worker, if any, must stop now
};

// --- work

struct ClaimLimits {
  int concurrent = 4;  ///< of the node that claims
  int concurrent_per_repo = 4;
  int max_attempts = 3;  ///< a task claimed more often than this becomes failed instead
  /// A task whose worker was lost rests for so long times the attempts it had, less one: the first
  /// loss is taken for an accident.
  std::chrono::milliseconds attempt_delay{0};
  /// What the node can give. A task whose level is decided is for those that can give that.
  LevelSet levels = LevelSet::All();

  friend bool operator==(const ClaimLimits&, const ClaimLimits&) = default;
};

struct Claimed {
  Task task;
  Lease lease;
  std::vector<CycleHistory> history;  ///< of this run
  std::vector<Remark> remarks;        ///< all so far, oldest first
};

enum class StepKind { kProvision, kAgent, kGate, kPublish };
std::string_view Name(StepKind k);
std::optional<StepKind> ParseStepKind(std::string_view s);

/// A checkpoint as it travels between nodes; see pipeline/workspace/travel.h.
struct Checkpoint {
  CommitSha commit;
  CommitSha base = {};
  std::string pack = {};  ///< what `commit` has and `base` lacks
};

struct Step {
  std::int64_t id = 0;
  TaskId task;
  int run = 1;
  int cycle = 0;
  StepKind kind = StepKind::kAgent;
  std::string name;  ///< of the gate or the agent's preset
  bool required = true;
  std::string outcome;  ///< "running", a GateOutcome name, "ok", "failed", "interrupted"
  std::string summary;
  CommitSha commit;
  std::string log_path;  ///< relative to data_dir of the node
  std::string node;      ///< where it ran; filled in by the store, from the lease
  WallTime started{};
  std::optional<WallTime> finished;
};

struct CycleRecord {
  int cycle = 0;
  CommitSha commit;
  TreeSha tree;
  bool passed = false;
  std::string digest;
  std::string signature;
};

/// A finding as the review ledger knows it (F3).
struct LedgerFinding {
  Finding finding;
  bool posted = false;
  std::string thread_id;
  bool resolved = false;
};

/// Why a task is at its level: how it was chosen, and each step up from there (C3).
struct LevelStep {
  IsolationLevel level = IsolationLevel::kWorktree;
  std::vector<std::string> reasons;  ///< one line each
  int cycle = 0;                     ///< after which one; 0 = before the first
  // Filled in by the store:
  int run = 0;
  WallTime at{};
};

/// A host that a task's commands asked for and were kept from (C14).
struct BlockedHost {
  std::string host;  ///< "registry.example.com:443"
  std::int64_t times = 1;
};

/// What the nodes that live can give between them, and what to say of the rest.
struct LevelSupply {
  LevelSet given;
  /// Of each level whose tasks are to wait: reason and fix.
  std::map<IsolationLevel, std::string> why_not;
};
struct SettledLevels {
  std::vector<TaskId> parked;    ///< became waiting: nobody can give their level
  std::vector<TaskId> released;  ///< became queued: somebody can
};

struct RunOutcome {
  /// kInReview when something is to be published, kFailed, kWaiting (something it needs is
  /// missing), kCancelled, kClosed, kMerged (nobody wants it any more), or kQueued (give back, e.g.
  /// at shutdown).
  TaskState state = TaskState::kFailed;
  std::string reason;
  std::vector<Finding> findings;  ///< of the published commit: replaces the ledger's open ones
  std::vector<NewEffect> effects;
  /// With kQueued: the attempt failed for a reason that may pass; it counts, and the next one
  /// begins so much later. Zero: nothing failed, and nothing counts.
  std::chrono::milliseconds retry_in{0};
  /// With kWaiting: for a node that can give the task's level. It is queued again when there is
  /// one (SettleLevels).
  bool for_level = false;
};

// --- nodes

/// One process among those that share the store.
struct NodeInfo {
  std::string name;      ///< unique; leases are in this name
  std::string instance;  ///< of the process: another one after each start
  std::string host;
  std::string roles;  ///< "web, worker"
  std::string version;
  std::string url;  ///< of its own pages, as people reach them; may be empty
  WallTime started{};
  LevelSet levels;    ///< that it can give; empty for one that runs no tasks
  std::string lacks;  ///< why not the others, with the fix: one "LEVEL: ..." a line
  // Filled in by the store:
  std::chrono::milliseconds silent_for{0};  ///< since its last heartbeat, by the engine's clock
  int running = 0;                          ///< its live leases
};

// --- polls

/// The keys of alarms, which the first page and /healthz show; `etag` is the sentence.
inline constexpr std::string_view kAlarmPrefix = "alarm:";

/// How far something was read at a forge. The key names what: "changes:github:42".
struct PollMark {
  std::string key;
  std::string cursor;
  std::string etag;
};

// --- observers

/// One line of a task's history, written by the store in the transaction that it tells of.
struct TimelineEntry {
  std::int64_t id = 0;
  TaskId task;
  WallTime at{};
  std::string kind;    ///< closed vocabulary: the constants of pipeline/store/timeline.h
  std::string detail;  ///< a phrase for people: "cycle 1: 2 gates failed (tests, style)"
};

struct TaskFilter {
  std::optional<TaskState> state;
  std::string repo_path;  ///< empty = all
  int limit = 100;
};

/// A delivery that could not be decided, however often it was tried.
struct ParkedDelivery {
  DeliveryId id;
  std::string forge;
  std::string key;
  std::string event;
  WallTime received{};
  int attempts = 0;
  std::string outcome;  ///< why
};

/// An effect that failed for good.
struct FailedEffect {
  EffectId id;
  EffectKind kind = EffectKind::kComment;
  std::string repo_path;
  TaskId task;  ///< value 0: of no task
  int attempts = 0;
  std::string error;
  WallTime failed{};
};

struct AuditState {
  AuditHead head;             ///< the newest sealed record
  std::int64_t unsealed = 0;  ///< entries that wait for their number
};

struct StoreCounts {
  std::int64_t deliveries = 0;
  std::int64_t pending_deliveries = 0;
  std::int64_t pending_effects = 0;
  std::int64_t tasks = 0;
};

/// What a hint between processes is about.
enum class Topic { kDeliveries, kTasks, kEffects };
std::string_view Name(Topic t);

class Store {
 public:
  static constexpr int kMaxNodes = 1'000;
  static constexpr int kMaxSettled = 100;
  static constexpr int kMaxBlockedHosts = 100;  ///< of a task; what comes later is not kept
  static constexpr std::size_t kMaxLevelReasons = 10;

  virtual ~Store() = default;

  /// `tell` is called, on a thread of the store and never after the store is gone, when another
  /// process may have added work. A hint over polling: some are lost, some come for nothing. It
  /// must not block or call the store. An engine of one process never calls it.
  virtual void OnNews(std::function<void(Topic)> tell) { (void)tell; }

  // Inbox. AddDelivery: true = stored, false = this key was stored before. Durable when it returns
  // (B1). It costs a disk sync; whoever has many uses AddDeliveries.
  virtual Result<bool> AddDelivery(const NewDelivery& delivery) = 0;
  /// All of them in one transaction, with one disk sync; one answer each, in their order. A few
  /// callers at once are faster than one.
  virtual Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) = 0;
  /// The oldest pending ones whose time has come, which nobody holds and whose forge is not paused;
  /// held from now on.
  virtual Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest& request) = 0;
  /// What `node` holds is free again.
  virtual Result<void> ReleaseDeliveries(std::string_view node) = 0;
  /// The delivery could not be decided now (forge down): free again after `delay`.
  virtual Result<void> DeferDelivery(DeliveryId id, std::string_view error,
                                     std::chrono::milliseconds delay, Blame blame) = 0;
  /// All or nothing; a delivery that was decided before changes nothing. kConflict: a change of the
  /// plan is not possible (any more): read again and decide anew.
  virtual Result<IntakeResult> ApplyIntake(const IntakePlan& plan) = 0;

  // Polls.
  virtual Result<std::optional<PollMark>> GetPoll(std::string_view key) = 0;
  virtual Result<void> SetPoll(const PollMark& mark) = 0;
  virtual Result<void> ForgetPoll(std::string_view key) = 0;
  /// Those whose key begins with `prefix`, by key; at most `limit`.
  virtual Result<std::vector<PollMark>> ListPolls(std::string_view prefix, int limit) = 0;
  /// Whether a plan with this command key was applied.
  virtual Result<bool> IsObeyed(std::string_view command_key) = 0;
  virtual Result<bool> HasDelivery(std::string_view forge, std::string_view key) = 0;
  /// Whether one of the newest 10,000 deliveries came from `forge` at or after `since`.
  virtual Result<bool> HasDeliverySince(std::string_view forge, WallTime since) = 0;
  /// The repository is known by this path from now on, also in its tasks.
  virtual Result<void> RenameRepo(const RepoRef& repo) = 0;
  /// Whether the run of a task is wanted only as long as its label or assignment stands.
  virtual Result<bool> IsByLabel(TaskId task) = 0;
  /// Those that wait for issues, oldest first; at most so many pairs of task and
  /// issue are read.
  virtual Result<std::vector<BlockedTask>> ListBlocked(int limit) = 0;
  /// In so much time before now; they are remembered for a day.
  virtual Result<Starts> CountStarts(const RepoRef& repo, std::string_view account,
                                     std::chrono::milliseconds within) = 0;

  // Lookups. The newest generation; nullopt when there is none.
  virtual Result<Task> GetTask(TaskId id) = 0;
  virtual Result<std::optional<Task>> FindTaskByIssue(const RepoRef& repo, std::int64_t issue) = 0;
  virtual Result<std::optional<Task>> FindTaskByPullRequest(const RepoRef& repo,
                                                            std::int64_t pr) = 0;
  /// Newest first.
  virtual Result<std::vector<Task>> ListTasks(const TaskFilter& filter) = 0;
  virtual Result<std::vector<Step>> ListSteps(TaskId task) = 0;
  virtual Result<std::vector<LedgerFinding>> ListFindings(TaskId task) = 0;
  /// Those that a worker has seen, oldest first.
  virtual Result<std::vector<Remark>> ListSeenRemarks(TaskId task) = 0;
  /// In the order in which they were made.
  virtual Result<std::vector<Delegate>> ListDelegates(TaskId task) = 0;
  /// In the order in which they happened: each at a higher level than the one before.
  virtual Result<std::vector<LevelStep>> ListLevels(TaskId task) = 0;
  /// The one asked for most often first.
  virtual Result<std::vector<BlockedHost>> ListBlockedHosts(TaskId task) = 0;
  /// What AddSigns was told.
  virtual Result<std::set<Sign>> ListSigns(TaskId task) = 0;
  /// Entries with id > after, oldest first; task 0 = of all tasks.
  virtual Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after,
                                                          int limit) = 0;
  virtual Result<StoreCounts> Counts() = 0;

  // Dead letters, newest first.
  virtual Result<std::vector<ParkedDelivery>> ListParkedDeliveries(int limit) = 0;
  virtual Result<std::vector<FailedEffect>> ListFailedEffects(int limit) = 0;

  // The audit log (B10). The operations below append what they do, in their own transaction;
  // AppendAudit is for what happens outside of them. Entries have no number at first, so that
  // nobody waits for anybody else. Nothing that was sealed can be changed or deleted.
  virtual Result<void> AppendAudit(const AuditEntry& entry) = 0;
  /// Numbers and hashes at most `limit` entries; returns how many. Any number of callers at once,
  /// also on many nodes, make one chain.
  virtual Result<int> SealAudit(int limit) = 0;
  /// Sealed records with seq > after, oldest first.
  virtual Result<std::vector<AuditRecord>> ListAudit(std::int64_t after, int limit) = 0;
  virtual Result<AuditState> GetAuditState() = 0;

  // Claims. ClaimTasks picks running tasks whose leases are over, then the oldest queued ones,
  // within the limits, at no level that the node cannot give, and of no forge or repository whose
  // pace says that it is paused; state running, epoch + 1, attempt + 1, stage provision. At most
  // `most`, and perhaps fewer than could be had: ask again. Nothing at all: there is nothing to do.
  virtual Result<std::vector<Claimed>> ClaimTasks(std::string_view node,
                                                  std::chrono::milliseconds lease,
                                                  const ClaimLimits& limits, int most) = 0;
  Result<std::optional<Claimed>> ClaimTask(std::string_view node, std::chrono::milliseconds lease,
                                           const ClaimLimits& limits) {
    SWAGE_ASSIGN_OR_RETURN(auto claimed, ClaimTasks(node, lease, limits, 1));
    if (claimed.empty()) return std::optional<Claimed>();
    return std::optional(std::move(claimed.front()));
  }
  /// All of one node's leases at once. Returns the tasks whose leases are lost.
  virtual Result<std::vector<TaskId>> RenewLeases(const std::vector<Lease>& leases,
                                                  std::chrono::milliseconds duration) = 0;
  /// Ends every lease at once: right at start of an engine that only one process can open.
  /// Returns how many tasks were orphaned; their running steps become "interrupted".
  virtual Result<int> ExpireAllLeases() = 0;
  /// The same for the leases in this node's name: right at its start, once it holds its name.
  virtual Result<int> ExpireLeases(std::string_view node) = 0;
  /// Those in this node's name that are not over.
  virtual Result<std::vector<Lease>> ListLeases(std::string_view node) = 0;

  // Nodes.
  /// Whether other processes may have this store open too: then checkpoints must travel.
  virtual bool SharedByNodes() const = 0;
  /// Says that the node lives; makes or replaces its row.
  virtual Result<void> Heartbeat(const NodeInfo& node) = 0;
  /// By name; at most kMaxNodes.
  virtual Result<std::vector<NodeInfo>> ListNodes() = 0;
  /// Removes its row, unless another instance has taken the name.
  virtual Result<void> ForgetNode(std::string_view name, std::string_view instance) = 0;
  /// Queued tasks, and those whose worker was lost, at a level of `why_not` become waiting; those
  /// that wait for a level that is given become queued. At most kMaxSettled of each.
  virtual Result<SettledLevels> SettleLevels(const LevelSupply& supply) = 0;
  /// Takes a single duty or a name, among all nodes; nullptr when another holds it. Never waits.
  virtual Result<std::unique_ptr<Hold>> TryHold(std::string_view name) = 0;

  // A worker's writes, all fenced by the lease.
  virtual Result<void> SetBase(const Lease& lease, std::string_view base_branch,
                               const CommitSha& base) = 0;
  /// Also counts the cycle: `cycle` is written to the task.
  virtual Result<void> SetStage(const Lease& lease, Stage stage, int cycle) = 0;
  /// An empty pack: the checkpoint is on this node alone, and an older one that travels is dropped.
  virtual Result<void> SaveCheckpoint(const Lease& lease, const Checkpoint& checkpoint) = 0;
  /// The newest one with a pack, until the forge has its commit or the task is over, or
  /// DropOldCheckpoints took it.
  virtual Result<std::optional<Checkpoint>> LoadCheckpoint(TaskId task) = 0;
  /// Forgets the packs that are older than `age`, of tasks that neither run nor are queued; at most
  /// `limit`. Returns how many.
  virtual Result<int> DropOldCheckpoints(std::chrono::milliseconds age, int limit) = 0;
  /// A phrase of the worker for the task's timeline.
  virtual Result<void> AddNote(const Lease& lease, std::string_view text) = 0;
  /// The task's level, before anything runs at it. Where it is already, nothing happens; kConflict
  /// when it would fall. What goes beyond kMaxLevelReasons is left out.
  virtual Result<void> RaiseLevel(const Lease& lease, const LevelStep& step) = 0;
  /// Adds to what was counted before.
  virtual Result<void> AddBlockedHosts(const Lease& lease,
                                       const std::vector<BlockedHost>& hosts) = 0;
  /// What the task's runs showed, for the level of those that follow.
  virtual Result<void> AddSigns(const Lease& lease, const std::set<Sign>& signs) = 0;
  /// Returns the step's id.
  virtual Result<std::int64_t> StartStep(const Lease& lease, const Step& step) = 0;
  virtual Result<void> FinishStep(const Lease& lease, std::int64_t step_id,
                                  std::string_view outcome, std::string_view summary,
                                  const CommitSha& commit) = 0;
  virtual Result<void> FinishCycle(const Lease& lease, const CycleRecord& cycle) = 0;
  /// All remarks so far, oldest first. What it returns counts as seen by the worker.
  virtual Result<std::vector<Remark>> ListRemarks(const Lease& lease) = 0;
  /// Ends the run: state, findings and effects in one transaction; the lease is given up. With
  /// kInReview the task stays running in stage publish until its last effect in line is done.
  /// Giving back (kQueued) does not count as an attempt, unless RunOutcome::retry_in says so.
  virtual Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) = 0;
  /// FinishRun, and in the same transaction, where an engine can, a claim as by ClaimTasks for the
  /// place that it leaves on the lease's node: for `duration`, within `limits`. None says nothing
  /// about the queue; several are those of others as well. After an error ask FinishRun: nothing
  /// was claimed that anybody heard of.
  virtual Result<std::vector<Claimed>> FinishRunAndClaim(const Lease& lease,
                                                         const RunOutcome& outcome,
                                                         std::chrono::milliseconds duration,
                                                         const ClaimLimits& limits) = 0;

  // Outbox. TakeEffects: the oldest pending effect of each task (and every one without a task)
  // whose time has come, which nobody holds and whose forge is not paused; held from now on. An
  // effect that waits or is held keeps back the later ones of its task, but for kReaction, kComment
  // and kSticky, which neither wait nor hold back. While a forge's breaker is not closed: one, as
  // its probe. A RepoScope that is paused keeps back pushes and pull requests.
  virtual Result<std::vector<Effect>> TakeEffects(const TakeRequest& request) = 0;
  /// Those of `effects` that are still pending and held by that very take are held for `hold` from
  /// now on; returns their ids.
  virtual Result<std::vector<EffectId>> RenewHolds(const std::vector<Effect>& effects,
                                                   std::chrono::milliseconds hold) = 0;
  /// As ReleaseDeliveries.
  virtual Result<void> ReleaseEffects(std::string_view node) = 0;
  virtual Result<void> AddEffects(const std::vector<NewEffect>& effects) = 0;
  /// Done, with what was learned; a sticky effect only if its version is still `effect.version`.
  /// When it was the last in line of a task in stage publish: running -> in_review, and the task's
  /// sticky effect, if there is one, is due again. kLeaseLost when the effect was superseded, or
  /// taken by somebody else, meanwhile (facts about the forge are kept all the same).
  virtual Result<void> FinishEffect(const Effect& effect, std::string_view result,
                                    const PublishedFacts& facts) = 0;
  /// Free again after `delay`.
  virtual Result<void> RetryEffect(const Effect& effect, std::string_view error,
                                   std::chrono::milliseconds delay, Blame blame) = 0;
  /// Gives up: the effect failed for good. With `fail_task` a task that is being published becomes
  /// failed(reason = error); without, the next effects in line go on.
  virtual Result<void> FailEffect(const Effect& effect, std::string_view error, bool fail_task) = 0;

  // Paces: one row per scope (pipeline/pace.h), the same for all nodes; without a row a scope is
  // closed and free.
  virtual Result<PaceView> GetPace(std::string_view scope) = 0;
  /// Those that are not closed, by scope.
  virtual Result<std::vector<PaceView>> ListPaces() = 0;
  virtual Result<PaceChange> NoteForgeFailure(std::string_view scope, const ForgeFailure& failure,
                                              const PaceRules& rules, double jitter) = 0;
  virtual Result<PaceChange> NoteForgeSuccess(std::string_view scope, bool wrote) = 0;
  /// The next place for a request: how long to wait for it. More than kLongestTurn: there is none
  /// yet, and nothing was reserved.
  virtual Result<std::chrono::milliseconds> Reserve(std::string_view scope, const Cost& cost,
                                                    const Allowance& allowance) = 0;
};

/// Opens or creates the file, takes it for this process alone and migrates it. The bodies of
/// deliveries lie in the folder FILE.bodies, which belongs to the database: a backup holds both,
/// the file copied first (or the two in one snapshot). Errors: kConflict
/// when another process holds it (names the file and the holder's pid), kInvalid when its schema is
/// newer than this program, kInternal.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file,
                                               const Clock& clock);

/// For looking beside a server, or without one: writes are kDenied, nothing is locked, created or
/// migrated. Errors: kNotFound, kInvalid when the schema is not this program's.
Result<std::unique_ptr<Store>> ObserveSqliteStore(const std::filesystem::path& file,
                                                  const Clock& clock);

struct PostgresOptions {
  std::string url;       ///< postgres://USER:PASSWORD@HOST:PORT/DATABASE, as libpq reads it
  std::string password;  ///< when not empty, in place of the URL's
  /// A pooler hands out sessions per transaction: nothing is kept in them, and there are no hints.
  /// The same as pgbouncer=true in the URL.
  bool pgbouncer = false;
  int max_sessions = 16;  ///< besides the one that listens
  /// False: a schema that is not this program's is kInvalid and stays as it is.
  bool migrate = true;
  /// For tests: decides leases in place of the database's clock.
  const Clock* engine_clock = nullptr;
};

/// Connects and migrates; any number of processes may do so at once. `clock` stamps the rows that
/// people read. Errors: kUnavailable, naming the host, the database, the reason and what to do;
/// kInvalid when the schema is newer than this program or the URL cannot be read. No error holds
/// the password.
Result<std::unique_ptr<Store>> OpenPostgresStore(const PostgresOptions& options,
                                                 const Clock& clock);

/// For people: the server, its version and the state of the schema; changes nothing. Errors as
/// OpenPostgresStore.
Result<std::string> LookAtPostgres(const PostgresOptions& options);

}  // namespace swage
