#include "pipeline/maintenance/duty_keeper.h"

#include <algorithm>
#include <utility>

#include "config/base/contain.h"
#include "forge/work_scope.h"

namespace swage {

DutyKeeper::DutyKeeper(DutyPlan plan, HoldSource holds, Log& log)
    : plan_(std::move(plan)), holds_(std::move(holds)), log_(log) {}

std::chrono::milliseconds DutyKeeper::Turn(std::stop_token stop) {
  if (!MayRun()) return std::max<std::chrono::milliseconds>(plan_.every, kAskForHold);
  Round(std::move(stop));
  return plan_.every;
}

void DutyKeeper::LastTurn() {
  if (plan_.last_round && MayRun()) Round({});
  hold_.reset();
}

bool DutyKeeper::MayRun() {
  if (!plan_.single) return true;
  if (hold_ && !hold_->Check().ok()) {
    log_.Info("a duty is no longer ours", {{"duty", Name()}});
    hold_.reset();
  }
  if (hold_) return true;
  auto taken = Contain([&] { return holds_(Name()); });
  if (!taken.ok()) {
    ++failures_;
    log_.Warn("cannot ask for a duty", {{"duty", Name()}, {"error", taken.error().message}});
    return false;
  }
  failures_ = 0;  // whoever has it, somebody does it
  hold_ = *std::move(taken);
  return hold_ != nullptr;
}

void DutyKeeper::Round(std::stop_token stop) {
  const WorkScope scope({.stop = stop, .may_write = {}, .background = true});
  const auto done = Contain([&] { return plan_.duty->RunOnce(stop); });
  if (done.ok()) {
    failures_ = 0;
    return;
  }
  if (stop.stop_requested()) return;
  ++failures_;
  log_.Warn("a duty failed; it is tried again",
            {{"duty", Name()}, {"error", done.error().message}});
}

}  // namespace swage
