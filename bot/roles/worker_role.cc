#include "bot/roles/worker_role.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include <algorithm>
#include <utility>

namespace swage {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{1'000};
constexpr std::chrono::seconds kDrainWord{10};

std::vector<std::int64_t> Values(const std::vector<TaskId>& tasks) {
  std::vector<std::int64_t> values;
  for (const TaskId task : tasks) values.push_back(task.value);
  return values;
}

// Two workers in one directory would sweep each other's workspaces away.
Result<Fd> TakeDirectory(const std::filesystem::path& data_dir) {
  Fd fd(open((data_dir / "worker.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return MakeError(ErrorCode::kInternal, fmt::format("{} cannot be written", data_dir.string()));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return MakeError(ErrorCode::kConflict,
                   fmt::format("another process runs tasks in {}; give each node a data_dir of its "
                               "own",
                               data_dir.string()));
}

}  // namespace

Result<std::unique_ptr<WorkerRole>> WorkerRole::Create(NodeParts parts) {
  SWAGE_RETURN_IF_ERROR(parts.workspaces.CheckGit());
  SWAGE_ASSIGN_OR_RETURN(auto agent, MakeAgent(parts.settings.agent));
  return std::unique_ptr<WorkerRole>(new WorkerRole(std::move(parts), std::move(agent)));
}

WorkerRole::WorkerRole(NodeParts parts, std::unique_ptr<Agent> agent)
    : parts_(std::move(parts)),
      agent_(std::move(agent)),
      scheduler_({parts_.store, parts_.workspaces, *agent_, parts_.isolations, parts_.forges,
                  parts_.settings, parts_.redactor, parts_.log},
                 parts_.clock, parts_.node, [this] {
                   parts_.hints.Give(HintTopic::kEffects);
                   run_ended_.Signal();
                 }) {
  parts_.hints.Subscribe(HintTopic::kTasks, [this] { scheduler_.Wake(); });
  parts_.hints.SubscribeCancelled([this](TaskId task) { scheduler_.StopTask(task); });
}

Result<void> WorkerRole::Start() {
  SWAGE_ASSIGN_OR_RETURN(directory_, TakeDirectory(parts_.settings.data_dir));
  if (!parts_.settings.keep_workspaces) {  // the sweep cannot tell kept from orphaned
    SWAGE_ASSIGN_OR_RETURN(const auto removed, parts_.workspaces.SweepOrphans({}));
    if (!removed.empty()) {
      parts_.log.Info("removed workspaces of an earlier process", {{"count", removed.size()}});
    }
  }
  scheduler_.Start();
  return Ok();
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
