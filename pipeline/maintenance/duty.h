// Duty: one recurring piece of housekeeping, in a file of its own.
//
// Duties heal and tidy what the main way of a task leaves or misses: reconciling with the forge,
// sealing the audit log, removing what is over. A task must come to its end without them, only
// later, so a duty that fails is logged and tried again, and never stops anything else.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string_view>

#include "config/base/result.h"

namespace swage {

class Duty {
 public:
  virtual ~Duty() = default;
  /// "reconcile": its name in logs, on pages, and of the hold that makes it single.
  virtual std::string_view Name() const = 0;
  /// One bounded round; may block, ends soon after a stop request. Called by one thread at a time.
  virtual Result<void> RunOnce(std::stop_token stop) = 0;
};

struct DutyPlan {
  std::unique_ptr<Duty> duty;
  std::chrono::milliseconds every{};  ///< from the end of one round to the beginning of the next
  /// One node does it for all (it needs the hold), or every node does it for itself.
  bool single = true;
  /// One more round when the process stops in good order, for what must not wait for a next start.
  bool last_round = false;
};

}  // namespace swage
