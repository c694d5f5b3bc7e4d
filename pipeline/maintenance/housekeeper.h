// Housekeeper: runs duties, each in a thread of its own at its own interval, so that one that hangs
// on a slow forge holds up none of the others (I10).
//
// A single duty is done by the node that holds it; the others look again every now and then and
// take it over when the holder is gone.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "config/base/log.h"
#include "config/base/wakeup.h"
#include "pipeline/maintenance/duty_keeper.h"

namespace swage {

class Housekeeper {
 public:
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
    Keeper(DutyPlan plan, const HoldSource& holds, Log& log) : duty(std::move(plan), holds, log) {}

    DutyKeeper duty;
    Wakeup wakeup;
    std::jthread thread;
  };

  static void Loop(Keeper& keeper, std::stop_token stop);

  const HoldSource holds_;
  Log& log_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
};

}  // namespace swage
