// CannedStore: the reading half of a Store over rows that a test puts there. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "tests/harness/stub_store.h"

namespace swage {

class CannedStore final : public StubStore {
 public:
  std::vector<ParkedDelivery> parked;        ///< before anybody reads
  std::vector<FailedEffect> failed_effects;  ///< before anybody reads

  void AddTask(const Task& task);
  void AddStep(const Step& step);
  void AddFinding(TaskId task, const LedgerFinding& finding);
  /// Returns the entry's id.
  std::int64_t AddEntry(TaskId task, WallTime at, const std::string& kind,
                        const std::string& detail);
  void AddPace(const PaceView& pace);
  void FinishStep(std::int64_t step, const std::string& outcome, WallTime at);
  using StubStore::FinishStep;

  Result<Task> GetTask(TaskId id) override;
  Result<std::vector<Task>> ListTasks(const TaskFilter& filter) override;
  Result<std::vector<Step>> ListSteps(TaskId task) override;
  Result<std::vector<LedgerFinding>> ListFindings(TaskId task) override;
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after,
                                                  int limit) override;
  Result<std::vector<PaceView>> ListPaces() override;
  Result<std::vector<ParkedDelivery>> ListParkedDeliveries(int) override { return parked; }
  Result<std::vector<FailedEffect>> ListFailedEffects(int) override { return failed_effects; }
  Result<StoreCounts> Counts() override { return StoreCounts{}; }
  Result<std::vector<PollMark>> ListPolls(std::string_view, int) override { return alarms; }
  std::vector<PollMark> alarms;  ///< set before the server starts
  Result<std::vector<NodeInfo>> ListNodes() override { return nodes; }
  Result<std::vector<LevelStep>> ListLevels(TaskId task) override { return levels[task]; }
  Result<std::vector<BlockedHost>> ListBlockedHosts(TaskId task) override { return blocked[task]; }

  // To be set before anybody asks:
  std::vector<NodeInfo> nodes;
  std::map<TaskId, std::vector<LevelStep>> levels;
  std::map<TaskId, std::vector<BlockedHost>> blocked;

 private:
  std::mutex mutex_;
  std::vector<Task> tasks_;
  std::vector<Step> steps_;
  std::multimap<TaskId, LedgerFinding> findings_;
  std::vector<TimelineEntry> timeline_;
  std::vector<PaceView> paces_;
};

}  // namespace swage
