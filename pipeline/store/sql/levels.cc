// How far tasks are kept apart: why each is at its level, and who can give it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/base/text.h"
#include "pipeline/store/sql/operations.h"
#include "pipeline/store/timeline.h"

namespace swage::sql {
namespace {

// Reasons are kept in one column, a line each.
std::string JoinReasons(const std::vector<std::string>& reasons) {
  std::vector<std::string> lines;
  for (const std::string& reason : reasons) {
    if (lines.size() == Store::kMaxLevelReasons) break;
    lines.push_back(timeline::OneLine(reason));
  }
  return Join(lines, "\n");
}

std::vector<std::string> SplitReasons(std::string_view joined) {
  std::vector<std::string> reasons;
  for (const std::string_view line : SplitLines(joined)) reasons.emplace_back(line);
  return reasons;
}

LevelSet Missing(const LevelSupply& supply) {
  LevelSet missing;
  for (const auto& [level, why] : supply.why_not) missing.Add(level);
  return missing;
}

template <class... Args>
auto ListIds(Connection& db, std::string_view query, const LevelNames& l, const Args&... args) {
  const auto read = [](Row& row) { return TaskId{row.Int()}; };
  return db.All(query, read, l[0], l[1], l[2], l[3], args...);
}

// It may have been claimed, moved or raised since it was found.
bool IsStuck(const Task& task, WallTime engine_now, const LevelSet& missing) {
  const bool orphan = task.state == TaskState::kRunning && !task.lease_node.empty() &&
                      task.lease_expires <= engine_now;
  return (task.state == TaskState::kQueued || orphan) && task.level && missing.Has(*task.level);
}

Result<bool> Park(Tx& tx, TaskId id, const LevelSupply& supply) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  if (!IsStuck(task, tx.engine_now, Missing(supply))) return false;
  const std::string& reason = supply.why_not.find(*task.level)->second;
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kWaiting, reason));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("RaiseEpoch", id));
  SWAGE_RETURN_IF_ERROR(
      AddTimeline(tx, id, timeline::kWaiting, timeline::Moved(TaskState::kWaiting, reason)));
  SWAGE_RETURN_IF_ERROR(WaitForLevel(tx, id));
  SWAGE_RETURN_IF_ERROR(TouchSticky(tx, id));
  return true;
}

Result<bool> Release(Tx& tx, TaskId id) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LockTask(tx, id));
  SWAGE_ASSIGN_OR_RETURN(const int waited, tx.db.Run("EndLevelWait", id, task.epoch));
  if (waited == 0 || task.state != TaskState::kWaiting) return false;
  SWAGE_RETURN_IF_ERROR(MoveTask(tx, task, TaskState::kQueued, ""));
  SWAGE_RETURN_IF_ERROR(AddTimeline(tx, id, timeline::kQueued, timeline::LevelFound(*task.level)));
  SWAGE_RETURN_IF_ERROR(TouchSticky(tx, id));
  return true;
}

}  // namespace

LevelNames NamesOf(const LevelSet& levels) {
  LevelNames names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = levels.Has(kIsolationLevels[i]) ? Name(kIsolationLevels[i]) : kNoLevel;
  }
  return names;
}

Result<void> RaiseLevel(Tx& tx, const Lease& lease, const LevelStep& step) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LeasedTask(tx, lease));
  if (task.level == step.level) return Ok();
  if (task.level && *task.level > step.level) {
    return MakeError(ErrorCode::kConflict,
                     fmt::format("{} is at level {} and cannot go down to {}", TaskKey(task),
                                 Name(*task.level), Name(step.level)));
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Post("SetLevel", task.id, Name(step.level), tx.now));
  SWAGE_RETURN_IF_ERROR(tx.db.Post("AddLevelStep", task.id, Name(step.level),
                                   JoinReasons(step.reasons), task.run, step.cycle, tx.now));
  SWAGE_RETURN_IF_ERROR(AddAudit(tx, audit::Node(task.lease_node), audit::kTaskLevel, TaskKey(task),
                                 Name(step.level), Join(step.reasons, "; ")));
  return AddTimeline(tx, task.id, timeline::kLevel,
                     timeline::Levelled(step, task.level.has_value()));
}

Result<std::vector<LevelStep>> ListLevels(Connection& db, TaskId task) {
  const auto read = [](Row& row) {
    LevelStep step;
    step.level = ParseIsolationLevel(row.Text()).value_or(IsolationLevel::kContainer);
    step.reasons = SplitReasons(row.Text());
    step.run = row.Small();
    step.cycle = row.Small();
    step.at = row.Time();
    return step;
  };
  return db.All("ListLevelSteps", read, task);
}

Result<void> AddBlockedHosts(Tx& tx, const Lease& lease, const std::vector<BlockedHost>& hosts) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LeasedTask(tx, lease));
  for (const BlockedHost& blocked : hosts) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("AddBlockedHost", task.id, timeline::OneLine(blocked.host),
                                     blocked.times, Store::kMaxBlockedHosts));
  }
  return Ok();
}

Result<std::vector<BlockedHost>> ListBlockedHosts(Connection& db, TaskId task) {
  const auto read = [](Row& row) { return BlockedHost{row.Text(), row.Int()}; };
  return db.All("ListBlockedHosts", read, task);
}

Result<void> AddSigns(Tx& tx, const Lease& lease, const std::set<Sign>& signs) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, LeasedTask(tx, lease));
  for (const Sign sign : signs) {
    SWAGE_RETURN_IF_ERROR(tx.db.Post("AddSign", task.id, Name(sign)));
  }
  return Ok();
}

// One that another version knows, and this one does not, says nothing here.
Result<std::set<Sign>> ListSigns(Connection& db, TaskId task) {
  const auto read = [](Row& row) { return row.Text(); };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<std::string> names, db.All("ListSigns", read, task));
  std::set<Sign> signs;
  for (const Sign sign : kSigns) {
    if (std::ranges::find(names, Name(sign)) != names.end()) signs.insert(sign);
  }
  return signs;
}

Result<void> WaitForLevel(Tx& tx, TaskId task) {
  return tx.db.Post("AddLevelWait", task);
}

Result<bool> AnyLevelToSettle(Connection& db, WallTime engine_now, const LevelSupply& supply) {
  const LevelNames missing = NamesOf(Missing(supply));
  SWAGE_ASSIGN_OR_RETURN(const auto stuck, ListIds(db, "FindStuck", missing, engine_now, 1));
  if (!stuck.empty()) return true;
  SWAGE_ASSIGN_OR_RETURN(const auto free, ListIds(db, "FindFree", NamesOf(supply.given), 1));
  return !free.empty();
}

Result<SettledLevels> SettleLevels(Tx& tx, const LevelSupply& supply) {
  SettledLevels settled;
  const LevelNames missing = NamesOf(Missing(supply));
  SWAGE_ASSIGN_OR_RETURN(const auto stuck, ListIds(tx.db, "FindStuck", missing,
                                                   WallTime(tx.engine_now), Store::kMaxSettled));
  for (const TaskId id : stuck) {
    SWAGE_ASSIGN_OR_RETURN(const bool parked, Park(tx, id, supply));
    if (parked) settled.parked.push_back(id);
  }
  SWAGE_ASSIGN_OR_RETURN(const auto free,
                         ListIds(tx.db, "FindFree", NamesOf(supply.given), Store::kMaxSettled));
  for (const TaskId id : free) {
    SWAGE_ASSIGN_OR_RETURN(const bool released, Release(tx, id));
    if (released) settled.released.push_back(id);
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Run("DropStaleLevelWaits"));
  return settled;
}

}  // namespace swage::sql
