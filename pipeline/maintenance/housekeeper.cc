#include "pipeline/maintenance/housekeeper.h"

#include <algorithm>
#include <utility>

#include "config/base/contain.h"
#include "config/base/text.h"

namespace swage {

Housekeeper::Housekeeper(HoldSource holds, Log& log) : holds_(std::move(holds)), log_(log) {}

Housekeeper::~Housekeeper() {
  Stop();
}

void Housekeeper::Add(DutyPlan plan) {
  auto keeper = std::make_unique<Keeper>();
  keeper->plan = std::move(plan);
  keepers_.push_back(std::move(keeper));
}

void Housekeeper::Start() {
  for (const auto& keeper : keepers_) {
    keeper->thread = std::jthread(
        [this, &keeper = *keeper](std::stop_token stop) { Loop(keeper, std::move(stop)); });
  }
}

void Housekeeper::Nudge(std::string_view duty) {
  for (const auto& keeper : keepers_) {
    if (keeper->plan.duty->Name() == duty) keeper->wakeup.Signal();
  }
}

void Housekeeper::BeginStop() {
  for (const auto& keeper : keepers_) keeper->thread.request_stop();
}

void Housekeeper::Stop() {
  BeginStop();
  for (const auto& keeper : keepers_) {
    if (keeper->thread.joinable()) keeper->thread.join();
  }
}

void Housekeeper::Loop(Keeper& keeper, std::stop_token stop) {
  while (!stop.stop_requested()) {
    auto wait = keeper.plan.every;
    if (MayRun(keeper)) {
      Round(keeper, stop);
    } else {
      wait = std::max<std::chrono::milliseconds>(wait, kAskForHold);
    }
    keeper.wakeup.Wait(stop, wait);
  }
  if (keeper.plan.last_round && MayRun(keeper)) Round(keeper, {});
  keeper.hold.reset();
}

bool Housekeeper::MayRun(Keeper& keeper) {
  if (!keeper.plan.single) return true;
  const std::string_view name = keeper.plan.duty->Name();
  if (keeper.hold && !keeper.hold->Check().ok()) {
    log_.Info("a duty is no longer ours", {{"duty", name}});
    keeper.hold.reset();
  }
  if (keeper.hold) return true;
  auto taken = Contain([&] { return holds_(name); });
  if (!taken.ok()) {
    ++keeper.failures;
    log_.Warn("cannot ask for a duty", {{"duty", name}, {"error", taken.error().message}});
    return false;
  }
  keeper.failures = 0;  // whoever has it, somebody does it
  keeper.hold = *std::move(taken);
  return keeper.hold != nullptr;
}

void Housekeeper::Round(Keeper& keeper, std::stop_token stop) {
  const auto done = Contain([&] { return keeper.plan.duty->RunOnce(stop); });
  if (done.ok()) {
    keeper.failures = 0;
    return;
  }
  if (stop.stop_requested()) return;
  ++keeper.failures;
  log_.Warn("a duty failed; it is tried again",
            {{"duty", keeper.plan.duty->Name()}, {"error", done.error().message}});
}

Result<void> Housekeeper::Health() const {
  std::vector<std::string> unwell;
  for (const auto& keeper : keepers_) {
    if (keeper->failures >= kUnwellAfter) unwell.emplace_back(keeper->plan.duty->Name());
  }
  if (unwell.empty()) return Ok();
  return MakeError(ErrorCode::kUnavailable, "keeps failing: " + Join(unwell, ", "));
}

}  // namespace swage
