#include "pipeline/scheduler.h"

#include <algorithm>
#include <set>

#include "pipeline/isolation/supply.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

constexpr std::chrono::milliseconds kPoll{1'000};

void TellClaim(Log& log, const Claimed& claimed) {
  log.Info("task claimed", {{"task_id", claimed.task.id},
                            {"repo", claimed.task.repo.path},
                            {"issue", claimed.task.issue_number},
                            {"epoch", claimed.lease.epoch.value},
                            {"attempt", claimed.task.attempt}});
}

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
  stopping_ = true;
  for (auto& [id, running] : running_) running->stop.request_stop();
}

void Scheduler::Shutdown() {
  BeginShutdown();
  if (loop_.joinable()) loop_.join();
  // Joins the workers, outside the lock, and whom they started last; their leases are kept until
  // the last of them has ended.
  for (bool some = true; some;) {
    std::map<TaskId, std::unique_ptr<Running>> last;
    std::vector<std::unique_ptr<Running>> retired;
    const std::lock_guard lock(mutex_);
    last.swap(running_);
    retired.swap(retired_);
    some = !last.empty() || !retired.empty();
  }
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
  std::set<TaskId> working;  // one that is run again may have two workers
  const auto note = [&](const Running& running) {
    if (!running.done) working.insert(running.lease.task);
  };
  const std::lock_guard lock(mutex_);
  for (const auto& [id, running] : running_) note(*running);
  for (const auto& running : retired_) note(*running);
  return {working.begin(), working.end()};
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
  std::int64_t turns = 0;
  {
    const std::lock_guard lock(mutex_);
    if (clock_.Monotonic() >= unheard_until_ || open_turns_ > 0) return;
    turns = turns_;
  }
  const auto leases = context_.store.ListLeases(node_);
  if (!leases.ok()) return;
  for (const Lease& lease : *leases) {
    if (IsHeld(lease, turns)) continue;
    RunOutcome outcome;
    outcome.state = TaskState::kQueued;
    outcome.reason = messages::ClaimWasNotHeard();
    const auto given = context_.store.FinishRun(lease, outcome);
    if (!given.ok()) continue;
    context_.log.Info("gave back a claim whose answer was lost", {{"task_id", lease.task}});
  }
}

// A turn that began after the first `turns` may have claimed it for itself.
bool Scheduler::IsHeld(const Lease& lease, std::int64_t turns) {
  const auto holds = [&](const Running& running) {
    return running.lease.task == lease.task && running.lease.epoch == lease.epoch;
  };
  const std::lock_guard lock(mutex_);
  if (turns_ != turns) return true;
  const auto it = running_.find(lease.task);
  if (it != running_.end() && holds(*it->second)) return true;
  return std::ranges::any_of(retired_, [&](const auto& running) { return holds(*running); });
}

void Scheduler::NoteUnheard(MonotonicTime asked) {
  const std::lock_guard lock(mutex_);
  unheard_until_ = std::max(unheard_until_, asked + times_.lease);
}

ClaimLimits Scheduler::Limits() const {
  const Settings& settings = context_.settings;
  return {settings.concurrent_tasks, settings.concurrent_tasks_per_repo, settings.max_attempts,
          settings.attempt_delay, LevelsHere(context_.isolations, settings.node.levels).given};
}

void Scheduler::ClaimAll() {
  const ClaimLimits limits = Limits();
  while (!shutting_down_.stop_requested() && !disk_is_full_) {
    const int room = Room();
    if (room <= 0) return;
    const MonotonicTime asked = clock_.Monotonic();
    auto claimed = context_.store.ClaimTasks(node_, times_.lease, limits, room);
    store_fails_ = !claimed.ok();
    if (!claimed.ok()) {
      NoteUnheard(asked);
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
  TellClaim(context_.log, claimed);
  auto running = std::make_unique<Running>();
  Running* self = running.get();
  self->lease = claimed.lease;
  leases_.Add(self->lease, held_from, self->stop);
  const std::lock_guard lock(mutex_);
  if (stopping_) self->stop.request_stop();
  self->thread = launch_(
      [this, self, claimed = std::move(claimed)]() mutable { Work(*self, std::move(claimed)); });
  Place(std::move(running));
}

void Scheduler::Work(Running& self, Claimed claimed) {
  for (bool more = true; more;) {
    Turn turn = RunTask(self, claimed);
    leases_.Remove(claimed.lease);
    more = !turn.claimed.empty();
    if (more) {
      claimed = std::move(turn.claimed.front());
      TakeOver(self, claimed, turn.asked);
      for (std::size_t i = 1; i < turn.claimed.size(); ++i) {
        StartWorker(std::move(turn.claimed[i]), turn.asked);
      }
      EndTurn();
    } else {
      self.done = true;  // and gone, perhaps
      wakeup_.Signal();
    }
    on_progress_();
  }
}

Scheduler::Turn Scheduler::RunTask(Running& self, const Claimed& claimed) {
  Turn turn;
  Worker(context_).Run(claimed, self.stop.get_token(),
                       [&](const Lease& lease, const RunOutcome& outcome) {
                         return Finish(self, turn, lease, outcome);
                       });
  return turn;
}

// Only the first try claims: what is tried again may have claimed already. A claim that fails takes
// no result with it.
Result<void> Scheduler::Finish(Running& self, Turn& turn, const Lease& lease,
                               const RunOutcome& outcome) {
  if (turn.claims || !BeginTurn(self)) return context_.store.FinishRun(lease, outcome);
  turn.claims = true;
  turn.asked = clock_.Monotonic();
  auto claimed = context_.store.FinishRunAndClaim(lease, outcome, times_.lease, Limits());
  if (claimed.ok()) {
    turn.claimed = std::move(*claimed);
  } else {
    NoteUnheard(turn.asked);
  }
  if (turn.claimed.empty()) EndTurn();  // there is nothing to take over
  if (claimed.ok()) return Ok();
  if (claimed.error().code == ErrorCode::kLeaseLost) return claimed.error();
  return context_.store.FinishRun(lease, outcome);
}

bool Scheduler::BeginTurn(const Running& self) {
  if (shutting_down_.stop_requested() || disk_is_full_) return false;
  const std::lock_guard lock(mutex_);
  if (!HasPlace(self)) return false;  // it is another's
  ++turns_;
  ++open_turns_;
  return true;
}

void Scheduler::EndTurn() {
  const std::lock_guard lock(mutex_);
  --open_turns_;
}

void Scheduler::TakeOver(Running& self, const Claimed& next, MonotonicTime held_from) {
  TellClaim(context_.log, next);
  std::stop_source stop;
  leases_.Add(next.lease, held_from, stop);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Running> place = TakeOut(self);
  self.stop = std::move(stop);
  self.lease = next.lease;
  if (stopping_) self.stop.request_stop();
  if (place != nullptr) Place(std::move(place));  // else Shutdown waits for it
}

bool Scheduler::HasPlace(const Running& self) const {
  const auto it = running_.find(self.lease.task);
  return it != running_.end() && it->second.get() == &self;
}

std::unique_ptr<Scheduler::Running> Scheduler::TakeOut(const Running& self) {
  if (HasPlace(self)) return std::move(running_.extract(self.lease.task).mapped());
  std::unique_ptr<Running> out;
  const auto is_it = [&](const auto& running) { return running.get() == &self; };
  if (const auto found = std::ranges::find_if(retired_, is_it); found != retired_.end()) {
    out = std::move(*found);
    retired_.erase(found);
  }
  return out;
}

// A task that was cancelled and queued again may still have its old worker winding down here.
void Scheduler::Place(std::unique_ptr<Running> running) {
  const TaskId task = running->lease.task;
  std::swap(running_[task], running);
  if (running == nullptr) return;
  running->stop.request_stop();
  retired_.push_back(std::move(running));
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
