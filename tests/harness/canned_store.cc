#include "tests/harness/canned_store.h"

namespace swage {

void CannedStore::AddTask(const Task& task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(task);
}

void CannedStore::AddStep(const Step& step) {
  const std::lock_guard lock(mutex_);
  steps_.push_back(step);
}

void CannedStore::AddFinding(TaskId task, const LedgerFinding& finding) {
  const std::lock_guard lock(mutex_);
  findings_.emplace(task, finding);
}

std::int64_t CannedStore::AddEntry(TaskId task, WallTime at, const std::string& kind,
                                   const std::string& detail) {
  const std::lock_guard lock(mutex_);
  const auto id = static_cast<std::int64_t>(timeline_.size()) + 1;
  timeline_.push_back({id, task, at, kind, detail});
  return id;
}

void CannedStore::AddPace(const PaceView& pace) {
  const std::lock_guard lock(mutex_);
  paces_.push_back(pace);
}

Result<std::vector<PaceView>> CannedStore::ListPaces() {
  const std::lock_guard lock(mutex_);
  return paces_;
}

void CannedStore::FinishStep(std::int64_t step, const std::string& outcome, WallTime at) {
  const std::lock_guard lock(mutex_);
  for (Step& known : steps_) {
    if (known.id != step) continue;
    known.outcome = outcome;
    known.finished = at;
  }
}

Result<Task> CannedStore::GetTask(TaskId id) {
  const std::lock_guard lock(mutex_);
  for (const Task& task : tasks_) {
    if (task.id == id) return task;
  }
  return MakeError(ErrorCode::kNotFound, "no such task");
}

Result<std::vector<Task>> CannedStore::ListTasks(const TaskFilter& filter) {
  const std::lock_guard lock(mutex_);
  std::vector<Task> found;
  for (auto it = tasks_.rbegin(); it != tasks_.rend(); ++it) {
    if (static_cast<int>(found.size()) == filter.limit) break;
    if (!filter.state || it->state == *filter.state) found.push_back(*it);
  }
  return found;
}

Result<std::vector<Step>> CannedStore::ListSteps(TaskId task) {
  const std::lock_guard lock(mutex_);
  std::vector<Step> found;
  for (const Step& step : steps_) {
    if (step.task == task) found.push_back(step);
  }
  return found;
}

Result<std::vector<LedgerFinding>> CannedStore::ListFindings(TaskId task) {
  const std::lock_guard lock(mutex_);
  std::vector<LedgerFinding> found;
  const auto [begin, end] = findings_.equal_range(task);
  for (auto it = begin; it != end; ++it) found.push_back(it->second);
  return found;
}

Result<std::vector<TimelineEntry>> CannedStore::ListTimeline(TaskId task, std::int64_t after,
                                                             int limit) {
  const std::lock_guard lock(mutex_);
  std::vector<TimelineEntry> found;
  for (const TimelineEntry& entry : timeline_) {
    if (entry.id <= after || (task.value != 0 && entry.task != task)) continue;
    if (static_cast<int>(found.size()) == limit) break;
    found.push_back(entry);
  }
  return found;
}

}  // namespace swage
