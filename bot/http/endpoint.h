// Endpoint: "host:port" of the settings, and the listening socket made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

struct Endpoint {
  std::string host;        ///< a name or an address; IPv6 without its brackets
  std::uint16_t port = 0;  ///< 0 = any free one
};

/// "127.0.0.1:8420", "localhost:0", "[::1]:80". Errors: kInvalid.
Result<Endpoint> ParseEndpoint(std::string_view text);

struct Listener {
  Fd socket;  ///< non-blocking, closed on exec
  int port = 0;
  bool loopback = false;  ///< reachable from this machine only
};

/// Binds and listens, never sharing the port with another process (no SO_REUSEPORT). Errors:
/// kConflict (address in use), kInvalid (no such address), kInternal.
Result<Listener> Listen(const Endpoint& endpoint);

}  // namespace swage
