// Scheduler: claims tasks, gives each a worker thread, stops it when told or when its lease is
// lost.
//
// Bounded: at most settings.concurrent_tasks workers. A worker whose run ends claims what comes
// next in the same write and goes on with it; the rounds claim for places that are empty. The
// leases are a LeaseKeeper's matter: a worker that it stops has its agent killed before anybody
// else may run the task.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/wakeup.h"
#include "pipeline/lease_keeper.h"
#include "pipeline/store/store.h"
#include "pipeline/worker.h"

namespace swage {

class Scheduler {
 public:
  /// Runs `work` in a thread of its own; what it returns is destroyed after `work` has ended, or
  /// waits for that. A simulation has threads of another kind.
  using Launch = std::function<std::shared_ptr<void>(std::function<void()> work)>;
  static std::shared_ptr<void> LaunchThread(std::function<void()> work);

  /// `on_progress` is called from a worker's thread at the end of its run: its effects are waiting.
  Scheduler(WorkerContext context, const Clock& clock, std::string node,
            std::function<void()> on_progress, Launch launch = LaunchThread);
  ~Scheduler();

  /// One round: gives back what is nobody's, forgets workers that have ended, claims. Start does it
  /// again and again in a thread.
  void RunOnce();
  /// For whoever has no use for Start: its rounds come besides RunOnce.
  LeaseKeeper& leases() { return leases_; }

  void Start();
  /// There may be something to claim, or something was cancelled.
  void Wake() {
    wakeup_.Signal();
    leases_.RenewSoon();
  }
  /// Stops the worker of a cancelled task at once; no-op when it has none here.
  void StopTask(TaskId task);
  /// Claims nothing more; the workers go on, and their leases with them.
  void StopClaiming() { shutting_down_.request_stop(); }
  /// With false nothing more is claimed until it is true again; the workers go on.
  void SetRoomOnDisk(bool room) {
    if (disk_is_full_.exchange(!room) && room) wakeup_.Signal();
  }
  /// The tasks that have a worker here which has not ended.
  std::vector<TaskId> Working();
  /// Claims nothing more, stops the workers (their tasks go back to the queue). Never blocks.
  void BeginShutdown();
  /// The same, and waits for their ends.
  void Shutdown();
  /// Errors: it cannot claim or renew, or must not claim. Never blocks.
  Result<void> Health() const;

 private:
  /// A worker, at one task after the other.
  struct Running {
    Lease lease;  ///< of its task of now; its own thread changes it and `stop`, behind mutex_
    std::stop_source stop;
    std::atomic<bool> done{false};
    std::shared_ptr<void> thread;  // last: its end comes before that of what it works with
  };
  /// A run's end, and what was claimed with it.
  struct Turn {
    bool claims = false;  ///< it was told to claim, too
    MonotonicTime asked{};
    std::vector<Claimed> claimed = {};
  };

  void Loop(std::stop_token stop);
  /// A claim whose answer was lost may have left a lease in this node's name under which nobody
  /// works: it is given back, at no cost for the task.
  void GiveBackUnheard();
  bool IsHeld(const Lease& lease, std::int64_t turns);
  void NoteUnheard(MonotonicTime asked);
  void ClaimAll();
  /// For so many more workers.
  int Room();
  ClaimLimits Limits() const;
  void StartWorker(Claimed claimed, MonotonicTime held_from);
  /// The life of a worker's thread.
  void Work(Running& self, Claimed claimed);
  Turn RunTask(Running& self, const Claimed& claimed);
  Result<void> Finish(Running& self, Turn& turn, const Lease& lease, const RunOutcome& outcome);
  /// False: this worker is not to claim. Each is ended.
  bool BeginTurn(const Running& self);
  void EndTurn();
  /// The worker goes on with this one.
  void TakeOver(Running& self, const Claimed& next, MonotonicTime held_from);
  /// Behind mutex_.
  bool HasPlace(const Running& self) const;
  std::unique_ptr<Running> TakeOut(const Running& self);
  void Place(std::unique_ptr<Running> running);
  void Reap();

  WorkerContext context_;
  const Clock& clock_;
  const std::string node_;
  std::function<void()> on_progress_;
  Launch launch_;
  const LeaseTimes times_;
  LeaseKeeper leases_;
  Wakeup wakeup_;
  std::stop_source shutting_down_;
  std::atomic<bool> store_fails_{false};
  std::atomic<bool> disk_is_full_{false};
  std::mutex mutex_;
  MonotonicTime unheard_until_{};  ///< until when such a lease as GiveBackUnheard's may be there
  std::map<TaskId, std::unique_ptr<Running>> running_;
  std::vector<std::unique_ptr<Running>> retired_;  ///< stopped, not yet ended; replaced in running_
  bool stopping_ = false;                          ///< whoever begins a task now stops at once
  std::int64_t turns_ = 0;                         ///< ends that claim: begun so far,
  std::int64_t open_turns_ = 0;  ///< and those whose claims are not in running_ yet
  std::jthread loop_;
};

}  // namespace swage
