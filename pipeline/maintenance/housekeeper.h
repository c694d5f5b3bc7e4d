// Housekeeper: runs duties, each in a thread of its own at its own interval, so that one that hangs
// on a slow forge holds up none of the others (I10).
//
// A single duty is done by the node that holds it; the others look again every now and then and
// take it over when the holder is gone.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/base/log.h"
#include "config/base/wakeup.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/store/hold.h"

namespace swage {

class Housekeeper {
 public:
  /// A duty that failed this often in a row is called unwell.
  static constexpr int kUnwellAfter = 3;
  /// How often a node that does not hold a single duty asks for it, at most.
  static constexpr std::chrono::seconds kAskForHold{15};

  /// `log` must outlive it.
  Housekeeper(HoldSource holds, Log& log);
  /// Stops.
  ~Housekeeper();

  /// Before Start.
  void Add(DutyPlan plan);
  void Start();
  /// A round of this duty now, rather than at its next time; no-op for one that is not here.
  void Nudge(std::string_view duty);
  /// Never blocks; no round begins any more but the last ones.
  void BeginStop();
  /// Waits for the rounds in hand and the last ones.
  void Stop();
  /// Errors: names the duties that keep failing.
  Result<void> Health() const;

 private:
  struct Keeper {
    DutyPlan plan;
    Wakeup wakeup;
    std::atomic<int> failures{0};  ///< in a row
    std::unique_ptr<Hold> hold;    ///< of a single duty that is ours
    std::jthread thread;
  };

  void Loop(Keeper& keeper, std::stop_token stop);
  bool MayRun(Keeper& keeper);
  void Round(Keeper& keeper, std::stop_token stop);

  const HoldSource holds_;
  Log& log_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
};

}  // namespace swage
