#include "pipeline/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include "config/base/contain.h"
#include "config/base/text.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"
#include "pipeline/pace_keeper.h"
#include "pipeline/publication.h"

namespace swage {
namespace {

constexpr std::size_t kMaxEarlierRuns = 5;
constexpr IsolationLevel kLevel = IsolationLevel::kWorktree;

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
    give_back.reason = messages::Interrupted();
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
  Result<std::unique_ptr<Workspace>> provisioned = Provision(grounded, stop);
  if (!provisioned.ok() && provisioned.error().code == ErrorCode::kNotFound &&
      !grounded.task.checkpoint.value.empty()) {
    // Checkpoints are not synced to disk one by one: a power cut may take the newest with it.
    context_.log.Warn("the last checkpoint is gone; going back", {{"task_id", claimed.task.id}});
    SWAGE_RETURN_IF_ERROR(GoBack(grounded.task));
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
  request.owner = context_.isolations.At(kLevel).Owner();
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
  SWAGE_ASSIGN_OR_RETURN(const auto enclosure,
                         context_.isolations.At(kLevel).Enclose(CellOf(workspace.Commands())));
  Loop loop(
      {context_.store, workspace, context_.agent, *enclosure, context_.settings, context_.redactor},
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
  input.report.isolation = Name(kLevel);
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
