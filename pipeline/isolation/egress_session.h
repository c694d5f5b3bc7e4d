// One connection through the egress proxy, from its request to its end. Blocks; used in a thread of
// its own.
#pragma once

#include "config/base/files.h"
#include "pipeline/isolation/egress_proxy.h"

namespace swage {

struct EgressSession {
  const EgressList& allowed;
  const EgressBounds& bounds;
  HostResolver& resolver;
  EgressRecord& record;
  int stop;  ///< a descriptor that becomes readable when it is over
};

void ServeEgress(const EgressSession& session, Fd client);
/// For a client that there is no room for.
void RefuseEgress(Fd client);

}  // namespace swage
