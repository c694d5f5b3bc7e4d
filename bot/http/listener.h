// Listener: a bound socket that listens at one of the addresses of the settings.
#pragma once

#include "config/address.h"
#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

struct Listener {
  Fd socket;  ///< non-blocking, closed on exec
  int port = 0;
  bool loopback = false;  ///< reachable from this machine only
};

/// Binds and listens, never sharing the port with another process (no SO_REUSEPORT). Errors:
/// kConflict (address in use), kInvalid (no such address), kInternal.
Result<Listener> Listen(const HostPort& address);

}  // namespace swage
