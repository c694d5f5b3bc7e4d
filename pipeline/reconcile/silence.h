// Silence: notices that a forge's webhooks stay away while polling finds things that they should
// have told (X13). GitLab, for one, disables a webhook that failed a few times.
//
// The alarm is a row (kAlarmPrefix in store.h), so that every node's pages and /healthz can show
// it. One thread at a time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "pipeline/store/store.h"

namespace swage {

class Silence {
 public:
  /// `patience`: how long after a find a webhook may still come.
  Silence(Store& store, const Clock& clock, Log& log, std::chrono::milliseconds patience)
      : store_(store), clock_(clock), log_(log), patience_(patience) {}

  /// After each round: `found` is of how many events the poll heard first.
  Result<void> Note(std::string_view forge, int found);
  Result<void> Forget(std::string_view forge);

 private:
  Store& store_;
  const Clock& clock_;
  Log& log_;
  const std::chrono::milliseconds patience_;
};

}  // namespace swage
