// Publisher: the only part that writes to a forge. Carries out outbox effects, in order, once each.
//
// An effect's row was committed before; here it is taken with a hold, the forge is asked to make it
// so (Ensure* adopts what an earlier, unanswered attempt made), and the result is committed after.
// Between the two the process may die at any point: the hold runs out, and whoever takes the effect
// next finds its work. Whoever loses a hold sends nothing more, and whoever stood still for so long
// that it may be lost writes nothing (X15). Everything that leaves passes the Redactor; the worker
// lets no change through that holds a known secret (T39).
//
// Thread-safe: many threads may carry effects at once (see PublisherThreads).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/redact.h"
#include "forge/forge.h"
#include "pipeline/labelling.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Finds a forge by its name in the settings; nullptr when it is no longer configured.
using ForgeLookup = std::function<Forge*(std::string_view name)>;

struct PublisherOptions {
  std::string public_url;
  std::string command_prefix;
  std::string node = "node";  ///< whose holds these are
  CommitIdentity bot = {};    ///< as whom the tasks' commits are made
  /// By settings name of the forge; a missing one has the defaults.
  std::map<std::string, PaceRules, std::less<>> pace_rules = {};
  /// Of the randomness in delays; a simulation repeats itself.
  std::uint32_t jitter_seed = std::random_device{}();
  Triggers triggers = {};
};

/// An effect that is ours for a while.
struct TakenEffect {
  Effect effect;
  /// When it was asked for: measured from here, its hold is not shorter than it really is.
  MonotonicTime since{};
};

class Publisher {
 public:
  static constexpr int kMaxAttempts = 24;  ///< about two hours of an effect that keeps failing
  static constexpr std::chrono::milliseconds kFirstDelay{1'000};
  static constexpr std::chrono::milliseconds kLongestDelay{10 * 60'000};
  /// What timed out may still be under way at the forge: not looked for before it had time to end.
  static constexpr std::chrono::milliseconds kSettle{5'000};
  static constexpr std::chrono::seconds kHold{30};
  /// Without a renewal for this long, a hold must not be trusted any more: the rest of it is for
  /// what was sent before to arrive.
  static constexpr std::chrono::seconds kSelfFence{20};

  Publisher(Store& store, Workspaces& workspaces, ForgeLookup forges, const Redactor& redactor,
            Log& log, const Clock& clock, PublisherOptions options);

  /// Takes what is due, at most `limit`, of which at most `pushes` are pushes.
  std::vector<TakenEffect> Take(int limit, int pushes);
  /// Carries out an effect that was taken. Nothing is written once its hold is too old; then it
  /// goes back, and begins again with its look-up. False: nothing could be noted about it; it is
  /// tried again when its hold has run out.
  bool Carry(const TakenEffect& taken, std::stop_token stop);
  /// Take and Carry in this thread; returns of how many effects the result was noted. Zero: wait
  /// before the next call, also when some are due (a store that cannot be written).
  int RunOnce(std::stop_token stop);
  /// Keeps the holds of what is being carried out; what has lost its hold is called off.
  void RenewHolds();

 private:
  struct Done {
    std::string result;  ///< JSON for the effect's row
    PublishedFacts facts;
  };
  struct Carried {
    Effect effect;
    std::stop_source call_off;
    MonotonicTime renewed;
  };
  class Carrying;

  Result<void> CarryAndNote(const Effect& effect, const Carrying& carrying);
  Result<Done> Attempt(const Effect& effect, std::stop_token stop);
  Result<Done> Perform(const Effect& effect, Forge& forge, std::stop_token stop);
  Result<Done> PerformReaction(const Effect& effect, Forge& forge);
  Result<Done> PerformComment(const Effect& effect, Forge& forge);
  Result<Done> PerformSticky(const Effect& effect, Forge& forge);
  Result<void> BringHead(const Task& task, const PushRequest& push, std::stop_token stop);
  Result<void> Push(const Effect& effect, const Task& task, PushRequest request,
                    std::stop_token stop);
  Result<Done> PerformPush(const Effect& effect, Forge& forge, std::stop_token stop);
  Result<Done> PerformPullRequest(const Effect& effect, Forge& forge);
  Result<Done> PerformStatus(const Effect& effect, Forge& forge);
  Result<Done> PerformReview(const Effect& effect, Forge& forge);
  Result<Done> PerformResolve(const Effect& effect, Forge& forge);
  Result<CommitSha> TakeOverBranch(const Effect& effect, const Task& task,
                                   const PushRequest& refused, std::stop_token stop);
  Result<void> CheckStillWanted(const Effect& effect, Forge& forge);
  Error EndTask(const Task& task, TaskChangeKind kind, const std::string& reason,
                std::vector<NewEffect> effects);
  Result<void> GiveBack(const Effect& effect, const Error& error);
  /// What the effect would say something on is not there any more: then nobody misses it.
  Result<bool> IsOnNothing(const Effect& effect);
  Result<void> NoteOver(const Effect& effect);
  Result<void> NoteFailure(const Effect& effect, const Error& error);
  void NoteRefusal(const Effect& effect, const Error& error);
  void NoteProbesWorked(const Effect& effect);
  const PaceRules& RulesOf(const std::string& forge) const;
  double Jitter();

  Store& store_;
  Workspaces& workspaces_;
  ForgeLookup forges_;
  const Redactor& redactor_;
  Log& log_;
  const Clock& clock_;
  const PublisherOptions options_;
  std::mutex mutex_;
  std::map<EffectId, Carried> carried_;  ///< by the newest take
  std::minstd_rand random_{options_.jitter_seed};
};

/// How long to wait before attempt `attempts` + 1: exponential, at least what the forge asked for.
/// Pure; `jitter` in [0, 1) spreads it over [half, whole].
std::chrono::milliseconds RetryDelay(int attempts, std::chrono::milliseconds retry_after,
                                     double jitter);

}  // namespace swage
