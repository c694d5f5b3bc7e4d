// TrafficGate: what every request to a forge passes, whoever in the program sends it.
//
// Why here and not in the publisher: a pause that a forge ordered holds for reads too (I9), and the
// distance between two writes is one between requests, of which one effect may take many. What an
// implementation owes: Enter blocks until the request may go, Leave hears how the forge took it
// (and nothing of what was not sent after all); both are thread-safe and bounded in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "config/base/result.h"
#include "forge/transport.h"

namespace swage {

/// What a request is to a forge's limits.
struct Traffic {
  bool writes = false;
  bool makes_content = false;  ///< a write that people are told of
  bool background = false;     ///< nobody waits for it (see WorkScope)
  /// Whose limits count it, where the bot has several accounts at one forge; empty = it has one, or
  /// none of them.
  std::string account = {};
};

/// What a forge's answer says about the limits that have not been reached yet.
struct Quota {
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::chrono::milliseconds until_reset{0};
};

class TrafficGate {
 public:
  virtual ~TrafficGate() = default;
  /// Errors: kRateLimited with retry_after (the forge is left alone), kCancelled (stopped while it
  /// waited), kUnavailable (it cannot be told whether the request may go).
  virtual Result<void> Enter(const Traffic& traffic, std::stop_token stop) = 0;
  /// Ok: the forge answered, be it with a refusal of this very request. An error is the request's:
  /// kUnauthenticated also for an answer that refuses the credential. `quota`: where it was told.
  virtual void Leave(const Traffic& traffic, const Result<void>& outcome,
                     const std::optional<Quota>& quota) = 0;
};

/// Waits at the gate for a request of this thread's work (see WorkScope), which is checked after
/// the wait, however long that was. Errors: the gate's and the work's; then nothing may be sent,
/// and Leave is not called.
Result<void> Pass(TrafficGate& gate, const Traffic& traffic);

/// What a forge's adapter knows of a request; `background` is found out by the gate itself.
using TrafficOf = std::function<Traffic(const HttpRequest&)>;

/// `inner`, with every request through `gate`, which must outlive it. Without `traffic_of` every
/// write makes content, and there is one account.
std::unique_ptr<HttpTransport> MakeGatedTransport(std::unique_ptr<HttpTransport> inner,
                                                  TrafficGate& gate, TrafficOf traffic_of = {});

}  // namespace swage
