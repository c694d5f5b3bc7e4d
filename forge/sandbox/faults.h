// Faults: how the sandbox forge is told to misbehave (X6 to X12 in the fault list).
//
// Rules are tried in order; the first that matches and has uses left acts. Set from C++ or by
// `POST /_sandbox/faults` with a JSON list:
//   [{"method": "POST", "path": "^/repos/.*/pulls$", "times": 1, "action": "reset_after"},
//    {"action": "delay", "ms": 200, "path": "^/repos/"},
//    {"action": "status", "status": 503, "times": 2},
//    {"action": "primary_limit", "retry_after": 1}, {"action": "rate_limit", "retry_after": 1},
//    {"action": "secondary_limit", "retry_after": 1},
//    {"action": "webhook_drop", "event": "issues"}, {"action": "webhook_duplicate", "copies": 3},
//    {"action": "webhook_reorder"},
//    {"action": "status", "status": 502, "times": -1, "chance": 0.02}]
// `path` is an RE2 expression searched for in the request's path and query. A rule with a chance
// below 1 passes what it spares on to the rules after it. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage::sandbox {

enum class FaultAction {
  kDelay,           ///< answers after delay_ms
  kStatus,          ///< answers `status` without doing anything
  kRateLimit,       ///< 429 with retry-after
  kPrimaryLimit,    ///< 403 with x-ratelimit-remaining 0 and x-ratelimit-reset, no retry-after
  kSecondaryLimit,  ///< 403 with retry-after and the wording of a secondary limit
  kResetBefore,     ///< resets the connection, nothing was done
  kResetAfter,      ///< does it, then resets the connection: the reply is lost
  kWebhookDrop,
  kWebhookDuplicate,  ///< sends `copies` more, same id
  kWebhookReorder,    ///< held back until the next webhook to the same hook has been sent
};

struct FaultRule {
  FaultAction action = FaultAction::kDelay;
  std::string method;  ///< empty = any
  std::string path;    ///< RE2, searched; empty = any
  std::string event;   ///< webhooks: the event's name; empty = any
  int times = 1;       ///< uses left; negative = for ever
  int delay_ms = 0;
  int status = 500;
  int retry_after_s = 1;  ///< 0 = rate and secondary limits do not say
  int copies = 1;
  double chance = 1;  ///< in (0, 1]: how likely it acts on what it matches
};

class Faults {
 public:
  static constexpr int kMaxDelayMs = 600'000;
  static constexpr std::size_t kMaxRules = 1'000;

  Faults();
  ~Faults();

  /// Where the dice of rules with a chance begin. Which request gets which throw is up to the order
  /// in which requests come.
  void Seed(std::uint64_t seed);
  /// Errors: kInvalid (bad expression, unknown action, no such chance, too many rules).
  Result<void> Add(FaultRule rule);
  Result<void> AddJson(std::string_view json_text);
  void Clear();
  /// How often each action was taken so far, by its name in JSON; Clear forgets none.
  std::map<std::string, std::int64_t> Taken() const;
  /// The rules with uses left, as JSON text.
  std::string ToJson() const;

  /// Each takes one use of the rule that it returns.
  std::optional<FaultRule> TakeForRequest(std::string_view method, std::string_view target);
  std::optional<FaultRule> TakeForWebhook(std::string_view event);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage::sandbox
