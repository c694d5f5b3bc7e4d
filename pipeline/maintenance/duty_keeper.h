// DutyKeeper: one duty and this node's part in it: whether it is ours to do, and how it went.
//
// Apart from the Housekeeper's threads, so that a duty can be done by whatever takes turns. One
// thread at a time, but for IsUnwell.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string_view>

#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/store/hold.h"

namespace swage {

class DutyKeeper {
 public:
  /// A duty that failed this often in a row is called unwell.
  static constexpr int kUnwellAfter = 3;
  /// How often a node that does not hold a single duty asks for it, at most.
  static constexpr std::chrono::seconds kAskForHold{15};

  /// `log` must outlive it.
  DutyKeeper(DutyPlan plan, HoldSource holds, Log& log);

  std::string_view Name() const { return plan_.duty->Name(); }
  /// A round, if the duty is ours or can be had; returns how long to wait before the next call.
  std::chrono::milliseconds Turn(std::stop_token stop);
  /// When the process stops: the last round, if there is to be one, and lets go of the duty.
  void LastTurn();
  bool IsUnwell() const { return failures_ >= kUnwellAfter; }

 private:
  bool MayRun();
  void Round(std::stop_token stop);

  const DutyPlan plan_;
  const HoldSource holds_;
  Log& log_;
  std::atomic<int> failures_{0};  ///< in a row
  std::unique_ptr<Hold> hold_;    ///< of a single duty that is ours
};

}  // namespace swage
