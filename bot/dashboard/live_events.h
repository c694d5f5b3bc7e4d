// Server-sent events: what a page needs to know to stay up to date.
//
//   event: timeline   a new entry, as {"task", "kind", "detail"}; its id is the entry's, so that a
//   browser
//                     that reconnects goes on where it was
//   event: changed    something else of the page is out of date
//   event: log        new output of the running step, as {"step", "text"}
//
// Each object serves one viewer from one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "bot/dashboard/log_tail.h"
#include "config/base/clock.h"
#include "pipeline/store/store.h"

namespace swage {

/// The id of the newest timeline entry of a task (0 = of all), found in O(log n) look-ups.
Result<std::int64_t> NewestTimelineId(Store& store, TaskId task);

class LiveEvents {
 public:
  /// `task` 0: the timeline of all tasks and nothing else. Begins after entry `after`.
  LiveEvents(Store& store, const Clock& clock, std::filesystem::path data_dir, TaskId task,
             std::int64_t after);

  /// Appends what is new; a comment now and then, so that a dead connection is noticed. False: the
  /// store failed, the browser shall come again.
  bool Write(std::string& out);

 private:
  Result<void> WriteTimeline(std::string& out);
  Result<void> WriteSteps(std::string& out);
  void FollowLog(const std::optional<Step>& running, std::string& out);

  Store& store_;
  const Clock& clock_;
  const std::filesystem::path data_dir_;
  const TaskId task_;
  std::int64_t after_;
  MonotonicTime next_beat_{};
  std::string steps_seen_;  // digest of the steps' states; empty = not looked yet
  std::int64_t log_step_ = 0;
  std::optional<LogFollower> log_;
};

}  // namespace swage
