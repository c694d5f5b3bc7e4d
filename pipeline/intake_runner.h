// IntakeRunner: takes deliveries from the inbox with a hold, gathers facts, decides, applies; one
// thread. A delivery that another node decided meanwhile changes nothing.
//
// A delivery that cannot be decided because the forge is down stays in the inbox and is tried
// again; one that can never be decided (no JSON) is marked so and kept.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/intake_gate.h"
#include "pipeline/publisher.h"
#include "pipeline/store/store.h"

namespace swage {

class IntakeRunner {
 public:
  /// What the rest of the service does with a decision.
  struct Hooks {
    std::function<void()> on_applied;          ///< new rows for scheduler and publisher
    std::function<void(TaskId)> on_cancelled;  ///< stop this worker now
  };

  /// Long enough for a round with a slow forge; a round that takes longer gives the rest back.
  static constexpr std::chrono::seconds kHold{60};
  static constexpr std::chrono::seconds kRoundLimit{40};

  /// `node` is whose holds these are: no other runner may have the name.
  IntakeRunner(Store& store, std::map<std::string, const WebhookDialect*> dialects,
               ForgeLookup forges, const Settings& settings, Log& log, const Clock& clock,
               std::string node, Hooks hooks);

  /// Decides what is pending; returns of how many deliveries something could be noted. Zero: wait
  /// before the next call, also when there are some (a store that cannot be written).
  int RunOnce(std::stop_token stop);

 private:
  Result<IntakePlan> DecideOne(const Delivery& delivery);
  void GiveBackRest();
  Result<void> Settle(const Delivery& delivery, const IntakePlan& plan);
  Result<void> Postpone(const Delivery& delivery, const Error& error);
  /// Gives it up, where people find it.
  Result<void> Park(const Delivery& delivery, const Error& error);
  Result<void> Defer(const Delivery& delivery, const Error& error);
  Result<void> Apply(const Delivery& delivery, IntakePlan plan);

  Store& store_;
  std::map<std::string, const WebhookDialect*> dialects_;
  IntakeGate gate_;
  Log& log_;
  const Clock& clock_;
  const std::string node_;
  Hooks hooks_;
};

}  // namespace swage
