#include "pipeline/scheduler.h"

#include <algorithm>

#include "pipeline/isolation/supply.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

constexpr std::chrono::milliseconds kPoll{1'000};

}  // namespace

Scheduler::Scheduler(WorkerContext context, const Clock& clock, std::string node,
                     std::function<void()> on_progress, Launch launch)
    : context_(std::move(context)),
      clock_(clock),
      node_(std::move(node)),
      on_progress_(std::move(on_progress)),
      launch_(std::move(launch)),
      times_(context_.settings.node.lease),
      leases_(context_.store, clock_, context_.log, times_) {}

Scheduler::~Scheduler() {
  Shutdown();
}

void Scheduler::Start() {
  leases_.Start();
  loop_ = std::jthread([this](std::stop_token stop) { Loop(stop); });
}

void Scheduler::BeginShutdown() {
  shutting_down_.request_stop();
  loop_.request_stop();
  const std::lock_guard lock(mutex_);
  for (auto& [id, running] : running_) running->stop.request_stop();
}

void Scheduler::Shutdown() {
  BeginShutdown();
  if (loop_.joinable()) loop_.join();
  std::map<TaskId, std::unique_ptr<Running>> last;
  {
    const std::lock_guard lock(mutex_);
    // One that was claimed between the two.
    for (auto& [id, running] : running_) running->stop.request_stop();
    last.swap(running_);
  }
  // Joins the workers, outside the lock; their leases are kept until the last of them has ended.
  last.clear();
  retired_.clear();
  leases_.Stop();
}

Result<void> Scheduler::Health() const {
  if (disk_is_full_) {
    return MakeError(ErrorCode::kUnavailable, "the disk is too full to claim tasks");
  }
  if (store_fails_) return MakeError(ErrorCode::kUnavailable, "cannot claim tasks");
  return leases_.Health();
}

std::vector<TaskId> Scheduler::Working() {
  std::vector<TaskId> working;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, running] : running_) {
    if (!running->done) working.push_back(id);
  }
  return working;
}

void Scheduler::StopTask(TaskId task) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(task);
  if (it != running_.end()) it->second->stop.request_stop();
}

std::shared_ptr<void> Scheduler::LaunchThread(std::function<void()> work) {
  return std::make_shared<std::jthread>(std::move(work));
}

void Scheduler::RunOnce() {
  GiveBackUnheard();  // first: what has ended is held until it is reaped
  Reap();
  ClaimAll();
}

void Scheduler::Loop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    RunOnce();
    wakeup_.Wait(stop, kPoll);
  }
}

void Scheduler::GiveBackUnheard() {
  if (clock_.Monotonic() >= unheard_until_) return;
  const auto leases = context_.store.ListLeases(node_);
  if (!leases.ok()) return;
  for (const Lease& lease : *leases) {
    if (IsHeld(lease)) continue;
    RunOutcome outcome;
    outcome.state = TaskState::kQueued;
    outcome.reason = messages::ClaimWasNotHeard();
    const auto given = context_.store.FinishRun(lease, outcome);
    if (!given.ok()) continue;
    context_.log.Info("gave back a claim whose answer was lost", {{"task_id", lease.task}});
  }
}

bool Scheduler::IsHeld(const Lease& lease) {
  const auto holds = [&](const Running& running) {
    return running.lease.task == lease.task && running.lease.epoch == lease.epoch;
  };
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(lease.task);
  if (it != running_.end() && holds(*it->second)) return true;
  return std::ranges::any_of(retired_, [&](const auto& running) { return holds(*running); });
}

void Scheduler::ClaimAll() {
  const Settings& settings = context_.settings;
  const ClaimLimits limits{settings.concurrent_tasks, settings.concurrent_tasks_per_repo,
                           settings.max_attempts, settings.attempt_delay,
                           LevelsHere(context_.isolations, settings.node.levels).given};
  while (!shutting_down_.stop_requested() && !disk_is_full_) {
    const int room = Room();
    if (room <= 0) return;
    const MonotonicTime asked = clock_.Monotonic();
    auto claimed = context_.store.ClaimTasks(node_, times_.lease, limits, room);
    store_fails_ = !claimed.ok();
    if (!claimed.ok()) {
      unheard_until_ = asked + times_.lease;
      context_.log.Warn("cannot claim", {{"error", claimed.error().message}});
      return;
    }
    if (claimed->empty()) return;
    for (Claimed& one : *claimed) StartWorker(std::move(one), asked);
  }
}

int Scheduler::Room() {
  const std::lock_guard lock(mutex_);
  return context_.settings.concurrent_tasks - static_cast<int>(running_.size());
}

void Scheduler::StartWorker(Claimed claimed, MonotonicTime held_from) {
  context_.log.Info("task claimed", {{"task_id", claimed.task.id},
                                     {"repo", claimed.task.repo.path},
                                     {"issue", claimed.task.issue_number},
                                     {"epoch", claimed.lease.epoch.value},
                                     {"attempt", claimed.task.attempt}});
  auto running = std::make_unique<Running>();
  Running* self = running.get();
  self->lease = claimed.lease;
  leases_.Add(self->lease, held_from, self->stop);
  const std::lock_guard lock(mutex_);
  self->thread = launch_([this, self, claimed = std::move(claimed)] {
    Worker(context_).Run(claimed, self->stop.get_token());
    leases_.Remove(self->lease);
    self->done = true;
    wakeup_.Signal();
    on_progress_();
  });
  // A task that was cancelled and queued again may still have its old worker winding down here.
  std::swap(running_[self->lease.task], running);
  if (running) {
    running->stop.request_stop();
    retired_.push_back(std::move(running));
  }
}

void Scheduler::Reap() {
  std::vector<std::unique_ptr<Running>> done;
  const std::lock_guard lock(mutex_);
  for (auto it = running_.begin(); it != running_.end();) {
    if (it->second->done) {
      done.push_back(std::move(it->second));
      it = running_.erase(it);
    } else {
      ++it;
    }
  }
  std::erase_if(retired_, [](const auto& running) { return running->done.load(); });
}

}  // namespace swage
