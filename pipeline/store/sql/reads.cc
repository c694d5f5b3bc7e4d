#include "pipeline/store/sql/operations.h"

namespace swage::sql {
namespace {

StepKind ReadStepKind(Row& row) {
  const auto kind = ParseStepKind(row.Text());
  SWAGE_CHECK(kind.has_value());
  return *kind;
}

Step ReadStep(Row& row) {
  Step s;
  s.id = row.Int();
  s.task.value = row.Int();
  s.run = row.Small();
  s.cycle = row.Small();
  s.kind = ReadStepKind(row);
  s.name = row.Text();
  s.required = row.Bool();
  s.outcome = row.Text();
  s.summary = row.Text();
  s.commit.value = row.Text();
  s.log_path = row.Text();
  s.node = row.Text();
  s.started = row.Time();
  s.finished = row.MaybeTime();
  return s;
}

Severity ReadSeverity(Row& row) {
  const std::string word = row.Text();
  for (const Severity s : {Severity::kError, Severity::kWarning, Severity::kNote}) {
    if (Name(s) == word) return s;
  }
  CheckFailed(__FILE__, __LINE__, "a severity outside the CHECK");
}

LedgerFinding ReadFinding(Row& row) {
  LedgerFinding f;
  f.finding.gate = row.Text();
  f.finding.severity = ReadSeverity(row);
  f.finding.rule = row.Text();
  f.finding.path = row.Text();
  f.finding.line = row.Small();
  f.finding.message = row.Text();
  f.finding.fingerprint = row.Text();
  f.posted = row.Bool();
  f.thread_id = row.Text();
  f.resolved = row.Bool();
  return f;
}

TimelineEntry ReadEntry(Row& row) {
  return {row.Int(), {row.Int()}, row.Time(), row.Text(), row.Text()};
}

}  // namespace

Result<std::optional<Task>> FindTaskByPullRequest(Connection& db, const RepoRef& repo,
                                                  std::int64_t number) {
  return db.One("FindTaskByPullRequest", ReadTask, repo.forge, repo.id, number);
}

Result<std::vector<Task>> ListTasks(Connection& db, const TaskFilter& f) {
  if (f.state.has_value() && !f.repo_path.empty()) {
    return db.All("ListTasksByRepoAndState", ReadTask, f.repo_path, Name(*f.state), f.limit);
  }
  if (f.state.has_value()) return db.All("ListTasksByState", ReadTask, Name(*f.state), f.limit);
  if (!f.repo_path.empty()) return db.All("ListTasksByRepo", ReadTask, f.repo_path, f.limit);
  return db.All("ListTasks", ReadTask, f.limit);
}

Result<std::vector<Step>> ListSteps(Connection& db, TaskId task) {
  return db.All("ListSteps", ReadStep, task);
}

Result<std::vector<LedgerFinding>> ListFindings(Connection& db, TaskId task) {
  return db.All("ListFindings", ReadFinding, task);
}

Result<std::vector<Delegate>> ListDelegates(Connection& db, TaskId task) {
  const auto read = [](Row& row) { return Delegate{row.Text(), row.Text(), row.Text()}; };
  return db.All("ListDelegates", read, task);
}

Result<std::vector<TimelineEntry>> ListTimeline(Connection& db, TaskId task, std::int64_t after,
                                                int limit) {
  if (task.value == 0) return db.All("ListTimeline", ReadEntry, after, limit);
  return db.All("ListTimelineOfTask", ReadEntry, task, after, limit);
}

Result<std::vector<ParkedDelivery>> ListParkedDeliveries(Connection& db, int limit) {
  const auto read = [](Row& row) {
    return ParkedDelivery{{row.Int()}, row.Text(),  row.Text(), row.Text(),
                          row.Time(),  row.Small(), row.Text()};
  };
  return db.All("ListParkedDeliveries", read, limit);
}

Result<std::vector<FailedEffect>> ListFailedEffects(Connection& db, int limit) {
  const auto read = [](Row& row) {
    FailedEffect effect;
    effect.id.value = row.Int();
    const auto kind = ParseEffectKind(row.Text());
    SWAGE_CHECK(kind.has_value());
    effect.kind = *kind;
    effect.repo_path = row.Text();
    effect.task.value = row.Int();
    effect.attempts = row.Small();
    effect.error = row.Text();
    effect.failed = row.Time();
    return effect;
  };
  return db.All("ListFailedEffects", read, limit);
}

Result<StoreCounts> Counts(Connection& db) {
  const auto read = [](Row& row) {
    return StoreCounts{row.Int(), row.Int(), row.Int(), row.Int()};
  };
  SWAGE_ASSIGN_OR_RETURN(const auto counts, db.One("Counts", read));
  SWAGE_CHECK(counts.has_value());
  return *counts;
}

}  // namespace swage::sql
