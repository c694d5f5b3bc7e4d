#include "tests/soak/report.h"

#include <cstdio>

namespace swage::soak {
namespace {

constexpr std::chrono::seconds kBetweenLines{30};

constexpr const char* kKills = "nodes killed";
constexpr const char* kLongStops = "nodes frozen for longer than a lease";
constexpr const char* kFaults = "faulty replies";
constexpr const char* kLost = "webhooks lost";
constexpr const char* kClaimedAgain = "tasks claimed more than once";
constexpr const char* kTakenOver = "tasks that went on at another node";
constexpr const char* kTriedAgain = "effects tried more than once";

std::int64_t Occurrences(const std::string& text, std::string_view of) {
  std::int64_t count = 0;
  for (std::size_t at = text.find(of); at != text.npos; at = text.find(of, at + of.size())) {
    ++count;
  }
  return count;
}

void CountStore(Field& field, Counters& counters) {
  counters[kClaimedAgain] = field.Count("count(*) FROM tasks WHERE epoch > 1");
  counters["claims of one task, at most"] = field.Count("max(epoch) FROM tasks");
  counters[kTakenOver] = field.Count(
      "count(*) FROM (SELECT task_id FROM steps GROUP BY task_id HAVING count(DISTINCT node) > 1)"
      " AS moved");
  counters["leases that ran out and were taken over"] = field.Count(
      "count(*) FROM audit WHERE action = 'task.claimed' AND subject = 'running > running'");
  counters["steps interrupted"] = field.Count("count(*) FROM steps WHERE outcome = 'interrupted'");
  counters[kTriedAgain] = field.Count("count(*) FROM effects WHERE attempts > 1");
  counters["tries of one effect, at most"] = field.Count("max(attempts) FROM effects");
  counters["pauses of the forge"] =
      field.Count("count(*) FROM audit WHERE action = 'forge.paused'");
  counters["deliveries decided"] = field.Count("count(*) FROM deliveries");
}

void CountLogs(Field& field, Counters& counters) {
  for (const auto& node : field.nodes()) {
    const std::string log = node->Log();
    counters["runs stopped because their lease was lost or in doubt"] +=
        Occurrences(log, "stopping a worker");
    counters["results that came too late and were not taken"] +=
        Occurrences(log, "the run's result was not taken");
  }
}

}  // namespace

Counters Count(Field& field, const DisturbanceCounts& disturbances) {
  Counters counters;
  counters[kKills] = disturbances.kills;
  counters["nodes frozen for a moment"] = disturbances.short_stops;
  counters[kLongStops] = disturbances.long_stops;
  std::int64_t faults = 0;
  for (const auto& [action, times] : field.box().forge().faults().Taken()) {
    counters["fault " + action] = times;
    if (!action.starts_with("webhook_")) faults += times;
  }
  counters[kFaults] = faults;
  for (const sandbox::Delivery& delivery : field.box().forge().Deliveries()) {
    ++counters["webhooks"];
    if (delivery.dropped || delivery.status / 100 != 2) ++counters[kLost];
  }
  CountStore(field, counters);
  CountLogs(field, counters);
  return counters;
}

std::vector<std::string> RarePaths(int tasks) {
  if (tasks < kEnoughForAll) return {kKills, kFaults};
  return {kKills, kLongStops, kFaults, kLost, kClaimedAgain, kTakenOver, kTriedAgain};
}

void Progress::Tell(std::int64_t done) {
  if (elapsed() - told_ < kBetweenLines) return;
  told_ = elapsed();
  std::printf("%.0f s: %ld of %d in review\n", std::chrono::duration<double>(told_).count(),
              static_cast<long>(done), tasks_);
  std::fflush(stdout);
}

}  // namespace swage::soak
