// What a task asked for beside its allow-list, and how its commands find the way out (C14).
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "config/egress_list.h"
#include "config/repo_policy.h"
#include "config/settings.h"

namespace swage {

/// Something that was asked for and refused.
struct EgressRefusal {
  std::string host;
  int port = 0;
  std::string reason;  ///< "not on the allow-list", "resolves to 10.0.0.7"
  int times = 1;
};

/// What one task was refused, each host once, at most kMaxHosts of them. Thread-safe.
class EgressRecord {
 public:
  static constexpr std::size_t kMaxHosts = 100;

  void Add(const std::string& host, int port, std::string reason);
  /// Sorted by host and port.
  std::vector<EgressRefusal> Refused() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, EgressRefusal> hosts_;
};

/// What the commands of a task with a network may reach: what the server allows every agent, what
/// the agent's preset needs, and what the policy adds, as far as it may. `beyond` gets the entries
/// of the policy that it may not add. Pure.
EgressList AllowedEgress(const Settings& settings, const RepoPolicy& policy,
                         std::vector<std::string>& beyond);

/// HTTP_PROXY and all its relatives, for a command behind the proxy.
std::map<std::string, std::string> EgressEnvironment();

}  // namespace swage
