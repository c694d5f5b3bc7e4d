// LoadGenerator: keep-alive clients that post signed webhooks as fast as a server answers them.
//
// One thread and one epoll instance drive all connections, each with one request under way, so that
// the client costs as little of the machine as it can. The body is signed once; every request has a
// delivery id of its own, which GitHub's signature does not cover.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/base/result.h"

namespace swage {

struct LoadPlan {
  int port = 0;
  std::string path;
  std::string secret;
  std::string body;
  int connections = 64;
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{3'000};
};

struct LoadReport {
  std::int64_t accepted = 0;  ///< answered with 2xx after the warm-up
  std::int64_t refused = 0;   ///< answered with anything else, or not at all
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

/// Blocks for warm-up and duration. Errors: kUnavailable when the server cannot be reached.
Result<LoadReport> RunLoad(const LoadPlan& plan);

}  // namespace swage
