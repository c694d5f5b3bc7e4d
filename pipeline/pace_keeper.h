// PaceKeeper: the gate before one forge, kept by the store's row of its pace, so that all nodes
// share one budget of writes and one pause.
//
// A pause that the store could not note is noted before the next request, later by as much: no
// order of a forge is forgotten while the process lives. Trouble is told in the log once when it
// begins and once when it ends. Blocks for a read of the store per request; for a write also until
// its turn. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include "config/base/log.h"
#include "forge/traffic_gate.h"
#include "pipeline/store/store.h"

namespace swage {

class PaceKeeper final : public TrafficGate {
 public:
  /// How to wait; false = stopped. Empty = the thread sleeps; tests record instead.
  using Sleep = std::function<bool(std::chrono::milliseconds, std::stop_token)>;

  PaceKeeper(Store& store, Log& log, std::string forge, PaceRules rules,
             std::chrono::milliseconds write_interval, Sleep sleep = {},
             std::uint32_t jitter_seed = std::random_device{}());

  Result<void> Enter(bool writes, std::stop_token stop) override;
  void Leave(bool wrote, const Result<void>& outcome) override;

 private:
  Result<void> Keep(const Result<PaceChange>& change);
  Result<void> NoteWhatIsLeft();
  void Remember(const Pace& pace);
  double Jitter();

  Store& store_;
  Log& log_;
  const std::string forge_;
  const PaceRules rules_;
  const std::chrono::milliseconds write_interval_;
  const Sleep sleep_;
  /// Spares a write per request: while all is well, and for reads while only a write can tell.
  std::atomic<bool> read_may_heal_{false};
  std::atomic<bool> write_may_heal_{false};
  std::mutex mutex_;
  std::minstd_rand random_;
  std::optional<ForgeFailure> unnoted_;
};

/// Says once that a trouble has begun or ended: what is paused, why, and what to do about it.
void TellOfPace(Log& log, const PaceChange& change);

}  // namespace swage
