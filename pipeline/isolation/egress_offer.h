// The half of the egress proxy that runs inside a cell without a network: it makes the door, and
// hands it out. Free of the C++ library's machinery, for the small program that runs first in
// there.
#pragma once

namespace swage {

/// Listens on 127.0.0.1:`port`, gives that socket to the proxy at `socket_path` and keeps nothing
/// of it. Returns 0, or errno. Blocks until the proxy has taken it, for kOfferTimeoutSeconds at
/// most.
int OfferEgress(const char* socket_path, int port);

/// Where commands inside find the proxy.
inline constexpr int kEgressDoorPort = 3128;
inline constexpr int kOfferTimeoutSeconds = 10;
/// What the proxy answers when it has the socket.
inline constexpr char kOfferTaken = 'k';

}  // namespace swage
