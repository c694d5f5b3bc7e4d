#include "bot/operator/task_commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "bot/cli.h"
#include "bot/operator/operator_name.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "pipeline/effects.h"

namespace swage {
namespace {

constexpr int kMostTasks = 100'000;  // looked through for a key
constexpr int kShownEvents = 1'000;
constexpr std::size_t kTitleBytes = 60;
constexpr std::size_t kReasonBytes = 100;

// Titles and reasons are strangers' words, and a terminal obeys escape sequences (T47).
std::string Plain(std::string_view text, std::size_t max_bytes = 1'000) {
  return Truncate(ReplaceAll(StripInvisible(StripControl(text)), "\n", " "), max_bytes);
}

nlohmann::json TaskJson(const Task& task) {
  return {{"id", task.id.value},
          {"key", TaskKey(task)},
          {"state", Name(task.state)},
          {"reason", task.reason},
          {"stage", Name(task.stage)},
          {"repo", task.repo.path},
          {"issue", task.issue_number},
          {"issue_url", task.issue_url},
          {"title", task.text.title},
          {"requester", task.requester.login},
          {"run", task.run},
          {"attempt", task.attempt},
          {"cycle", task.cycle},
          {"branch", task.branch},
          {"level", task.level ? Name(*task.level) : std::string_view()},
          {"pull_request", task.pr_number},
          {"pull_request_url", task.pr_url},
          {"node", task.lease_node},
          {"created", FormatUtc(task.created)},
          {"updated", FormatUtc(task.updated)}};
}

std::string TaskLine(const Task& task) {
  std::string line =
      fmt::format("{:>6}  {:<9}  {}  {}  {}", task.id.value, Name(task.state),
                  FormatUtc(task.updated), TaskKey(task), Plain(task.text.title, kTitleBytes));
  if (!task.reason.empty()) line += "  (" + Plain(task.reason, kReasonBytes) + ")";
  return line;
}

nlohmann::json ParkedJson(const ParkedDelivery& d) {
  return {{"what", "delivery"},     {"id", d.id.value}, {"forge", d.forge},
          {"event", d.event},       {"key", d.key},     {"received", FormatUtc(d.received)},
          {"attempts", d.attempts}, {"why", d.outcome}};
}

std::string ParkedLine(const ParkedDelivery& d) {
  return fmt::format("{}  delivery {}  {} {} {}  {}", FormatUtc(d.received), d.id.value, d.forge,
                     Plain(d.event, 40), Plain(d.key, 60), Plain(d.outcome, 300));
}

nlohmann::json FailedJson(const FailedEffect& e) {
  return {{"what", "effect"},       {"id", e.id.value},     {"kind", Name(e.kind)},
          {"repo", e.repo_path},    {"task", e.task.value}, {"failed", FormatUtc(e.failed)},
          {"attempts", e.attempts}, {"why", e.error}};
}

std::string FailedLine(const FailedEffect& e) {
  const std::string task = e.task.value == 0 ? "" : fmt::format("  task {}", e.task.value);
  return fmt::format("{}  {} for {}{}  {}", FormatUtc(e.failed), Name(e.kind), e.repo_path, task,
                     Plain(e.error, 300));
}

Result<Task> FindTask(Store& store, std::string_view name) {
  if (const auto id = ParseInt(name)) return store.GetTask(TaskId{*id});
  TaskFilter filter;
  filter.limit = kMostTasks;
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Task> tasks, store.ListTasks(filter));
  for (const Task& task : tasks) {
    if (TaskKey(task) == name || task.issue_url == name) return task;
  }
  return MakeError(ErrorCode::kNotFound,
                   fmt::format("no task {}; `swage tasks` lists them", Plain(name)));
}

int Fail(const Opened& opened, const Error& error, std::ostream& err) {
  err << "swage: " << opened.redactor.Apply(error.message) << "\n";
  return kExitFailed;
}

struct WholeTask {
  Task task;
  std::vector<Step> steps;
  std::vector<TimelineEntry> timeline;
};

Result<WholeTask> Look(Store& store, std::string_view name) {
  WholeTask whole;
  SWAGE_ASSIGN_OR_RETURN(whole.task, FindTask(store, name));
  SWAGE_ASSIGN_OR_RETURN(whole.steps, store.ListSteps(whole.task.id));
  SWAGE_ASSIGN_OR_RETURN(whole.timeline, store.ListTimeline(whole.task.id, 0, kShownEvents));
  return whole;
}

std::string Describe(const WholeTask& whole, const std::filesystem::path& data_dir) {
  const Task& task = whole.task;
  std::string out =
      fmt::format("task {}  {}\n{}\n\n", task.id.value, TaskKey(task), Plain(task.text.title));
  const auto row = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("  {:<13} {}\n", name, Plain(value));
  };
  row("state",
      fmt::format("{}{}", Name(task.state), task.reason.empty() ? "" : ": " + task.reason));
  row("stage", task.stage == Stage::kNone ? "" : Name(task.stage));
  row("asked by", task.requester.login);
  row("issue", task.issue_url);
  row("pull request", task.pr_url);
  row("branch", task.branch);
  row("isolation", task.level ? Name(*task.level) : std::string_view());
  row("run", fmt::format("{} (attempt {}, cycle {})", task.run, task.attempt, task.cycle));
  row("node", task.lease_node);
  row("updated", FormatUtc(task.updated));
  if (!whole.steps.empty()) out += "\nsteps\n";
  for (const Step& step : whole.steps) {
    out += fmt::format("  {}  run {} cycle {}  {:<9} {:<12} {:<11} {}\n", FormatUtc(step.started),
                       step.run, step.cycle, Name(step.kind), Plain(step.name, 40),
                       Plain(step.outcome, 20), Plain(step.summary, kReasonBytes));
    if (!step.log_path.empty()) {
      out += fmt::format("      {}\n", (data_dir / step.log_path).string());
    }
  }
  out += "\nhistory\n";
  for (const TimelineEntry& entry : whole.timeline) {
    out += fmt::format("  {}  {}\n", FormatUtc(entry.at), Plain(entry.detail, 300));
  }
  return out;
}

std::string DescribeJson(const WholeTask& whole) {
  nlohmann::json json = TaskJson(whole.task);
  json["steps"] = nlohmann::json::array();
  for (const Step& step : whole.steps) {
    json["steps"].push_back({{"run", step.run},
                             {"cycle", step.cycle},
                             {"kind", Name(step.kind)},
                             {"name", step.name},
                             {"required", step.required},
                             {"outcome", step.outcome},
                             {"summary", step.summary},
                             {"commit", step.commit.value},
                             {"log", step.log_path},
                             {"started", FormatUtc(step.started)},
                             {"finished", step.finished ? FormatUtc(*step.finished) : ""}});
  }
  json["history"] = nlohmann::json::array();
  for (const TimelineEntry& entry : whole.timeline) {
    json["history"].push_back(
        {{"at", FormatUtc(entry.at)}, {"kind", entry.kind}, {"detail", entry.detail}});
  }
  return DumpJson(json) + "\n";
}

/// The operator's account on this machine, as the audit log names it.
bool CanRetry(TaskState state) {
  return state == TaskState::kFailed || state == TaskState::kCancelled ||
         state == TaskState::kWaiting;
}

IntakePlan PlanOf(const Task& task, TaskChangeKind kind, std::string_view verb) {
  IntakePlan plan;
  plan.actor = OperatorName();
  plan.command = fmt::format("swage {}", verb);
  plan.outcome = kind == TaskChangeKind::kCancel ? "stopped" : "retried";
  TaskChange change;
  change.task = task.id;
  change.kind = kind;
  change.run_kind = task.pr_number != 0 ? RunKind::kFix : RunKind::kImplement;
  change.actor = plan.actor;
  if (kind == TaskChangeKind::kCancel) change.reason = "stopped by " + plan.actor;
  plan.changes.push_back(std::move(change));
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  return plan;
}

int Act(const TaskOptions& options, const StoreAccess& access, TaskChangeKind kind,
        std::string_view verb, std::ostream& out, std::ostream& err) {
  const auto opened = OpenStoreOf(options.config, access.edit, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto task = FindTask(*opened->store, options.task);
  if (!task.ok()) return Fail(*opened, task.error(), err);
  const bool can = kind == TaskChangeKind::kCancel ? IsActive(task->state) : CanRetry(task->state);
  if (!can) {
    err << fmt::format("swage: {} is {}; there is nothing to {}\n", TaskKey(*task),
                       Name(task->state), verb);
    return kExitFailed;
  }
  const auto applied = opened->store->ApplyIntake(PlanOf(*task, kind, verb));
  if (!applied.ok()) return Fail(*opened, applied.error(), err);
  out << fmt::format("{} is {} now\n", TaskKey(*task),
                     kind == TaskChangeKind::kCancel ? "cancelled" : "queued");
  return kExitOk;
}

}  // namespace

int ListTasksCommand(const TasksOptions& options, const StoreAccess& access, std::ostream& out,
                     std::ostream& err) {
  TaskFilter filter;
  filter.repo_path = options.repo;
  filter.limit = options.limit;
  if (!options.state.empty()) {
    filter.state = ParseTaskState(options.state);
    if (!filter.state) {
      err << "--state: write queued, running, in_review, waiting, merged, closed, failed or "
             "cancelled\n";
      return kExitUsage;
    }
  }
  const auto opened = OpenStoreOf(options.config, access.observe, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto tasks = opened->store->ListTasks(filter);
  if (!tasks.ok()) return Fail(*opened, tasks.error(), err);
  for (const Task& task : *tasks) {
    out << (options.json ? DumpJson(TaskJson(task)) : TaskLine(task)) << "\n";
  }
  if (tasks->empty() && !options.json) out << "no tasks\n";
  return kExitOk;
}

int ListParkedCommand(const TasksOptions& options, const StoreAccess& access, std::ostream& out,
                      std::ostream& err) {
  const auto opened = OpenStoreOf(options.config, access.observe, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto deliveries = opened->store->ListParkedDeliveries(options.limit);
  if (!deliveries.ok()) return Fail(*opened, deliveries.error(), err);
  const auto effects = opened->store->ListFailedEffects(options.limit);
  if (!effects.ok()) return Fail(*opened, effects.error(), err);
  for (const ParkedDelivery& d : *deliveries) {
    out << (options.json ? DumpJson(ParkedJson(d)) : ParkedLine(d)) << "\n";
  }
  for (const FailedEffect& e : *effects) {
    out << (options.json ? DumpJson(FailedJson(e)) : FailedLine(e)) << "\n";
  }
  if (deliveries->empty() && effects->empty() && !options.json) out << "nothing was given up\n";
  return kExitOk;
}

int ShowTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err) {
  const auto opened = OpenStoreOf(options.config, access.observe, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto whole = Look(*opened->store, options.task);
  if (!whole.ok()) return Fail(*opened, whole.error(), err);
  out << (options.json ? DescribeJson(*whole) : Describe(*whole, opened->settings.data_dir));
  return kExitOk;
}

int RetryTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                     std::ostream& err) {
  return Act(options, access, TaskChangeKind::kRequeue, "retry", out, err);
}

int StopTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err) {
  return Act(options, access, TaskChangeKind::kCancel, "stop", out, err);
}

}  // namespace swage
