#include "pipeline/worker.h"
#include "pipeline/blame.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include "config/base/contain.h"
#include "config/base/limits.h"
#include "config/base/text.h"
#include "pipeline/effects.h"
#include "pipeline/front_matter.h"
#include "pipeline/isolation/task_commands.h"
#include "pipeline/messages.h"
#include "pipeline/pace_keeper.h"
#include "pipeline/publication.h"
#include "pipeline/runtime/hooks.h"

namespace swage {
namespace {

constexpr std::size_t kMaxEarlierRuns = 5;

void Pause(std::chrono::milliseconds delay, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, delay, [] { return false; });
}

Cell CellOf(const CommandContext& commands) {
  const auto path_in = [&](const char* variable) {
    const auto found = commands.env.find(variable);
    return found == commands.env.end() ? std::string() : found->second;
  };
  Cell cell;
  cell.name = commands.name;
  cell.workspace = commands.workspace;
  cell.home = path_in("HOME");
  cell.tmp = path_in("TMPDIR");
  cell.shares = commands.shares;
  return cell;
}

// Podman's containers are children of the bot; docker's are of a daemon elsewhere.
bool HasDaemon(const IsolationMeans& means) {
  return std::filesystem::path(means.container_command).filename() != "podman";
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

}  // namespace

std::chrono::milliseconds AttemptDelay(int attempt, std::chrono::milliseconds step,
                                       std::chrono::milliseconds asked) {
  // Never zero: that would say that nothing failed.
  return std::max({attempt * step, asked, std::chrono::milliseconds(1)});
}

Worker::Worker(WorkerContext context) : context_(std::move(context)) {
  if (!context_.pause) context_.pause = Pause;
}

void Worker::Run(const Claimed& claimed, std::stop_token stop, const Finish& finish) {
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
    give_back.reason = messages::Interrupted();
    outcome = std::move(give_back);
  } else if (!outcome.ok() && IsTheForgesFault(outcome.error())) {
    // Nothing is claimed for it meanwhile, and the thread is for others (X27).
    outcome = GiveBackUntilTheForgeIsBack(task, outcome.error());
  } else if (!outcome.ok()) {
    outcome = AfterError(task, outcome.error());
  }
  const auto finished =
      WithPatience(task.id, stop, [&] { return finish(claimed.lease, *outcome); });
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
  // Each time for longer: without webhooks nobody says when it is lifted, and each claim leaves
  // rows.
  if (IsLockedOut(error)) failure = {PauseCause::kRefused, {}, why, true};
  if (failure && pace.ok() && pace->left.count() == 0) {
    failure->reason = why;
    const auto noted =
        context_.store.NoteForgeFailure(RepoScope(task.repo), *failure, PaceRules{}, 0);
    if (noted.ok()) TellOfPace(context_.log, *noted);
  }
  RunOutcome outcome;
  outcome.state = TaskState::kQueued;
  outcome.reason = messages::WaitsForTheForge(why);
  return outcome;
}

RunOutcome Worker::AfterError(const Task& task, const Error& error) const {
  const std::string message = context_.redactor.Apply(error.message);
  const Settings& settings = context_.settings;
  if (!IsTransient(error.code)) return Failed(task, message);
  if (task.attempt >= settings.max_attempts) {
    return Failed(task, messages::GivenUp(task.attempt, message));
  }
  const auto rest = AttemptDelay(task.attempt, settings.attempt_delay, error.retry_after);
  RunOutcome later =
      EndAs(TaskState::kQueued, task, messages::AttemptFailed(task.attempt, message, rest));
  later.retry_in = rest;
  return later;
}

// And the status comment says so.
RunOutcome Worker::EndAs(TaskState state, const Task& task, std::string reason) {
  RunOutcome outcome;
  outcome.state = state;
  outcome.reason = std::move(reason);
  outcome.effects.push_back(StickyEffect(task.repo, task.id));
  return outcome;
}

RunOutcome Worker::Failed(const Task& task, std::string reason) const {
  RunOutcome outcome = EndAs(TaskState::kFailed, task, reason);
  if (task.pr_number != 0) {
    outcome.effects.push_back(
        CommentOnce(task, {ThreadKind::kPullRequest, task.pr_number},
                    fmt::format("failed-{}-r{}", task.id.value, task.run), [&](auto marker) {
                      return messages::RunFailed(marker, reason, context_.settings.command_prefix);
                    }));
  }
  return outcome;
}

Result<RunOutcome> Worker::Attempt(const Claimed& claimed, std::stop_token stop) {
  Forge* forge = context_.forges(claimed.task.repo.forge);
  if (forge == nullptr) {
    return Failed(claimed.task, messages::ForgeNotConfigured(claimed.task.repo.forge));
  }
  Claimed grounded = claimed;
  Ground ground;
  SWAGE_ASSIGN_OR_RETURN(auto ended, FindGround(grounded, ground, *forge, stop));
  if (ended) return *std::move(ended);
  Standing standing;
  SWAGE_ASSIGN_OR_RETURN(auto parked, SettleLevel(grounded, ground, standing, *forge, stop));
  if (parked) return *std::move(parked);
  SWAGE_ASSIGN_OR_RETURN(const auto runtime, PrepareRuntime(grounded.task, ground, stop));
  if (grounded.task.run == 1 && grounded.task.attempt <= 1) {
    for (const std::string& words : ground.not_fetched) {
      SWAGE_RETURN_IF_ERROR(context_.store.AddNote(grounded.lease, words));
    }
  }
  LoopResult result;
  for (;;) {  // each time at a higher level
    SWAGE_ASSIGN_OR_RETURN(result, WorkAtLevel(grounded, ground, *forge, standing, runtime.get(),
                                               std::move(result), stop));
    if (!result.outgrown) break;
    SWAGE_ASSIGN_OR_RETURN(auto elsewhere, MoveUp(grounded, standing, result));
    if (elsewhere) return *std::move(elsewhere);
  }
  if (runtime != nullptr) Warn(grounded.task, runtime->Warnings(), &result);
  result.warnings.insert(result.warnings.end(), ground.notes.begin(), ground.notes.end());
  result.warnings.insert(result.warnings.end(), ground.not_fetched.begin(),
                         ground.not_fetched.end());
  if (standing.evidence.reads_only) return ConcludeReader(grounded.task, result);
  if (standing.choice.short_of) {
    result.warnings.push_back(
        messages::HeldAtCeiling(*standing.choice.short_of, *grounded.task.level));
  }
  if (result.failed_because.empty()) {
    SWAGE_ASSIGN_OR_RETURN(auto again,
                           LookAtBaseAgain(grounded.task, *forge, result.warnings, stop));
    if (again) return *std::move(again);
  }
  return Conclude(grounded, ground, std::move(result));
}

Result<LoopResult> Worker::WorkAtLevel(Claimed& claimed, const Ground& ground, const Forge& forge,
                                       Standing& standing, TaskRuntime* runtime, LoopResult before,
                                       std::stop_token stop) {
  Task& task = claimed.task;
  Result<std::unique_ptr<Workspace>> provisioned = Provision(claimed, ground, stop);
  if (!provisioned.ok() && provisioned.error().code == ErrorCode::kNotFound &&
      !task.checkpoint.value.empty()) {
    // Checkpoints are not synced to disk one by one: a power cut may take the newest with it.
    context_.log.Warn("the last checkpoint is gone; going back", {{"task_id", task.id}});
    SWAGE_RETURN_IF_ERROR(GoBack(task));
    provisioned = Provision(claimed, ground, stop);
  }
  SWAGE_ASSIGN_OR_RETURN(const std::unique_ptr<Workspace> workspace, std::move(provisioned));
  Result<LoopResult> looped =
      RunLoop(claimed, ground, forge, *workspace, standing, runtime, std::move(before), stop);
  if (!context_.settings.keep_workspaces) {
    if (auto released = workspace->Release(); !released.ok()) {
      context_.log.Warn("a workspace was not removed; the next start will",
                        {{"task_id", task.id}, {"error", released.error().message}});
    }
  }
  return looped;
}

// Once per task: somebody mistyped a label, and should not wonder why it had no effect.
Result<void> Worker::TellOfUnknownProfile(const Task& task, const RepoPolicy& policy) {
  std::vector<std::string> known;
  for (const auto& [name, profile] : policy.profiles) known.push_back(name);
  const std::string label = fmt::format("{}:{}", context_.settings.trigger_label, task.profile);
  return context_.store.AddEffects({CommentOnce(
      task, {ThreadKind::kIssue, task.issue_number}, fmt::format("profile-{}", task.id.value),
      [&](auto marker) { return messages::UnknownProfile(marker, label, known); })});
}

Result<std::unique_ptr<Workspace>> Worker::Provision(const Claimed& claimed, const Ground& ground,
                                                     std::stop_token stop) {
  const Task& task = claimed.task;
  ProvisionRequest request;
  request.repo = task.repo;
  request.task = task.id;
  request.branch = task.branch;
  request.base = task.base_sha;
  request.start = task.checkpoint.value.empty() ? task.base_sha : task.checkpoint;
  request.extra_path = context_.settings.agent.extra_path;
  request.owner = context_.isolations.At(*task.level).Owner();
  request.seen_by_host =
      *task.level == IsolationLevel::kContainer && HasDaemon(context_.settings.isolation);
  request.extra_env = {{"SWAGE_TASK", TaskKey(task)},
                       {"SWAGE_BASE", task.base_sha.value},
                       {"SWAGE_ISSUE", std::to_string(task.issue_number)}};
  SWAGE_ASSIGN_OR_RETURN(request.include, FindIncludes(task, ground));
  return context_.workspaces.Provision(request, stop);
}

Result<LoopResult> Worker::RunLoop(const Claimed& claimed, const Ground& ground, const Forge& forge,
                                   Workspace& workspace, Standing& standing, TaskRuntime* runtime,
                                   LoopResult before, std::stop_token stop) {
  LoopPlan plan;
  plan.reads_only = standing.evidence.reads_only;
  plan.before = std::move(before);
  plan.claimed = claimed;
  plan.replayed = ground.replayed;
  plan.gates = ground.policy.gates;
  // What the issue grants itself can only be less.
  const FrontMatter asked = ReadFrontMatter(claimed.task.text.body);
  plan.max_cycles = ground.policy.max_cycles.value_or(context_.settings.max_cycles);
  plan.max_cycles = std::min(plan.max_cycles, asked.cycles.value_or(plan.max_cycles));
  plan.repo_instructions = ground.policy.instructions;
  // An operator has no account there.
  const Actor& requester = claimed.task.requester;
  plan.requester_email = requester.id.empty() ? "" : forge.CommitEmail(requester);
  for (const std::string& words : ground.not_fetched) {
    plan.repo_instructions += "\n" + words;
  }
  const std::string& wanted = claimed.task.profile;
  if (const auto profile = ground.policy.profiles.find(wanted);
      profile != ground.policy.profiles.end()) {
    plan.repo_instructions += "\n" + profile->second.instructions;
  } else if (!wanted.empty()) {
    SWAGE_RETURN_IF_ERROR(TellOfUnknownProfile(claimed.task, ground.policy));
  }
  Isolation& level = context_.isolations.At(*claimed.task.level);
  SWAGE_ASSIGN_OR_RETURN(CommandContext commands, Furnish(workspace, level, runtime));
  commands.agent_time = asked.time;
  Cell cell = CellOf(commands);
  cell.read_only = plan.reads_only;
  cell.image = ground.policy.isolation.image;
  const auto resolver = MakeHostResolver();
  std::vector<std::string> beyond;
  TaskAllowance allowance{Stricter(context_.settings.task_limits, ground.policy.limits),
                          AllowedEgress(context_.settings, ground.policy, beyond)};
  SWAGE_ASSIGN_OR_RETURN(const auto enclosed, TaskCommands::Open(level, std::move(cell),
                                                                 std::move(allowance), *resolver));
  SWAGE_RETURN_IF_ERROR(SetUp(claimed, ground, enclosed->Runner(), commands, runtime, stop));
  plan.outgrows = LevelWatch(claimed.task, ground, standing, enclosed->Egress());
  if (runtime != nullptr) plan.environments = runtime->Environments();
  const HookSet& own = context_.settings.hooks;
  plan.before_agent = HooksAt(own, ground.policy.hooks, &HookSet::before_agent);
  plan.after_agent = HooksAt(own, ground.policy.hooks, &HookSet::after_agent);
  Loop loop({context_.store, workspace, context_.agent, enclosed->Runner(), context_.settings,
             context_.redactor},
            std::move(plan));
  Result<LoopResult> result = loop.Run(stop);
  BeforeRemove(claimed.task, ground, enclosed->Runner(), commands, stop);
  SWAGE_RETURN_IF_ERROR(KeepRefusals(claimed.lease, enclosed->Egress()));
  if (result.ok() && !result->signs.empty()) {
    SWAGE_RETURN_IF_ERROR(context_.store.AddSigns(claimed.lease, result->signs));
  }
  const std::vector<std::string> repairs = workspace.TakeRepairs();
  Warn(claimed.task, repairs, result.ok() ? &*result : nullptr);
  if (result.ok() && !beyond.empty()) {
    result->warnings.push_back(messages::HostsBeyondServer(beyond));
  }
  return result;
}

void Worker::Warn(const Task& task, const std::vector<std::string>& warnings, LoopResult* result) {
  for (const std::string& warning : warnings) {
    context_.log.Warn("warning of a run", {{"task_id", task.id}, {"text", warning}});
    if (result != nullptr) result->warnings.push_back(messages::AsSentence(warning));
  }
}

// What people asked for in threads, and what there is to say about it.
Result<void> Worker::GatherAnswers(const Task& task, PublicationInput& input) {
  input.command_prefix = context_.settings.command_prefix;
  SWAGE_ASSIGN_OR_RETURN(std::vector<Remark> remarks, context_.store.ListSeenRemarks(task.id));
  std::erase_if(remarks, [](const Remark& remark) { return remark.threads.empty(); });
  if (remarks.empty()) return Ok();
  const CommitSha& before = task.pushed.value.empty() ? task.base_sha : task.pushed;
  const auto diff = context_.workspaces.Diff(task.repo, before, input.report.head);
  if (!diff.ok()) {  // rather no answer than a wrong one; the next run gives it
    context_.log.Warn("threads are left without an answer",
                      {{"task_id", task.id}, {"error", diff.error().message}});
    return Ok();
  }
  for (const FileDiff& file : diff->files) {
    input.changed.push_back(file.path);
    if (file.old_path != file.path) input.changed.push_back(file.old_path);
  }
  input.remarks = std::move(remarks);
  return Ok();
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
  SWAGE_ASSIGN_OR_RETURN(input.report.levels, context_.store.ListLevels(task.id));
  SWAGE_ASSIGN_OR_RETURN(input.report.blocked, context_.store.ListBlockedHosts(task.id));
  input.report.usage = result.usage;
  const auto is_policy = [](const FileDiff& file) {
    return file.path == kPolicyFile || file.old_path == kPolicyFile;
  };
  if (std::any_of(result.diff.files.begin(), result.diff.files.end(), is_policy)) {
    result.warnings.push_back(messages::PolicyChanged());
  }
  const auto lfs = FindTouchedLfsFiles(context_.workspaces, task.repo, task.base_sha, result.head,
                                       result.diff, ground.unfetched);
  if (!lfs.empty()) result.warnings.push_back(messages::LfsFilesTouched(lfs));
  input.report.warnings = std::move(result.warnings);
  input.report.stopped_because = std::move(result.stopped_because);
  input.report.public_url = context_.settings.public_url;
  input.report.green = result.green;
  input.diff = std::move(result.diff);
  input.when_red = ground.policy.when_red.value_or(context_.settings.when_red);
  SWAGE_ASSIGN_OR_RETURN(input.ledger, context_.store.ListFindings(task.id));
  SWAGE_RETURN_IF_ERROR(GatherAnswers(task, input));
  return Publication(input);
}

}  // namespace swage
