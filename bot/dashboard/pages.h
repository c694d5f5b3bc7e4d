// Pages: rows in, HTML out. Pure. Every value passes the template's escaping (T55); addresses
// become links only when they are http or https.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "pipeline/store/store.h"

namespace swage {

struct TaskRow {
  Task task;
  std::vector<Step> steps;  ///< of its last cycle at least; may be empty
};

struct TaskGroup {
  std::string title;
  std::string hint;   ///< what the reader should do with these
  std::string empty;  ///< shown instead of an empty list; "" = leave the group out
  std::vector<TaskRow> rows;
  bool cut = false;  ///< there are more
};

/// Something that was given up: a delivery, or a write to a forge.
struct DeadLetter {
  std::string what;  ///< "delivery 17 (issues)", "review for acme/lib"
  std::string why;
  TaskId task;  ///< value 0: of no task
  WallTime at{};
};

struct IndexView {
  std::vector<std::string> alarms;  ///< what somebody has to look after, one sentence each
  std::vector<PaceView> paused;     ///< forges that are left alone
  std::vector<TaskGroup> groups;
  std::vector<DeadLetter> dead_letters;  ///< newest first
  std::int64_t last_event = 0;           ///< timeline id up to which the page is fresh
};

struct TaskView {
  Task task;
  std::vector<Step> steps;
  std::vector<LedgerFinding> findings;
  std::vector<LevelStep> levels;
  std::vector<BlockedHost> blocked;
  std::vector<TimelineEntry> timeline;
  bool timeline_cut = false;
  std::set<std::int64_t> with_handoff;  ///< agent steps whose prompt and task file can be shown
  /// Steps whose log is on another node's disk: the URL of its pages, "" when there is none.
  std::map<std::int64_t, std::string> elsewhere;
};

std::string RenderIndex(const IndexView& view, WallTime now);
/// The processes that share the store; `self` is the one that is asked.
std::string RenderNodes(const std::vector<NodeInfo>& nodes, std::string_view self, WallTime now);
std::string RenderTask(const TaskView& view, WallTime now);
/// A page that only says something: not found, try again.
std::string RenderMessage(std::string_view title, std::string_view text);

}  // namespace swage
