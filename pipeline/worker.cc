#include "pipeline/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include "config/base/contain.h"
#include "config/base/text.h"
#include "pipeline/base_drift.h"
#include "pipeline/checkpoint.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"
#include "pipeline/pace_keeper.h"
#include "pipeline/publication.h"
#include "pipeline/takeover.h"

namespace swage {
namespace {

constexpr std::size_t kMaxEarlierRuns = 5;
constexpr int kPatientAttempts = 12;  // with the delays below: about five minutes
constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLongestPause{60'000};
constexpr std::string_view kPolicyFile = ".swage.yml";
constexpr std::string_view kIsolation = "worktree";

bool IsTransient(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

// The forge is left alone: nothing is claimed for it meanwhile, and the thread is for others (X27).
bool WaitsForTheForge(ErrorCode code) {
  return code == ErrorCode::kRateLimited || code == ErrorCode::kUnauthenticated;
}

void Pause(std::chrono::milliseconds delay, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, delay, [] { return false; });
}

// What the agent said last in each run before this one: the first, and the newest of the others.
Result<std::vector<std::string>> EarlierSummaries(Store& store, const Task& task) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, store.ListSteps(task.id));
  std::map<int, std::string> by_run;
  for (const Step& step : steps) {
    const bool spoke =
        step.kind == StepKind::kAgent && step.outcome == "ok" && !step.summary.empty();
    if (spoke && step.run < task.run) by_run[step.run] = step.summary;
  }
  while (by_run.size() > kMaxEarlierRuns) by_run.erase(std::next(by_run.begin()));
  std::vector<std::string> summaries;
  for (auto& [run, summary] : by_run) summaries.push_back(std::move(summary));
  return summaries;
}

// Without its checkpoint the work goes on from what people see of it, on which they may have built
// (F8, I11); where nothing was pushed, or that stands on another base, it begins again.
void GoBack(Workspaces& workspaces, Task& task) {
  const bool first = task.pushed.value.empty() || task.checkpoint == task.pushed;
  const auto common = first ? Result<std::optional<CommitSha>>(std::nullopt)
                            : workspaces.FindMergeBase(task.repo, task.base_sha, task.pushed);
  const bool stands = common.ok() && *common == task.base_sha;
  task.checkpoint = stands ? task.pushed : CommitSha{};
}

}  // namespace

std::chrono::milliseconds AttemptDelay(int attempt, std::chrono::milliseconds step,
                                       std::chrono::milliseconds asked) {
  // Never zero: that would say that nothing failed.
  return std::max({attempt * step, asked, std::chrono::milliseconds(1)});
}

Worker::Worker(WorkerContext context) : context_(std::move(context)), gates_(context_.processes) {
  if (!context_.pause) context_.pause = Pause;
}

// Repeats what may work in a moment (a forge that is down, a store that is busy); the task's lease
// is renewed meanwhile.
template <class F>
auto Worker::WithPatience(TaskId task, std::stop_token stop, F&& call) -> decltype(call()) {
  auto delay = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    auto result = call();
    if (result.ok() || !IsTransient(result.error().code) || attempt == kPatientAttempts ||
        stop.stop_requested()) {
      return result;
    }
    // Whoever wonders why nothing happens finds it here.
    context_.log.Warn("waiting before another try",
                      {{"task_id", task}, {"attempt", attempt}, {"error", result.error().message}});
    context_.pause(std::max(delay, result.error().retry_after), stop);
    delay = std::min(2 * delay, kLongestPause);
  }
}

void Worker::Run(const Claimed& claimed, std::stop_token stop) {
  const Task& task = claimed.task;
  Result<RunOutcome> outcome = Contain([&] { return Attempt(claimed, stop); });
  if (!outcome.ok() && outcome.error().code == ErrorCode::kLeaseLost) {
    context_.log.Info("lease lost; the task belongs to somebody else now", {{"task_id", task.id}});
    return;
  }
  if (!outcome.ok() && stop.stop_requested()) {
    // After a cancel this write is refused (the epoch moved on); otherwise the work goes on later.
    RunOutcome give_back;
    give_back.state = TaskState::kQueued;
    give_back.reason = "interrupted; the work goes on from its last checkpoint";
    outcome = std::move(give_back);
  } else if (!outcome.ok() && WaitsForTheForge(outcome.error().code)) {
    outcome = GiveBackUntilTheForgeIsBack(task, outcome.error());
  } else if (!outcome.ok()) {
    outcome = AfterError(task, outcome.error());
  }
  const auto finished = WithPatience(
      task.id, stop, [&] { return context_.store.FinishRun(claimed.lease, *outcome); });
  if (!finished.ok()) {
    context_.log.Info("the run's result was not taken",
                      {{"task_id", task.id}, {"error", finished.error().message}});
    return;
  }
  context_.log.Info(
      "run finished",
      {{"task_id", task.id}, {"state", Name(outcome->state)}, {"reason", outcome->reason}});
}

// What the forge's requests met is noted by their gate; git has none.
RunOutcome Worker::GiveBackUntilTheForgeIsBack(const Task& task, const Error& error) const {
  const std::string why = context_.redactor.Apply(error.message);
  const auto pace = context_.store.GetPace(task.repo.forge);
  auto failure = FailureOf(error, /*wrote=*/true);
  if (failure && pace.ok() && pace->left.count() == 0) {
    failure->reason = why;
    const auto noted =
        context_.store.NoteForgeFailure(RepoScope(task.repo), *failure, PaceRules{}, 0);
    if (noted.ok()) TellOfPace(context_.log, *noted);
  }
  RunOutcome outcome;
  outcome.state = TaskState::kQueued;
  outcome.reason = "waiting for the forge: " + why;
  return outcome;
}

RunOutcome Worker::AfterError(const Task& task, const Error& error) const {
  const std::string message = context_.redactor.Apply(error.message);
  const Settings& settings = context_.settings;
  if (!IsTransient(error.code)) return Failed(task, message);
  if (task.attempt >= settings.max_attempts) {
    return Failed(
        task, fmt::format("given up after {} attempts; the last one: {}", task.attempt, message));
  }
  RunOutcome later;
  later.state = TaskState::kQueued;
  later.retry_in = AttemptDelay(task.attempt, settings.attempt_delay, error.retry_after);
  later.reason = fmt::format("attempt {} failed ({}); the next one begins in {}", task.attempt,
                             message, FormatDuration(later.retry_in));
  later.effects.push_back(StickyEffect(task.repo, task.id));
  return later;
}

RunOutcome Worker::Failed(const Task& task, std::string reason) const {
  RunOutcome outcome;
  outcome.state = TaskState::kFailed;
  outcome.effects.push_back(StickyEffect(task.repo, task.id));
  if (task.pr_number != 0) {
    outcome.effects.push_back(
        CommentOnce(task, {ThreadKind::kPullRequest, task.pr_number},
                    fmt::format("failed-{}-r{}", task.id.value, task.run), [&](auto marker) {
                      return messages::RunFailed(marker, reason, context_.settings.command_prefix);
                    }));
  }
  outcome.reason = std::move(reason);
  return outcome;
}

Result<RunOutcome> Worker::Attempt(const Claimed& claimed, std::stop_token stop) {
  Forge* forge = context_.forges(claimed.task.repo.forge);
  if (forge == nullptr) {
    return Failed(claimed.task,
                  fmt::format("the forge {} is not configured any more; add it and retry",
                              claimed.task.repo.forge));
  }
  Claimed grounded = claimed;
  SWAGE_ASSIGN_OR_RETURN(auto ended, CheckFooting(grounded.task, *forge, stop));
  if (ended) return *std::move(ended);
  // The status comment said "queued" so far, and a first fetch may take a while.
  SWAGE_RETURN_IF_ERROR(
      context_.store.AddEffects({StickyEffect(grounded.task.repo, grounded.task.id)}));
  SWAGE_ASSIGN_OR_RETURN(const Ground ground, Prepare(grounded, *forge, stop));
  if (ground.branch.taken_over) return TakenOverOutcome(grounded.task);
  grounded.task.base_branch = ground.base_branch;
  if (!ground.branch.own_head.value.empty()) {
    SWAGE_RETURN_IF_ERROR(GoOnFromOwnHead(grounded, ground));
  }
  SWAGE_ASSIGN_OR_RETURN(const bool rewritten, IsRewritten(grounded.task, ground.base));
  if (rewritten) {
    SWAGE_ASSIGN_OR_RETURN(auto parked, LeaveOldBase(grounded, ground, *forge, stop));
    if (parked) return *std::move(parked);
  }
  // The base stands still under work that was begun; without any, the newest is the best.
  if (grounded.task.checkpoint.value.empty()) grounded.task.base_sha = ground.base;
  // What is asked about is the head that people see, not work that was stopped half-way.
  if (claimed.task.run_kind == RunKind::kGates && !grounded.task.pushed.value.empty()) {
    grounded.task.checkpoint = grounded.task.pushed;
  }
  SWAGE_RETURN_IF_ERROR(BringCheckpoint(grounded, ground, stop));
  SWAGE_RETURN_IF_ERROR(
      context_.store.SetBase(claimed.lease, ground.base_branch, grounded.task.base_sha));
  Result<std::unique_ptr<Workspace>> provisioned = Provision(grounded, stop);
  if (!provisioned.ok() && provisioned.error().code == ErrorCode::kNotFound &&
      !grounded.task.checkpoint.value.empty()) {
    // Checkpoints are not synced to disk one by one: a power cut may take the newest with it.
    context_.log.Warn("the last checkpoint is gone; going back", {{"task_id", claimed.task.id}});
    GoBack(context_.workspaces, grounded.task);
    provisioned = Provision(grounded, stop);
  }
  SWAGE_ASSIGN_OR_RETURN(const std::unique_ptr<Workspace> workspace, std::move(provisioned));
  Result<LoopResult> looped = RunLoop(grounded, ground, *forge, *workspace, stop);
  if (!context_.settings.keep_workspaces) {
    if (auto released = workspace->Release(); !released.ok()) {
      context_.log.Warn("a workspace was not removed; the next start will",
                        {{"task_id", claimed.task.id}, {"error", released.error().message}});
    }
  }
  if (!looped.ok()) return looped.error();
  if (looped->failed_because.empty()) {
    SWAGE_ASSIGN_OR_RETURN(auto again,
                           LookAtBaseAgain(grounded.task, *forge, looped->warnings, stop));
    if (again) return *std::move(again);
  }
  return Conclude(grounded, ground, std::move(looped).value());
}

// The word that the work is not wanted any more, or that the repository moved, may have been lost
// (X11, X23, X24). Brings the path of a renamed repository up to date.
Result<std::optional<RunOutcome>> Worker::CheckFooting(Task& task, Forge& forge,
                                                       std::stop_token stop) {
  const auto end = [&](TaskState state, std::string reason) {
    RunOutcome outcome;
    outcome.state = state;
    outcome.reason = std::move(reason);
    outcome.effects.push_back(StickyEffect(task.repo, task.id));
    return std::optional(std::move(outcome));
  };
  const Result<Repo> repo =
      WithPatience(task.id, stop, [&] { return forge.GetRepo(task.repo.path); });
  if (!repo.ok() && repo.error().code == ErrorCode::kNotFound) {
    return end(TaskState::kWaiting, messages::RepoOutOfSight(task.repo.path));
  }
  if (!repo.ok()) return repo.error();
  if (repo->ref.id != task.repo.id) return std::optional<RunOutcome>();  // Prepare refuses (T8)
  if (repo->archived) return end(TaskState::kWaiting, messages::RepoArchived(task.repo.path));
  if (repo->ref.path != task.repo.path) {
    SWAGE_RETURN_IF_ERROR(context_.store.RenameRepo(repo->ref));
    task.repo.path = repo->ref.path;
  }
  SWAGE_ASSIGN_OR_RETURN(const auto objection, WithPatience(task.id, stop, [&] {
                           return FindObjection(forge, context_.store, task,
                                                context_.settings.trigger_label);
                         }));
  if (objection) return end(objection->to, objection->reason);
  return std::optional<RunOutcome>();
}

// Whatever stands there that is not ours is never overwritten, and never worked against (F8).
Result<Worker::Branch> Worker::LookAtBranch(const Task& task, const std::string& base_branch,
                                            Forge& forge, std::stop_token stop) {
  if (task.pushed.value.empty()) return Branch{};
  const GitRemote remote = forge.Remote(task.repo);
  const Result<CommitSha> head = WithPatience(task.id, stop, [&] {
    return context_.workspaces.Fetch(task.repo, remote, task.branch, stop);
  });
  if (!head.ok() && head.error().code == ErrorCode::kNotFound) return Branch{true, {}};  // deleted
  if (!head.ok()) return head.error();
  // The checkpoint may be there before its row says so.
  if (*head == task.pushed || *head == task.checkpoint) return Branch{};
  // Somebody took commits back: that is a decision, too.
  const auto known = context_.workspaces.FindMergeBase(task.repo, *head, task.pushed);
  if (known.ok() && *known == *head) return Branch{true, {}};
  const OwnMark mark{context_.settings.commit_email, messages::TaskTrailer(task)};
  SWAGE_ASSIGN_OR_RETURN(const auto own, WithPatience(task.id, stop, [&] {
                           return context_.workspaces.FindOwnBranch(task.repo, remote, task.branch,
                                                                    base_branch, task.base_sha,
                                                                    mark, stop);
                         }));
  return own ? Branch{false, *own} : Branch{true, {}};
}

// The database is older than what it tells of: it came back from a backup (X29).
Result<void> Worker::GoOnFromOwnHead(Claimed& claimed, const Ground& ground) {
  Task& task = claimed.task;
  context_.log.Warn("the branch holds newer work of ours than the database knows of",
                    {{"task_id", task.id}, {"head", ground.branch.own_head}});
  SWAGE_ASSIGN_OR_RETURN(const auto base, context_.workspaces.FindMergeBase(
                                              task.repo, ground.base, ground.branch.own_head));
  task.checkpoint = ground.branch.own_head;
  task.pushed = ground.branch.own_head;
  if (base) task.base_sha = *base;
  SWAGE_RETURN_IF_ERROR(context_.store.SaveCheckpoint(claimed.lease, {task.checkpoint}));
  return context_.store.AddNote(claimed.lease, messages::GoesOnFromBranch(task.checkpoint));
}

Result<bool> Worker::IsRewritten(const Task& task, const CommitSha& tip) {
  if (task.checkpoint.value.empty() || task.base_sha.value.empty()) return false;
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(context_.workspaces, task.repo, task.base_sha, tip));
  return drift == BaseDrift::kRewritten;
}

// Somebody has put the branch onto the new base already.
Result<bool> Worker::FollowByHand(Task& task, const CommitSha& tip) {
  Workspaces& workspaces = context_.workspaces;
  SWAGE_ASSIGN_OR_RETURN(const auto old_base,
                         workspaces.FindMergeBase(task.repo, task.base_sha, task.pushed));
  if (old_base == task.base_sha) return false;
  SWAGE_ASSIGN_OR_RETURN(const auto new_base,
                         workspaces.FindMergeBase(task.repo, tip, task.pushed));
  if (!new_base) return false;
  task.base_sha = *new_base;
  return true;
}

// What was begun holds commits that people took back: it starts again on the new base, unless that
// would throw away somebody's own work (X22, I11). What is published is tested as it is: that is
// what was asked.
Result<std::optional<RunOutcome>> Worker::LeaveOldBase(Claimed& claimed, const Ground& ground,
                                                       Forge& forge, std::stop_token stop) {
  Task& task = claimed.task;
  if (task.run_kind == RunKind::kGates) return std::optional<RunOutcome>();
  if (!task.pushed.value.empty()) {
    SWAGE_ASSIGN_OR_RETURN(const bool rebased, FollowByHand(task, ground.base));
    if (rebased) return std::optional<RunOutcome>();
    const OwnMark mark{context_.settings.commit_email, messages::TaskTrailer(task)};
    SWAGE_ASSIGN_OR_RETURN(const auto own, WithPatience(task.id, stop, [&] {
                             return context_.workspaces.FindOwnBranch(
                                 task.repo, forge.Remote(task.repo), task.branch,
                                 ground.base_branch, task.base_sha, mark, stop);
                           }));
    if (!own) {
      RunOutcome parked;
      parked.state = TaskState::kWaiting;
      parked.reason = messages::BaseRewrittenUnderOthersWork(task);
      parked.effects.push_back(StickyEffect(task.repo, task.id));
      return std::optional(std::move(parked));
    }
  }
  const std::string why = messages::BaseWasRewritten(task);
  context_.log.Warn("starting again from the base", {{"task_id", task.id}, {"why", why}});
  // Before the new base is noted: the old work must never be taken for work on that.
  SWAGE_RETURN_IF_ERROR(context_.store.SaveCheckpoint(claimed.lease, {}));
  SWAGE_RETURN_IF_ERROR(context_.store.AddNote(claimed.lease, messages::StartsAgain(false, why)));
  task.checkpoint = {};
  task.run_kind = RunKind::kImplement;
  task.run_first_cycle = task.cycle;  // with all its cycles
  return std::optional<RunOutcome>();
}

// A run takes its time. Whoever reads its results must know what they do not speak of.
Result<std::optional<RunOutcome>> Worker::LookAtBaseAgain(const Task& task, Forge& forge,
                                                          std::vector<std::string>& warnings,
                                                          std::stop_token stop) {
  const auto tip =
      context_.workspaces.Fetch(task.repo, forge.Remote(task.repo), task.base_branch, stop);
  // What could not be asked is not held against the work.
  if (!tip.ok()) return std::optional<RunOutcome>();
  SWAGE_ASSIGN_OR_RETURN(const BaseDrift drift,
                         FindDrift(context_.workspaces, task.repo, task.base_sha, *tip));
  switch (drift) {
    case BaseDrift::kNone:
      return std::optional<RunOutcome>();
    case BaseDrift::kMoved:
      warnings.push_back(messages::BaseMovedOn(task, *tip));
      return std::optional<RunOutcome>();
    case BaseDrift::kRewritten:
      break;
  }
  if (task.run_kind == RunKind::kGates) {
    warnings.push_back(messages::BaseWasRewritten(task) + ".");
    return std::optional<RunOutcome>();
  }
  RunOutcome outcome;
  outcome.effects.push_back(StickyEffect(task.repo, task.id));
  if (task.attempt > 1) {
    outcome.state = TaskState::kWaiting;
    outcome.reason = messages::BaseRewrittenAgain(task);
    return std::optional(std::move(outcome));
  }
  // The next attempt finds it so, and starts again.
  outcome.state = TaskState::kQueued;
  outcome.reason = messages::BaseWasRewritten(task);
  outcome.retry_in = AttemptDelay(0, {}, {});
  return std::optional(std::move(outcome));
}

RunOutcome Worker::TakenOverOutcome(const Task& task) const {
  RunOutcome outcome;
  outcome.state = TaskState::kWaiting;
  outcome.reason = messages::HumanTookOver();
  outcome.effects.push_back(StickyEffect(task.repo, task.id));
  if (task.pr_number != 0) {
    outcome.effects.push_back(TakenOver(task, context_.settings.command_prefix));
  }
  return outcome;
}

// The checkpoint may have been made on another node. Without it the work goes back, and says so.
Result<void> Worker::BringCheckpoint(Claimed& claimed, const Ground& ground, std::stop_token stop) {
  Task& task = claimed.task;
  if (task.checkpoint.value.empty()) return Ok();
  const auto brought = WithPatience(task.id, stop, [&] {
    return BringCommit(context_.store, context_.workspaces, task, task.checkpoint);
  });
  if (brought.ok() || IsTransient(brought.error().code)) return brought;
  context_.log.Warn("the last checkpoint cannot be had; going back",
                    {{"task_id", task.id}, {"error", brought.error().message}});
  GoBack(context_.workspaces, task);
  if (task.checkpoint.value.empty()) task.base_sha = ground.base;
  return context_.store.AddNote(claimed.lease, messages::StartsAgain(!task.checkpoint.value.empty(),
                                                                     brought.error().message));
}

Result<Worker::Ground> Worker::Prepare(const Claimed& claimed, Forge& forge, std::stop_token stop) {
  const Task& task = claimed.task;
  Ground ground;
  SWAGE_ASSIGN_OR_RETURN(
      const Repo repo, WithPatience(task.id, stop, [&] { return forge.GetRepo(task.repo.path); }));
  if (repo.ref.id != task.repo.id) {
    return MakeError(
        ErrorCode::kDenied,
        fmt::format("{} is another repository now than the one that was labelled; nothing "
                    "was done",
                    task.repo.path));
  }
  ground.base_branch = task.base_branch.empty() ? repo.default_branch : task.base_branch;
  SWAGE_ASSIGN_OR_RETURN(ground.base, WithPatience(task.id, stop, [&] {
                           return context_.workspaces.Fetch(task.repo, forge.Remote(task.repo),
                                                            ground.base_branch, stop);
                         }));
  SWAGE_ASSIGN_OR_RETURN(ground.branch, LookAtBranch(task, ground.base_branch, forge, stop));
  const auto policy = context_.workspaces.ReadCommitted(task.repo, ground.base, kPolicyFile);
  if (policy.ok()) {
    const std::string name =
        fmt::format("{}@{}:{}", task.repo.path, ground.base_branch, kPolicyFile);
    auto parsed = ParseRepoPolicy(*policy, name);
    if (!parsed.ok()) {
      return MakeError(ErrorCode::kInvalid, messages::BrokenPolicy(parsed.error().message));
    }
    ground.policy = std::move(parsed).value();
  } else if (policy.error().code != ErrorCode::kNotFound) {
    return policy.error();
  }
  if (ground.policy.gates.empty() || !context_.settings.policy_gates) {
    ground.policy.gates = context_.settings.gates;
  }
  return ground;
}

// Once per task: somebody mistyped a label, and should not wonder why it had no effect.
Result<void> Worker::TellOfUnknownProfile(const Task& task, const RepoPolicy& policy) {
  std::vector<std::string> known;
  for (const auto& [name, text] : policy.profiles) known.push_back(name);
  const std::string label = fmt::format("{}:{}", context_.settings.trigger_label, task.profile);
  return context_.store.AddEffects({CommentOnce(
      task, {ThreadKind::kIssue, task.issue_number}, fmt::format("profile-{}", task.id.value),
      [&](auto marker) { return messages::UnknownProfile(marker, label, known); })});
}

Result<std::unique_ptr<Workspace>> Worker::Provision(const Claimed& claimed, std::stop_token stop) {
  const Task& task = claimed.task;
  ProvisionRequest request;
  request.repo = task.repo;
  request.task = task.id;
  request.branch = task.branch;
  request.base = task.base_sha;
  request.start = task.checkpoint.value.empty() ? task.base_sha : task.checkpoint;
  request.extra_path = context_.settings.agent.extra_path;
  request.extra_env = {{"SWAGE_TASK", TaskKey(task)},
                       {"SWAGE_BASE", task.base_sha.value},
                       {"SWAGE_ISSUE", std::to_string(task.issue_number)}};
  return context_.workspaces.Provision(request, stop);
}

Result<LoopResult> Worker::RunLoop(const Claimed& claimed, const Ground& ground, const Forge& forge,
                                   Workspace& workspace, std::stop_token stop) {
  LoopPlan plan;
  plan.claimed = claimed;
  plan.gates = ground.policy.gates;
  plan.max_cycles = ground.policy.max_cycles.value_or(context_.settings.max_cycles);
  plan.repo_instructions = ground.policy.instructions;
  plan.requester_email = forge.CommitEmail(claimed.task.requester);
  const std::string& wanted = claimed.task.profile;
  if (const auto profile = ground.policy.profiles.find(wanted);
      profile != ground.policy.profiles.end()) {
    plan.repo_instructions += "\n" + profile->second;
  } else if (!wanted.empty()) {
    SWAGE_RETURN_IF_ERROR(TellOfUnknownProfile(claimed.task, ground.policy));
  }
  Loop loop(
      {context_.store, workspace, context_.agent, gates_, context_.settings, context_.redactor},
      std::move(plan));
  return loop.Run(stop);
}

Result<RunOutcome> Worker::Conclude(const Claimed& claimed, const Ground& ground,
                                    LoopResult result) {
  const Task& task = claimed.task;
  if (!result.failed_because.empty()) return Failed(task, result.failed_because);
  const auto is_secret = [this](std::string_view text) { return context_.redactor.Contains(text); };
  SWAGE_ASSIGN_OR_RETURN(const auto leak, context_.workspaces.FindInHistory(
                                              task.repo, task.base_sha, result.head, is_secret));
  if (leak) {
    // The text is in the branch's history for good: what comes next starts from what is published.
    SWAGE_RETURN_IF_ERROR(context_.store.SaveCheckpoint(claimed.lease, {task.pushed}));
    return Failed(task, messages::SecretInChange(*leak));
  }

  PublicationInput input;
  input.report.task = task;
  input.report.head = result.head;
  input.report.agent = context_.settings.agent.name;
  input.report.summary = result.summary;
  SWAGE_ASSIGN_OR_RETURN(input.report.earlier, EarlierSummaries(context_.store, task));
  input.report.verdicts = std::move(result.verdicts);
  input.report.cycles = std::move(result.cycles);
  input.report.isolation = kIsolation;
  input.report.usage = result.usage;
  const auto is_policy = [](const FileDiff& file) {
    return file.path == kPolicyFile || file.old_path == kPolicyFile;
  };
  if (std::any_of(result.diff.files.begin(), result.diff.files.end(), is_policy)) {
    result.warnings.push_back(messages::PolicyChanged());
  }
  input.report.warnings = std::move(result.warnings);
  input.report.stopped_because = std::move(result.stopped_because);
  input.report.public_url = context_.settings.public_url;
  input.report.green = result.green;
  input.diff = std::move(result.diff);
  input.when_red = ground.policy.when_red.value_or(context_.settings.when_red);
  SWAGE_ASSIGN_OR_RETURN(input.ledger, context_.store.ListFindings(task.id));
  return Publication(input);
}

}  // namespace swage
