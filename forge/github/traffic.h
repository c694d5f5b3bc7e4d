// What GitHub's limits count a request as. Pure.
//
// Source: docs.github.com, "Rate limits for the REST API": an App's are counted per installation,
// of which an account has one; what makes content has limits of its own.
#pragma once

#include "forge/traffic_gate.h"

namespace swage::github {

Traffic AccountTraffic(const HttpRequest& request);
/// As that, for the installation on the account whose repository is asked about; what an App asks
/// for itself is nobody's.
Traffic AppTraffic(const HttpRequest& request);

}  // namespace swage::github
