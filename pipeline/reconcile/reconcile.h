// Reconcile: the duty that asks the forges what the webhooks did not tell. One round polls every
// allowed repository, looks for lost deliveries, and re-checks what is being worked on.
//
// Works without any webhook (intake: poll). Bounded: a round asks a forge at most kQuestions
// questions and goes on with the next repository in the next round; a forge that is down or refuses
// for its limits is left alone for a while, at least as long as it says (I9). One process at a time
// does this duty; one thread at a time calls it.
#pragma once

#include <chrono>
#include <map>
#include <stop_token>
#include <string>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/intake_gate.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/publisher.h"
#include "pipeline/reconcile/delivery_scan.h"
#include "pipeline/reconcile/repo_poll.h"
#include "pipeline/reconcile/roster.h"
#include "pipeline/reconcile/silence.h"
#include "pipeline/store/store.h"

namespace swage {

class Reconcile final : public Duty {
 public:
  static constexpr int kQuestions = 300;  ///< to one forge in one round
  static constexpr std::chrono::minutes kScanEvery{5};
  /// Whether the issues of running tasks are still there: as often as an agent must be stopped
  /// (A14), but of many tasks at once only so many in a while.
  static constexpr std::chrono::seconds kCheckEvery{20};
  static constexpr std::chrono::seconds kPerChecked{5};
  /// Of a forge that fails and does not say for how long. The first pause is a round's length, and
  /// each further one twice as long, until a repository can be read again.
  static constexpr std::chrono::minutes kLongestPause{15};

  Reconcile(Store& store, ForgeLookup forges, const Settings& settings, const Clock& clock,
            Log& log, PollHooks hooks);

  std::string_view Name() const override { return "reconcile"; }
  Result<void> RunOnce(std::stop_token stop) override;
  /// One round over all forges; returns of how many events something came. A forge that is out of
  /// reach is said in the log and tried again later.
  int PollAll(std::stop_token stop);

 private:
  struct ForgeState {
    std::size_t next = 0;  ///< repository to begin with: the last round may have ended before it
    bool begun = false;
    int failures = 0;
    MonotonicTime paused_until{};
    MonotonicTime check_again{};
    std::map<std::string, MonotonicTime> scanned;  ///< by repository id
    std::map<std::string, std::string> refused;    ///< likewise: what was said of it
  };

  Result<int> Poll(Forge& forge, const ForgeSettings& settings, ForgeState& state,
                   std::stop_token stop);
  Result<int> PollRepo(Forge& forge, const RepoRef& repo, ForgeState& state, Budget& budget);
  Result<int> CheckRunning(Forge& forge, ForgeState& state, std::stop_token stop);
  void BackOff(Forge& forge, ForgeState& state, const Error& error);

  Store& store_;
  ForgeLookup forges_;
  const Settings& settings_;
  const Clock& clock_;
  Log& log_;
  IntakeGate gate_;
  Roster roster_;
  RepoPoll poll_;
  DeliveryScan scan_;
  Silence silence_;
  PollHooks hooks_;
  std::map<std::string, ForgeState> states_;
};

}  // namespace swage
