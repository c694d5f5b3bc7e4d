#include "bot/dashboard/live_events.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/base/json.h"

namespace swage {
namespace {

constexpr int kEntriesAtOnce = 50;
constexpr std::size_t kLogTailShown = 16 << 10;
constexpr std::chrono::seconds kBeatEvery{15};

void AppendEvent(std::string& out, std::string_view name, std::int64_t id,
                 const nlohmann::json& data) {
  if (id > 0) out += "id: " + std::to_string(id) + "\n";
  out += "event: ";
  out += name;
  out += "\ndata: " + DumpJson(data) + "\n\n";  // compact JSON holds no line end
}

}  // namespace

Result<std::int64_t> NewestTimelineId(Store& store, TaskId task) {
  // Ids only grow: gallop past the end, then halve.
  const auto any_after = [&](std::int64_t id) -> Result<bool> {
    SWAGE_ASSIGN_OR_RETURN(const auto entries, store.ListTimeline(task, id, 1));
    return !entries.empty();
  };
  std::int64_t low = 0;   // something may be after it
  std::int64_t high = 1;  // grows until nothing is after it
  for (;; high *= 2) {
    SWAGE_ASSIGN_OR_RETURN(const bool more, any_after(high));
    if (!more || high > (std::int64_t{1} << 61)) break;
    low = high;
  }
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    SWAGE_ASSIGN_OR_RETURN(const bool more, any_after(middle));
    if (more) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

LiveEvents::LiveEvents(Store& store, const Clock& clock, std::filesystem::path data_dir,
                       TaskId task, std::int64_t after)
    : store_(store), clock_(clock), data_dir_(std::move(data_dir)), task_(task), after_(after) {}

bool LiveEvents::Write(std::string& out) {
  if (!WriteTimeline(out).ok()) return false;
  if (task_.value != 0 && !WriteSteps(out).ok()) return false;
  const MonotonicTime now = clock_.Monotonic();
  if (out.empty() && now >= next_beat_) out += ":\n\n";
  if (!out.empty()) next_beat_ = now + kBeatEvery;
  return true;
}

Result<void> LiveEvents::WriteTimeline(std::string& out) {
  SWAGE_ASSIGN_OR_RETURN(const auto entries, store_.ListTimeline(task_, after_, kEntriesAtOnce));
  for (const TimelineEntry& entry : entries) {
    AppendEvent(out, "timeline", entry.id,
                {{"id", entry.id},
                 {"task", entry.task.value},
                 {"at", FormatUtc(entry.at)},
                 {"kind", entry.kind},
                 {"detail", entry.detail}});
    after_ = entry.id;
  }
  return Ok();
}

Result<void> LiveEvents::WriteSteps(std::string& out) {
  SWAGE_ASSIGN_OR_RETURN(const auto steps, store_.ListSteps(task_));
  std::string seen = ".";
  std::optional<Step> running;
  for (const Step& step : steps) {
    seen += std::to_string(step.id) + "=" + step.outcome + " ";
    if (step.outcome == "running" && !step.log_path.empty()) running = step;
  }
  FollowLog(running, out);
  if (seen == steps_seen_) return Ok();
  if (!steps_seen_.empty()) AppendEvent(out, "changed", 0, nlohmann::json::object());
  steps_seen_ = std::move(seen);
  return Ok();
}

void LiveEvents::FollowLog(const std::optional<Step>& running, std::string& out) {
  const auto append = [&](const std::string& text) {
    if (!text.empty()) AppendEvent(out, "log", 0, {{"step", log_step_}, {"text", text}});
  };
  const std::int64_t step = running ? running->id : 0;
  if (log_ && step != log_step_) {
    append(log_->Next(true));
    log_.reset();
  }
  if (!running) return;
  if (!log_) {
    log_.emplace(data_dir_, running->log_path, kLogTailShown);
    log_step_ = step;
  }
  append(log_->Next(false));
}

}  // namespace swage
