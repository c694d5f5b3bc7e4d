// LeaseKeeper: keeps the leases of this node's tasks, and ends the workers of those it cannot keep.
//
// One write renews them all, every LeaseTimes::heartbeat. Two things end a worker: a renewal that
// says its lease is lost (somebody cancelled the task, or another node has it), and the fence:
// without a renewal that began less than LeaseTimes::fence ago the lease is not trusted any more,
// early enough that the agent's whole process tree is dead before anybody else may run the task
// (X15, X16). Renewals and the fence have a thread each, so that a store that hangs, in a
// connection that nobody answers any more, delays no fence. A simulation, which has threads of
// another kind, calls RenewOnce and FenceOnce in place of Start. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/wakeup.h"
#include "pipeline/store/store.h"

namespace swage {

/// All of them follow from how long a lease is (settings: node.lease).
struct LeaseTimes {
  /// What stopping an agent may take: TERM, its grace, KILL (see ProcessSpec::kill_grace).
  static constexpr std::chrono::milliseconds kStopMargin{4'000};

  explicit LeaseTimes(std::chrono::milliseconds whole)
      : lease(whole), heartbeat(whole / 6), fence(whole - std::max(whole / 4, kStopMargin)) {}

  std::chrono::milliseconds lease;
  std::chrono::milliseconds heartbeat;
  std::chrono::milliseconds fence;
};

class LeaseKeeper {
 public:
  LeaseKeeper(Store& store, const Clock& clock, Log& log, LeaseTimes times);
  /// Stops.
  ~LeaseKeeper();

  void Start();
  /// Waits for a renewal in hand. What is still held is left to run out.
  void Stop();

  /// `held_from`: an instant before the claim was sent. `stop` is requested when the lease is lost
  /// or cannot be trusted any more.
  void Add(const Lease& lease, MonotonicTime held_from, std::stop_source stop);
  /// The worker has ended.
  void Remove(const Lease& lease);
  /// One renewal of all that is held; blocks for as long as the store does.
  void RenewOnce();
  /// Ends what is due; returns how long nothing can become due.
  std::chrono::milliseconds FenceOnce();
  /// Something may have been cancelled: renew soon, at most once a second.
  void RenewSoon() { renew_.Signal(); }
  /// Errors: the last renewal failed. Never blocks.
  Result<void> Health() const;

 private:
  struct Held {
    Lease lease;
    MonotonicTime renewed;
    std::stop_source stop;
  };
  using Key = std::pair<TaskId, Epoch>;

  void RenewLoop(std::stop_token stop);
  void FenceLoop(std::stop_token stop);
  void NoteRenewed(const std::vector<Lease>& asked, const std::vector<TaskId>& lost,
                   MonotonicTime sent);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  const LeaseTimes times_;
  Wakeup renew_;
  Wakeup fence_;
  std::atomic<bool> failing_{false};
  std::mutex mutex_;
  std::map<Key, Held> held_;
  bool fence_ticks_ = false;  ///< whoever looks for what is due does so soon, without being woken
  std::jthread renewer_;
  std::jthread fencer_;
};

}  // namespace swage
