#include "bot/roles/worker_role.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "bot/roles/data_dir_claim.h"
#include "pipeline/runtime/node_sweep.h"
#include "pipeline/runtime/reclaim.h"

namespace swage {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{1'000};
constexpr std::chrono::seconds kDrainWord{10};

std::vector<std::int64_t> Values(const std::vector<TaskId>& tasks) {
  std::vector<std::int64_t> values;
  for (const TaskId task : tasks) values.push_back(task.value);
  return values;
}

}  // namespace

Result<std::unique_ptr<WorkerRole>> WorkerRole::Create(NodeParts parts) {
  SWAGE_CHECK(parts.isolations != nullptr);
  SWAGE_RETURN_IF_ERROR(parts.workspaces.CheckGit());
  SWAGE_ASSIGN_OR_RETURN(auto agent, MakeAgent(parts.settings.agent));
  return std::unique_ptr<WorkerRole>(new WorkerRole(std::move(parts), std::move(agent)));
}

WorkerRole::WorkerRole(NodeParts parts, std::unique_ptr<Agent> agent)
    : parts_(std::move(parts)),
      agent_(std::move(agent)),
      runtimes_(parts_.settings, parts_.node, parts_.redactor, parts_.log),
      scheduler_({parts_.store,
                  parts_.workspaces,
                  *agent_,
                  *parts_.isolations,
                  parts_.forges,
                  parts_.settings,
                  parts_.redactor,
                  parts_.log,
                  {},
                  &runtimes_},
                 parts_.clock, parts_.node,
                 [this] {
                   parts_.hints.Give(HintTopic::kEffects);
                   run_ended_.Signal();
                 }),
      duties_(parts_.holds, parts_.log) {
  parts_.hints.Subscribe(HintTopic::kTasks, [this] { scheduler_.Wake(); });
  parts_.hints.SubscribeCancelled([this](TaskId task) { scheduler_.StopTask(task); });
}

Result<void> WorkerRole::Start() {
  SWAGE_ASSIGN_OR_RETURN(directory_, TakeDataDir(parts_.settings.data_dir));
  AddDuties();
  duties_.Start();
  scheduler_.Start();
  return Ok();
}

// Both are this node's own matter: its workspaces, its disk. What an earlier process left goes in
// the first round, beside the first tasks, which it cannot be mistaken for.
void WorkerRole::AddDuties() {
  const Settings& settings = parts_.settings;
  duties_.Add({.duty = std::make_unique<NodeSweep>(parts_.store, parts_.workspaces, runtimes_,
                                                   settings.keep_workspaces, parts_.log),
               .every = NodeSweep::kEvery,
               .single = false});
  auto reclaimers = MakeReclaimers(settings.data_dir, parts_.store, parts_.workspaces,
                                   Git(parts_.processes, WorkspaceOptions()));
  duties_.Add({.duty = std::make_unique<DiskGuard>(
                   settings.disk_high_water, [dir = settings.data_dir] { return MeasureDisk(dir); },
                   std::move(reclaimers),
                   [this](std::optional<std::string> no_room) {
                     scheduler_.SetRoomOnDisk(!no_room.has_value());
                   },
                   parts_.log),
               .every = DiskGuard::kEvery,
               .single = false});
}

void WorkerRole::BeginStop() {
  duties_.BeginStop();
  scheduler_.BeginShutdown();
}

void WorkerRole::Stop() {
  scheduler_.Shutdown();
  duties_.Stop();
}

Result<void> WorkerRole::Health() const {
  SWAGE_RETURN_IF_ERROR(scheduler_.Health());
  return duties_.Health();
}

void WorkerRole::Drain(std::chrono::milliseconds limit) {
  scheduler_.StopClaiming();
  const MonotonicTime deadline = parts_.clock.Monotonic() + limit;
  MonotonicTime next_word{};
  while (true) {
    const std::vector<TaskId> working = scheduler_.Working();
    const MonotonicTime now = parts_.clock.Monotonic();
    if (working.empty() || now >= deadline) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    if (now >= next_word) {
      parts_.log.Info("waiting for runs; a second signal ends at once",
                      {{"tasks", fmt::format("{}", fmt::join(Values(working), ","))},
                       {"at_most", FormatDuration(left)}});
      next_word = now + kDrainWord;
    }
    run_ended_.Wait({}, std::min(left, kDrainPoll));
  }
}

}  // namespace swage
