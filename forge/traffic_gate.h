// TrafficGate: what every request to a forge passes, whoever in the program sends it.
//
// Why here and not in the publisher: a pause that a forge ordered holds for reads too (I9), and the
// distance between two writes is one between requests, of which one effect may take many. What an
// implementation owes: Enter blocks until the request may go, Leave hears how the forge took it
// (and nothing of what was not sent after all); both are thread-safe and bounded in time.
#pragma once

#include <memory>
#include <stop_token>

#include "config/base/result.h"
#include "forge/transport.h"

namespace swage {

class TrafficGate {
 public:
  virtual ~TrafficGate() = default;
  /// Errors: kRateLimited with retry_after (the forge is left alone), kCancelled (stopped while it
  /// waited), kUnavailable (it cannot be told whether the request may go).
  virtual Result<void> Enter(bool writes, std::stop_token stop) = 0;
  /// Ok: the forge answered, be it with a refusal of this very request. An error is the request's:
  /// kUnauthenticated also for an answer that refuses the credential.
  virtual void Leave(bool wrote, const Result<void>& outcome) = 0;
};

/// Waits at the gate for a request of this thread's work (see WorkScope), which is checked after
/// the wait, however long that was. Errors: the gate's and the work's; then nothing may be sent,
/// and Leave is not called.
Result<void> Pass(TrafficGate& gate, bool writes);

/// `inner`, with every request through `gate`, which must outlive it.
std::unique_ptr<HttpTransport> MakeGatedTransport(std::unique_ptr<HttpTransport> inner,
                                                  TrafficGate& gate);

}  // namespace swage
