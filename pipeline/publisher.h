// Publisher: the only part that writes to a forge. Carries out outbox effects, in order, once each.
//
// An effect's row was committed before; here the forge is asked to make it so (Ensure* adopts what
// an earlier, unanswered attempt made), and the result is committed after. Between the two the
// process may die at any point: the next start repeats the effect and finds its work. Everything
// that leaves passes the Redactor; the worker lets no change through that holds a known secret
// (T39).
//
// RunOnce blocks on the network; call it from one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <stop_token>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/redact.h"
#include "forge/forge.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Finds a forge by its name in the settings; nullptr when it is no longer configured.
using ForgeLookup = std::function<Forge*(std::string_view name)>;

struct PublisherOptions {
  std::string public_url;
  std::string command_prefix;
  /// Of the randomness in delays; a simulation repeats itself.
  std::uint32_t jitter_seed = std::random_device{}();
};

class Publisher {
 public:
  static constexpr int kMaxAttempts = 24;  ///< about two hours of a forge that is down
  static constexpr std::chrono::milliseconds kFirstDelay{1'000};
  static constexpr std::chrono::milliseconds kLongestDelay{10 * 60'000};

  Publisher(Store& store, Workspaces& workspaces, ForgeLookup forges, const Redactor& redactor,
            Log& log, const Clock& clock, PublisherOptions options);

  /// Carries out what is due; returns of how many effects the result was noted. Zero: wait before
  /// the next call, also when some are due (a store that cannot be written).
  int RunOnce(std::stop_token stop);

 private:
  struct Done {
    std::string result;  ///< JSON for the effect's row
    PublishedFacts facts;
  };

  Result<void> Carry(const Effect& effect, std::stop_token stop);
  Result<Done> Attempt(const Effect& effect, std::stop_token stop);
  Result<Done> Perform(const Effect& effect, Forge& forge, std::stop_token stop);
  Result<Done> PerformReaction(const Effect& effect, Forge& forge);
  Result<Done> PerformComment(const Effect& effect, Forge& forge);
  Result<Done> PerformSticky(const Effect& effect, Forge& forge);
  Result<Done> PerformPush(const Effect& effect, Forge& forge, std::stop_token stop);
  Result<Done> PerformPullRequest(const Effect& effect, Forge& forge);
  Result<Done> PerformStatus(const Effect& effect, Forge& forge);
  Result<Done> PerformReview(const Effect& effect, Forge& forge);
  Result<Done> PerformResolve(const Effect& effect, Forge& forge);
  Result<void> CheckStillWanted(const Effect& effect, Forge& forge);
  Result<void> NoteFailure(const Effect& effect, const Error& error);

  Store& store_;
  Workspaces& workspaces_;
  ForgeLookup forges_;
  const Redactor& redactor_;
  Log& log_;
  const Clock& clock_;
  PublisherOptions options_;
  std::map<std::string, MonotonicTime> paused_until_;  ///< forges that asked to wait (I9)
  std::minstd_rand jitter_;
};

/// How long to wait before attempt `attempts` + 1: exponential, at least what the forge asked for.
/// Pure; `jitter` in [0, 1) spreads it over [half, whole].
std::chrono::milliseconds RetryDelay(int attempts, std::chrono::milliseconds retry_after,
                                     double jitter);

}  // namespace swage
