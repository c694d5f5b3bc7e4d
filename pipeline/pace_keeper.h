// PaceKeeper: the gate before one forge, kept by the store's rows of its paces, so that all nodes
// share one budget per account and one pause.
//
// A host that fails and a credential that is refused concern the forge, a limit the account that it
// is counted for. A pause that the store could not note is noted before the next request, later by
// as much: no order of a forge is forgotten while the process lives. Points of reads are bought by
// the score, so that not every read writes a row. What the forge says is left of its quota is kept
// by each node for itself, since each hears it with every answer; reads in the background give way
// before it is used up. Trouble is told in the log once when it begins and once when it ends.
// Blocks for a read of the store per request; for a write also until its turn. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "forge/traffic_gate.h"
#include "pipeline/store/store.h"

namespace swage {

class PaceKeeper final : public TrafficGate {
 public:
  /// How to wait; false = stopped. Empty = the thread sleeps; tests record instead.
  using Sleep = std::function<bool(std::chrono::milliseconds, std::stop_token)>;

  /// Reads whose points are bought at once, and for how long they are good.
  static constexpr int kReadsAtOnce = 20;
  static constexpr std::chrono::seconds kReadsKeep{10};

  PaceKeeper(Store& store, Log& log, const Clock& clock, std::string forge, PaceRules rules,
             Allowance allowance, Sleep sleep = {},
             std::uint32_t jitter_seed = std::random_device{}());

  Result<void> Enter(const Traffic& traffic, std::stop_token stop) override;
  void Leave(const Traffic& traffic, const Result<void>& outcome,
             const std::optional<Quota>& quota) override;

 private:
  /// What this node remembers of a scope.
  struct Memory {
    /// Spares a write per request: while all is well, and for reads while only a write can tell.
    bool read_may_heal = false;
    bool write_may_heal = false;
    std::optional<ForgeFailure> unnoted;
    int paid_reads = 0;
    MonotonicTime paid_until{};
    std::optional<Quota> quota;
    MonotonicTime quota_told{};
    MonotonicTime next_background{};
  };

  /// The forge's own, and the account's where it has one.
  std::vector<std::string> ScopesOf(const Traffic& traffic) const;
  Result<void> CheckOpen(const std::vector<std::string>& scopes);
  Result<std::chrono::milliseconds> TakeTurn(const std::string& scope, const Traffic& traffic);
  Result<std::chrono::milliseconds> HoldBack(const std::string& scope);
  Result<void> Wait(std::chrono::milliseconds time, std::stop_token stop) const;
  bool TakePaidRead(const std::string& scope);
  void Note(const std::string& scope, bool wrote, const std::optional<ForgeFailure>& failure);
  Result<void> Keep(const std::string& scope, const Result<PaceChange>& change);
  Result<void> NoteWhatIsLeft(const std::string& scope);
  void Remember(const std::string& scope, const Pace& pace);
  double Jitter();
  /// `mutex_` is held.
  Memory& Of(const std::string& scope);

  Store& store_;
  Log& log_;
  const Clock& clock_;
  const std::string forge_;
  const PaceRules rules_;
  const Allowance allowance_;
  const Sleep sleep_;
  std::mutex mutex_;  ///< never held over a call of the store, or a wait
  std::minstd_rand random_;
  std::map<std::string, Memory> memories_;
};

/// Says once that a trouble has begun or ended: what is paused, why, and what to do about it.
void TellOfPace(Log& log, const PaceChange& change);

}  // namespace swage
