#include "pipeline/loop.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/files.h"
#include "config/base/limits.h"
#include "pipeline/effects.h"
#include "pipeline/hook_step.h"
#include "pipeline/messages.h"
#include "pipeline/step_log.h"

namespace swage {
namespace {

constexpr std::size_t kDigestBytes = 24 << 10;

std::string LogName(const Task& task, int cycle, std::string_view what) {
  return fmt::format("run{}-cycle{}-{}", task.run, cycle, what);
}

bool NoneBlocks(const std::vector<GateVerdict>& verdicts) {
  return std::none_of(verdicts.begin(), verdicts.end(),
                      [](const GateVerdict& v) { return v.Blocks(); });
}

// What a gate said becomes rows as well as comments.
void Redact(const Redactor& redactor, GateVerdict& verdict) {
  std::vector<std::string*> texts = {&verdict.summary, &verdict.log_tail};
  for (Finding& finding : verdict.findings) {
    texts.insert(texts.end(), {&finding.path, &finding.rule, &finding.message});
  }
  for (std::string* text : texts) *text = redactor.Apply(*text);
}

}  // namespace

Loop::Loop(LoopContext context, LoopPlan plan)
    : context_(context), gates_(context_.commands), plan_(std::move(plan)) {
  checkpoint_ = task().checkpoint;
  result_ = std::move(plan_.before);
  result_.outgrown = false;
  if (!result_.cycles.empty()) return;
  for (const CycleHistory& cycle : plan_.claimed.history) result_.cycles.push_back(cycle);
}

int Loop::FirstCycle() const {
  return std::max(task().cycle, task().run_first_cycle + 1);
}

// One at least: a run that started again on another base, and was then interrupted, may have used
// up its own.
int Loop::LastCycle() const {
  return std::max(task().run_first_cycle + plan_.max_cycles, FirstCycle());
}

Result<LoopResult> Loop::Run(std::stop_token stop) {
  if (plan_.reads_only) return Read(stop);
  const bool gates_only = task().run_kind == RunKind::kGates;
  if (plan_.replayed) SWAGE_RETURN_IF_ERROR(KeepCheckpoint(checkpoint_));
  // What an earlier attempt left may ask for more than it was made at.
  SWAGE_ASSIGN_OR_RETURN(const bool elsewhere, Outgrown(FirstCycle()));
  if (elsewhere) return std::move(result_);
  for (int cycle = FirstCycle(); cycle <= LastCycle(); ++cycle) {
    const bool first_of_run = cycle == task().run_first_cycle + 1;
    bool tree_changed = true;
    bool have_snapshot = gates_only;
    if (!have_snapshot) {
      SWAGE_ASSIGN_OR_RETURN(have_snapshot, AgentDoneBefore(cycle));
    }
    if (!have_snapshot) {
      SWAGE_ASSIGN_OR_RETURN(const AgentOutcome outcome, RunAgent(cycle, stop));
      tree_changed = outcome.snapshot.changed;
      checkpoint_ = outcome.snapshot.commit;
      tree_ = outcome.snapshot.tree;
      // Also when the agent came to nothing: maybe for lack of what a higher level gives.
      SWAGE_ASSIGN_OR_RETURN(const bool outgrown, Outgrown(cycle));
      if (outgrown || CameToNothing(outcome, first_of_run)) return std::move(result_);
    }
    // A round that changed nothing after a red one would only repeat the verdicts it was told.
    if (!tree_changed && !first_of_run && !result_.verdicts.empty()) {
      result_.stopped_because = messages::SameTreeTwice();
      return std::move(result_);
    }
    if (!tree_changed) result_.warnings.push_back(messages::NothingNewForRemark());
    SWAGE_RETURN_IF_ERROR(RunGates(cycle, checkpoint_, stop));
    if (Decide(cycle) || gates_only) return std::move(result_);
    // Gates may have written files; what the agent sees next is its own work and nothing else.
    SWAGE_RETURN_IF_ERROR(context_.workspace.Reset(checkpoint_));
  }
  return std::move(result_);
}

bool Loop::HasWork() const {
  return !checkpoint_.value.empty() && checkpoint_ != task().base_sha;
}

bool Loop::CameToNothing(const AgentOutcome& outcome, bool first_of_run) {
  if (outcome.snapshot.changed || (HasWork() && !(first_of_run && !outcome.ran_well))) return false;
  const std::string& agent = context_.settings.agent.name;
  result_.failed_because =
      outcome.ran_well ? messages::NoChange(agent) : messages::AgentFailed(agent, outcome.how);
  return true;
}

Result<void> Loop::Diff(const CommitSha& commit) {
  if (diffed_ == commit) return Ok();
  SWAGE_ASSIGN_OR_RETURN(result_.diff, context_.workspace.DiffFromBase(commit));
  diffed_ = commit;
  return Ok();
}

Result<bool> Loop::Outgrown(int cycle) {
  if (!plan_.outgrows) return false;
  InFlight found;
  found.signs = result_.signs;
  if (HasWork()) {
    SWAGE_RETURN_IF_ERROR(Diff(checkpoint_));
    for (const FileDiff& file : result_.diff.files) {
      found.touched.push_back(file.path);
      if (file.old_path != file.path) found.touched.push_back(file.old_path);
    }
  }
  result_.outgrown = plan_.outgrows(found);
  result_.head = checkpoint_;
  result_.cycle = cycle;
  return result_.outgrown;
}

// Nothing of what it may have left is looked at: there is no snapshot, and so no checkpoint.
Result<LoopResult> Loop::Read(std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const AgentRun run, AskAgent(FirstCycle(), stop));
  SWAGE_RETURN_IF_ERROR(EndAgentStep(run, {}));
  const std::string& agent = context_.settings.agent.name;
  const ProcessResult& process = run.agent.process;
  if (!process.Succeeded()) {
    result_.failed_because = messages::AgentFailed(agent, process.Describe());
  } else if (run.summary.empty()) {
    result_.failed_because = messages::NoAnswer(agent);
  }
  return std::move(result_);
}

bool Loop::Decide(int cycle) {
  result_.green = NoneBlocks(result_.verdicts);
  if (result_.green) return true;
  // Also of an earlier round than the last: going in circles is no way forward either.
  if (!failures_.insert(FailureSignature(result_.verdicts)).second) {
    result_.stopped_because = messages::SameFailureTwice();
    return true;
  }
  if (cycle >= LastCycle()) {
    result_.stopped_because = messages::CyclesUsedUp(cycle - task().run_first_cycle);
    return true;
  }
  return false;
}

Result<void> Loop::EnterStage(Stage stage, int cycle) {
  SWAGE_RETURN_IF_ERROR(context_.store.SetStage(lease(), stage, cycle));
  return context_.store.AddEffects({StickyEffect(task().repo, task().id)});
}

Result<bool> Loop::AgentDoneBefore(int cycle) {
  if (cycle != task().cycle || checkpoint_.value.empty()) return false;
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, context_.store.ListSteps(task().id));
  for (const Step& step : steps) {
    if (step.kind == StepKind::kAgent && step.run == task().run && step.cycle == cycle &&
        step.outcome == "ok" && step.commit == checkpoint_) {
      result_.summary = step.summary;
      return true;
    }
  }
  return false;
}

Result<void> Loop::WriteHandOff(int cycle) {
  HandOff handoff;
  handoff.task = task();
  handoff.cycle = cycle;
  if (!plan_.reads_only) handoff.gates = plan_.gates;
  handoff.history = result_.cycles;
  handoff.repo_instructions = plan_.repo_instructions;
  handoff.reads_only = plan_.reads_only;
  SWAGE_ASSIGN_OR_RETURN(handoff.remarks, context_.store.ListRemarks(lease()));
  const std::string task_json = RenderTaskJson(handoff);
  const std::string prompt = RenderPrompt(handoff);
  const auto& dir = context_.workspace.HandOffDir();
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(dir / "task.json", task_json, 0644));
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(dir / "prompt.md", prompt, 0644));
  // Copies that people can read after the workspace is gone (T27: the final prompt is shown). The
  // dashboard finds them by their names, beside the agent's log.
  for (const auto& [what, text] : {std::pair("prompt", &prompt), std::pair("task", &task_json)}) {
    SWAGE_ASSIGN_OR_RETURN(StepLog copy,
                           StepLog::Open(context_.settings.data_dir, task().id,
                                         LogName(task(), cycle, what), context_.redactor));
    copy.Append(*text);
  }
  return Ok();
}

Result<void> Loop::KeepCheckpoint(const CommitSha& commit) {
  Store& store = context_.store;
  Checkpoint checkpoint{commit};
  if (!store.SharedByNodes()) return store.SaveCheckpoint(lease(), checkpoint);
  checkpoint.base = task().base_sha;
  const auto packed = context_.workspace.PackFromBase(commit);
  if (packed.ok()) checkpoint.pack = *packed;
  SWAGE_RETURN_IF_ERROR(store.SaveCheckpoint(lease(), checkpoint));
  if (packed.ok()) return Ok();
  return store.AddNote(lease(), messages::CheckpointStays(lease().node, packed.error().message));
}

Result<void> Loop::RunHook(std::string_view point, const std::vector<HookSpec>& hooks, int cycle,
                           std::stop_token stop) {
  return RunHookStep(
      {context_.store, &lease(), task(), cycle, context_.settings.data_dir, context_.redactor},
      context_.commands, point, hooks, plan_.environments.ForHook(context_.workspace.Commands()),
      std::move(stop));
}

Result<Loop::AgentRun> Loop::AskAgent(int cycle, std::stop_token stop) {
  const Settings& settings = context_.settings;
  SWAGE_RETURN_IF_ERROR(EnterStage(Stage::kAgent, cycle));
  SWAGE_RETURN_IF_ERROR(WriteHandOff(cycle));
  SWAGE_RETURN_IF_ERROR(RunHook("before_agent", plan_.before_agent, cycle, stop));
  SWAGE_ASSIGN_OR_RETURN(
      StepLog log, StepLog::Open(settings.data_dir, task().id, LogName(task(), cycle, "agent"),
                                 context_.redactor));
  Step step;
  step.task = task().id;
  step.run = task().run;
  step.cycle = cycle;
  step.kind = StepKind::kAgent;
  step.name = settings.agent.name;
  step.log_path = log.RelativePath();
  AgentRun run;
  SWAGE_ASSIGN_OR_RETURN(run.step, context_.store.StartStep(lease(), step));

  const auto sink = [&](std::string_view bytes) { log.Append(bytes); };
  SWAGE_ASSIGN_OR_RETURN(
      run.agent, context_.agent.Run(context_.commands,
                                    plan_.environments.ForAgent(context_.workspace.Commands()),
                                    context_.workspace.HandOffDir(), sink, stop));
  log.Append(fmt::format("\n[{}]\n", DescribeUse(run.agent.process)));
  if (!run.agent.process.excess.empty()) result_.signs.insert(Sign::kLimitHit);
  log.Flush();
  if (stop.stop_requested())
    return MakeError(ErrorCode::kCancelled, "stopped during the agent's run");
  if (auto hook = RunHook("after_agent", plan_.after_agent, cycle, stop); !hook.ok()) {
    if (hook.error().code != ErrorCode::kUnavailable) return hook.error();
    result_.warnings.push_back(context_.redactor.Apply(messages::AsSentence(hook.error().message)));
  }
  if (run.agent.usage) {
    result_.usage.input_tokens += run.agent.usage->input_tokens;
    result_.usage.output_tokens += run.agent.usage->output_tokens;
    result_.usage.cost_usd += run.agent.usage->cost_usd;
  }
  run.summary = context_.redactor.Apply(run.agent.summary);
  if (context_.redactor.Contains(run.summary)) {  // in a form that cannot be cut out
    result_.secret_in_words = true;
    run.summary = messages::WordsWithheld();
  }
  if (!run.summary.empty()) result_.summary = run.summary;
  return run;
}

Result<void> Loop::EndAgentStep(const AgentRun& run, const CommitSha& commit) {
  const ProcessResult& process = run.agent.process;
  const bool ran_well = process.Succeeded();
  return context_.store.FinishStep(
      lease(), run.step, ran_well ? "ok" : "failed",
      run.summary.empty() && !ran_well ? process.Describe() : run.summary, commit);
}

Result<Loop::AgentOutcome> Loop::RunAgent(int cycle, std::stop_token stop) {
  const Settings& settings = context_.settings;
  SWAGE_ASSIGN_OR_RETURN(const AgentRun run, AskAgent(cycle, stop));
  const CommitIdentity bot{settings.commit_name, settings.commit_email};
  AgentOutcome outcome;
  outcome.ran_well = run.agent.process.Succeeded();
  outcome.how = run.agent.process.Describe();
  SWAGE_ASSIGN_OR_RETURN(outcome.snapshot, context_.workspace.TakeSnapshot(
                                               context_.redactor.Apply(messages::CommitMessage(
                                                   task(), cycle, plan_.requester_email, bot)),
                                               bot, result_.warnings));
  if (outcome.snapshot.changed) {
    SWAGE_RETURN_IF_ERROR(KeepCheckpoint(outcome.snapshot.commit));
  }
  if (!outcome.ran_well) {
    result_.warnings.push_back(
        fmt::format("The agent ended with {} in cycle {}.", outcome.how, cycle));
  }
  SWAGE_RETURN_IF_ERROR(EndAgentStep(run, outcome.snapshot.commit));
  return outcome;
}

Result<void> Loop::RunGates(int cycle, const CommitSha& commit, std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(EnterStage(Stage::kGates, cycle));
  SWAGE_RETURN_IF_ERROR(Diff(commit));
  std::vector<std::string> changed;
  for (const FileDiff& file : result_.diff.files) changed.push_back(file.path);
  result_.head = commit;
  result_.verdicts.clear();
  for (const GateSpec& gate : plan_.gates) {
    SWAGE_ASSIGN_OR_RETURN(GateVerdict verdict, RunGate(gate, cycle, commit, changed, stop));
    result_.verdicts.push_back(std::move(verdict));
    // A gate that rewrites files (a formatter) must not decide what the next one tests (E6).
    SWAGE_RETURN_IF_ERROR(context_.workspace.Restore(commit));
  }
  CycleRecord record;
  record.cycle = cycle;
  record.commit = commit;
  record.tree = tree_;
  record.passed = NoneBlocks(result_.verdicts);
  record.signature = record.passed ? "" : FailureSignature(result_.verdicts);
  record.digest = record.passed ? "" : FailureDigest(result_.verdicts, kDigestBytes);
  SWAGE_RETURN_IF_ERROR(context_.store.FinishCycle(lease(), record));
  std::erase_if(result_.cycles, [&](const CycleHistory& c) { return c.cycle == cycle; });
  result_.cycles.push_back({cycle, commit, record.passed, record.digest});
  return Ok();
}

Result<GateVerdict> Loop::RunGate(const GateSpec& gate, int cycle, const CommitSha& commit,
                                  const std::vector<std::string>& changed, std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(
      StepLog log, StepLog::Open(context_.settings.data_dir, task().id,
                                 LogName(task(), cycle, "gate-" + gate.name), context_.redactor));
  Step step;
  step.task = task().id;
  step.run = task().run;
  step.cycle = cycle;
  step.kind = StepKind::kGate;
  step.name = gate.name;
  step.required = gate.required;
  step.commit = commit;
  step.log_path = log.RelativePath();
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t step_id, context_.store.StartStep(lease(), step));
  const auto sink = [&](std::string_view bytes) { log.Append(bytes); };
  const auto run = [&] {
    return gates_.Run(gate, plan_.environments.ForGate(context_.workspace.Commands(), gate.name),
                      changed, commit, sink, stop);
  };
  SWAGE_ASSIGN_OR_RETURN(GateVerdict verdict, run());
  if (verdict.limit_hit) result_.signs.insert(Sign::kLimitHit);
  // A gate that ran into its time limit would take as long again.
  if (gate.rerun && verdict.outcome == GateOutcome::kFailed) {
    SWAGE_RETURN_IF_ERROR(context_.workspace.Restore(commit));
    log.Append(messages::GateRunsAgain(verdict.summary));
    SWAGE_ASSIGN_OR_RETURN(GateVerdict again, run());
    verdict = JoinReruns(std::move(verdict), std::move(again));
  }
  log.Flush();
  Redact(context_.redactor, verdict);
  SWAGE_RETURN_IF_ERROR(
      context_.store.FinishStep(lease(), step_id, Name(verdict.outcome), verdict.summary, commit));
  return verdict;
}

}  // namespace swage
