#include "pipeline/maintenance/housekeeper.h"

#include <utility>

#include "config/base/text.h"

namespace swage {

Housekeeper::Housekeeper(HoldSource holds, Log& log) : holds_(std::move(holds)), log_(log) {}

Housekeeper::~Housekeeper() {
  Stop();
}

void Housekeeper::Add(DutyPlan plan) {
  keepers_.push_back(std::make_unique<Keeper>(std::move(plan), holds_, log_));
}

void Housekeeper::Start() {
  for (const auto& keeper : keepers_) {
    keeper->thread =
        std::jthread([&keeper = *keeper](std::stop_token stop) { Loop(keeper, std::move(stop)); });
  }
}

void Housekeeper::Nudge(std::string_view duty) {
  for (const auto& keeper : keepers_) {
    if (keeper->duty.Name() == duty) keeper->wakeup.Signal();
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
  while (!stop.stop_requested()) keeper.wakeup.Wait(stop, keeper.duty.Turn(stop));
  keeper.duty.LastTurn();
}

Result<void> Housekeeper::Health() const {
  std::vector<std::string> unwell;
  for (const auto& keeper : keepers_) {
    if (keeper->duty.IsUnwell()) unwell.emplace_back(keeper->duty.Name());
  }
  if (unwell.empty()) return Ok();
  return MakeError(ErrorCode::kUnavailable, "keeps failing: " + Join(unwell, ", "));
}

}  // namespace swage
